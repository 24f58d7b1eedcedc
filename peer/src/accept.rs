//! Taking in peers that dial us.

use crate::endpoint::Endpoint;
use crate::gate::{Seat, Verdict};
use crate::happening::Happening;
use crate::link;
use quinn::{Connecting, Incoming};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

/// A peer that takes longer from its first packet to its control lane is shut out; three lost packets in a row are not
/// worth waiting for.
const ENTER_MAX: Duration = Duration::from_secs(5);

/// How often at most a person is told that peers are refused.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Peers refused since that was last told, and when it may be told again.
#[derive(Debug)]
struct Refusals {
    count: u64,
    told: Option<Instant>,
}

impl Refusals {
    fn add(&mut self, now: Instant) {
        self.count += 1;
        if self.told.is_none_or(|told| now - told >= WARN_EVERY) {
            tracing::warn!(
                refused = self.count,
                "too many connections from one network, or in all"
            );
            *self = Self {
                count: 0,
                told: Some(now),
            };
        }
    }
}

/// Takes in peers until the endpoint closes. The handshakes under way are bounded by the gate's seats.
pub(crate) async fn run(endpoint: Endpoint, happenings: Sender<Happening>) {
    let mut entering = JoinSet::new();
    let mut refusals = Refusals { count: 0, told: None };
    loop {
        tokio::select! {
            incoming = endpoint.quic.accept() => match incoming {
                Some(incoming) => if let Some((connecting, seat)) = judge(&endpoint, incoming, &mut refusals) {
                    entering.spawn(enter(connecting, seat, happenings.clone()));
                },
                None => return,
            },
            Some(_) = entering.join_next() => {}
        }
    }
}

fn judge(endpoint: &Endpoint, incoming: Incoming, refusals: &mut Refusals) -> Option<(Connecting, Seat)> {
    let proven = incoming.remote_address_validated();
    match endpoint.gate.judge(incoming.remote_address(), proven) {
        Verdict::Enter(seat) => incoming.accept().ok().map(|connecting| (connecting, seat)),
        Verdict::Prove => {
            incoming.retry().expect("the address isn't proven");
            None
        }
        Verdict::Refuse => {
            refusals.add(Instant::now());
            incoming.refuse();
            None
        }
    }
}

async fn enter(connecting: Connecting, mut seat: Seat, happenings: Sender<Happening>) {
    let entering = async {
        let connection = connecting.await.ok()?;
        seat.prove();
        link::accepted(connection, seat).await
    };
    if let Ok(Some(established)) = tokio::time::timeout(ENTER_MAX, entering).await {
        // The driver outlives this task, unless the program ends.
        let _ = happenings.send(Happening::Accepted(Box::new(established))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_told_in_few_words() {
        let (mut refusals, begin) = (Refusals { count: 0, told: None }, Instant::now());
        refusals.add(begin);
        assert_eq!((refusals.count, refusals.told), (0, Some(begin)), "told at once");
        (0..5_000).for_each(|_| refusals.add(begin + WARN_EVERY / 2));
        assert_eq!((refusals.count, refusals.told), (5_000, Some(begin)));
        refusals.add(begin + WARN_EVERY);
        assert_eq!((refusals.count, refusals.told), (0, Some(begin + WARN_EVERY)));
    }
}
