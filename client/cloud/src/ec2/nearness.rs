//! How far regions are: as long as it takes to knock at their doors.

use crate::price::PriceList;
use crate::region::Region;
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// No region that is near to anybody takes longer, its name's look-up included.
const WITHIN: Duration = Duration::from_millis(600);

/// The round trips to the regions of `list`, the nearest first, as a connection to the endpoint of each takes one; nothing is sent over it.
/// Regions that do not answer within 600 ms are left out.
pub async fn round_trips(list: &PriceList) -> Vec<(Region, Duration)> {
    let door = |region: &Region| (region.clone(), format!("ec2.{region}.amazonaws.com:443"));
    knock(list.regions().map(door).collect()).await
}

/// Knocks at all at once.
async fn knock(doors: Vec<(Region, String)>) -> Vec<(Region, Duration)> {
    let mut tries = JoinSet::new();
    for (region, door) in doors {
        tries.spawn(async move { Some((region, knock_at(&door).await?)) });
    }
    let until = tokio::time::Instant::now() + WITHIN;
    let mut round_trips = Vec::new();
    while let Ok(Some(tried)) = timeout_at(until, tries.join_next()).await {
        round_trips.extend(tried.ok().flatten());
    }
    round_trips.sort_by_key(|(_, round_trip)| *round_trip);
    round_trips
}

/// How long the address takes to answer, without the look-up of its name.
async fn knock_at(door: &str) -> Option<Duration> {
    let address = lookup_host(door).await.ok()?.next()?;
    let began = Instant::now();
    TcpStream::connect(address).await.ok()?;
    Some(began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_region_that_answers_is_so_far_and_one_that_refuses_is_left_out() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let doors = vec![
            (region("eu-west-1"), closed.local_addr().unwrap().to_string()),
            (region("us-west-2"), open.local_addr().unwrap().to_string()),
        ];
        drop(closed);
        let answered = knock(doors).await;
        assert!(
            matches!(&answered[..], [(near, round_trip)] if *near == region("us-west-2") && *round_trip < WITHIN),
            "{answered:?}"
        );
        assert!(knock(Vec::new()).await.is_empty());
    }
}
