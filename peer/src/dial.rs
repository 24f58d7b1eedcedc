//! Dialling a peer at all its addresses, and finding out which of them can be reached from outside.

use crate::endpoint::Endpoint;
use crate::link::{self, Established};
use crate::socket::Socket;
use crate::{end, tls};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::LinkEnd;
use banyan_protocol::wire::close::CloseCode;
use quinn::Connection;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A handshake that takes longer has failed. Initials go out at once, and twice after QUIC's first probe time-out of 1 s
/// (RFC 9002 §6.2); the next would go out after 3 s, and may not.
const HANDSHAKE_MAX: Duration = Duration::from_millis(2_900);

/// How long each address has before the next is tried as well (RFC 8305 §5, shortened).
const HEAD_START: Duration = Duration::from_millis(100);

/// A machine of one's own, which boots: when it will answer nobody knows, so that a handshake is begun again and again, in milliseconds
/// from the first. A process is there within a tenth of a second or two, and what was sent before is sent again by QUIC only after one.
const OWN_BEGINS_MS: [u64; 10] = [0, 150, 400, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000];

/// Dials `peer` at `addresses`, best first, and keeps the first that answers with its key. With any key, if no peer is named: it is
/// a machine of one's own then, at addresses that the person's own provider gave, and however long it is silent, it is dialled.
///
/// # Errors
/// If none does: the end that says most, for one address.
pub(crate) async fn dial(
    endpoint: Endpoint,
    peer: Option<PeerId>,
    addresses: Vec<SocketAddr>,
) -> Result<Box<Established>, LinkEnd> {
    let mut attempts = JoinSet::new();
    let rounds = if peer.is_some() { 1 } else { OWN_BEGINS_MS.len() };
    let each = |begins: &u64| {
        let begins = Duration::from_millis(*begins);
        let in_turn = addresses.iter().zip(0u32..);
        in_turn.map(move |(address, index)| (begins + HEAD_START * index, *address))
    };
    for (begins, address) in OWN_BEGINS_MS[..rounds].iter().flat_map(each) {
        let attempt = Attempt {
            quic: endpoint.quic.clone(),
            socket: endpoint.socket.clone(),
            client: endpoint.client(peer),
            peer,
            address,
        };
        attempts.spawn(async move {
            sleep(begins).await;
            attempt.run().await
        });
    }
    let mut why = LinkEnd::Failed;
    while let Some(attempt) = attempts.join_next().await {
        match attempt.unwrap_or(Err(LinkEnd::Failed)) {
            Ok((connection, peer)) => {
                // The other attempts end here; one that has succeeded meanwhile has no control lane, and closes.
                drop(attempts);
                return link::dialled(connection, peer).await.map(Box::new);
            }
            Err(end) if weight(end) > weight(why) => why = end,
            Err(_) => {}
        }
    }
    Err(why)
}

/// Which of `addresses` answer to a socket that `peer` has never heard of, the quickest first.
pub(crate) async fn probe(endpoint: Endpoint, peer: PeerId, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (quic, socket) = match endpoint.stranger() {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!(%error, "cannot open a socket to probe with");
            return Vec::new();
        }
    };
    let mut attempts = JoinSet::new();
    for address in addresses {
        let attempt = Attempt {
            quic: quic.clone(),
            socket: socket.clone(),
            client: endpoint.client(Some(peer)),
            peer: Some(peer),
            address,
        };
        attempts.spawn(async move {
            let (connection, _) = attempt.run().await.ok()?;
            end::close(&connection, CloseCode::Done);
            Some(address)
        });
    }
    let mut reached = Vec::new();
    while let Some(attempt) = attempts.join_next().await {
        reached.extend(attempt.ok().flatten());
    }
    // quinn sees to it that the peer hears that it is over; the answer need not wait for that.
    reached
}

/// A handshake with one address.
struct Attempt {
    quic: quinn::Endpoint,
    socket: Arc<Socket>,
    client: quinn::ClientConfig,
    peer: Option<PeerId>,
    address: SocketAddr,
}

impl Attempt {
    async fn run(self) -> Result<(Connection, PeerId), LinkEnd> {
        let address = self.address;
        match self.peer {
            Some(_) => self.socket.dial(address),
            None => self.socket.dial_own(address),
        }
        let connecting = self.quic.connect_with(self.client, address, tls::SERVER_NAME);
        let connecting = connecting.map_err(|error| {
            tracing::debug!(%address, %error, "cannot dial");
            LinkEnd::Failed
        })?;
        let connected = timeout(HANDSHAKE_MAX, connecting).await;
        let connection = connected.map_err(|_| LinkEnd::TimedOut)?.map_err(|error| {
            tracing::debug!(%address, %error, "handshake failed");
            end::of(&error)
        })?;
        let fits = |peer: &PeerId| self.peer.is_none_or(|expected| expected == *peer);
        if let Some(peer) = tls::peer_of(&connection).filter(fits) {
            return Ok((connection, peer));
        }
        end::close(&connection, CloseCode::Done);
        Err(LinkEnd::WrongKey)
    }
}

/// How much an end says about a peer: somebody who answers, more than silence.
fn weight(end: LinkEnd) -> u8 {
    match end {
        LinkEnd::Failed => 0,
        LinkEnd::TimedOut => 1,
        LinkEnd::WrongKey => 2,
        LinkEnd::Version => 3,
        LinkEnd::Closed(_) => 4,
    }
}
