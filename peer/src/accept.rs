//! Taking in peers that dial us.

use crate::endpoint::Endpoint;
use crate::gate::{Seat, Verdict};
use crate::happening::Happening;
use crate::link;
use quinn::{Connecting, Incoming};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

/// A peer that takes longer from its first packet to its control lane is shut out; three lost packets in a row are not
/// worth waiting for.
const ENTER_MAX: Duration = Duration::from_secs(5);

/// Takes in peers until the endpoint closes. The handshakes under way are bounded by the gate's seats.
pub(crate) async fn run(endpoint: Endpoint, happenings: Sender<Happening>) {
    let mut entering = JoinSet::new();
    loop {
        tokio::select! {
            incoming = endpoint.quic.accept() => match incoming {
                Some(incoming) => if let Some((connecting, seat)) = judge(&endpoint, incoming) {
                    entering.spawn(enter(connecting, seat, happenings.clone()));
                },
                None => return,
            },
            Some(_) = entering.join_next() => {}
        }
    }
}

fn judge(endpoint: &Endpoint, incoming: Incoming) -> Option<(Connecting, Seat)> {
    let proven = incoming.remote_address_validated();
    match endpoint.gate.judge(incoming.remote_address(), proven) {
        Verdict::Enter(seat) => incoming.accept().ok().map(|connecting| (connecting, seat)),
        Verdict::Prove => {
            incoming.retry().expect("the address isn't proven");
            None
        }
        Verdict::Refuse => {
            tracing::debug!("too many links; refused one");
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
