//! Which region is near: the one whose door opens first.

use crate::region::Region;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No region that is near is farther than that.
const WITHIN: Duration = Duration::from_millis(1_500);

/// The region to whose endpoint a connection is made first; `None` if to none in time.
pub(crate) async fn nearest<'a>(regions: impl Iterator<Item = &'a Region>) -> Option<Region> {
    let doors = regions.map(|region| (region.clone(), format!("ec2.{region}.amazonaws.com:443")));
    first(doors.collect()).await
}

/// Tries all at once: the first to answer is the one with the shortest way there and back.
async fn first(doors: Vec<(Region, String)>) -> Option<Region> {
    let mut tries = JoinSet::new();
    for (region, door) in doors {
        tries.spawn(async move { TcpStream::connect(door).await.ok().map(|_| region) });
    }
    let answer = async {
        while let Some(tried) = tries.join_next().await {
            if let Ok(Some(region)) = tried {
                return Some(region);
            }
        }
        None
    };
    timeout(WITHIN, answer).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_region_that_answers_is_taken_and_one_that_refuses_is_not() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let doors = vec![
            (region("eu-west-1"), closed.local_addr().unwrap().to_string()),
            (region("us-west-2"), open.local_addr().unwrap().to_string()),
        ];
        drop(closed);
        assert_eq!(first(doors).await, Some(region("us-west-2")));
        assert_eq!(first(Vec::new()).await, None);
    }
}
