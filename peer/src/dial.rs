//! Dialling a peer at all its addresses, and finding out which of them can be reached from outside.

use crate::endpoint::Endpoint;
use crate::link::{self, Established};
use crate::{end, tls};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::LinkEnd;
use banyan_protocol::wire::close::CloseCode;
use quinn::Connection;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A handshake that takes longer has failed. Initials go out at 0 s, 1 s and 3 s (the last two after QUIC's first two
/// probe time-outs, RFC 9002 §6.2), so less than 3 s keeps an address that is nobody's to three of them.
const HANDSHAKE_MAX: Duration = Duration::from_millis(2_900);

/// How long each address has before the next is tried as well (RFC 8305 §5, shortened).
const HEAD_START: Duration = Duration::from_millis(100);

/// Dials `peer` at `addresses`, best first, and keeps the first that answers with its key.
///
/// # Errors
/// If none does: the end that says most, for one address.
pub(crate) async fn dial(
    endpoint: Endpoint,
    peer: PeerId,
    addresses: Vec<SocketAddr>,
) -> Result<Box<Established>, LinkEnd> {
    let mut attempts = JoinSet::new();
    for (index, address) in addresses.into_iter().enumerate() {
        let (quic, client) = (endpoint.quic.clone(), endpoint.client.clone());
        attempts.spawn(async move {
            sleep(HEAD_START * index as u32).await;
            attempt(&quic, client, peer, address).await
        });
    }
    let mut why = LinkEnd::Failed;
    while let Some(attempt) = attempts.join_next().await {
        match attempt.unwrap_or(Err(LinkEnd::Failed)) {
            Ok(connection) => {
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
    let quic = match stranger(&endpoint) {
        Ok(quic) => quic,
        Err(error) => {
            tracing::warn!(%error, "cannot open a socket to probe with");
            return Vec::new();
        }
    };
    let mut attempts = JoinSet::new();
    for address in addresses {
        let (quic, client) = (quic.clone(), endpoint.client.clone());
        attempts.spawn(async move {
            let connection = attempt(&quic, client, peer, address).await.ok()?;
            end::close(&connection, CloseCode::Done);
            Some(address)
        });
    }
    let mut reached = Vec::new();
    while let Some(attempt) = attempts.join_next().await {
        reached.extend(attempt.ok().flatten());
    }
    // The peer hears that it is over; if not, it finds out by itself.
    let _ = timeout(HANDSHAKE_MAX, quic.wait_idle()).await;
    reached
}

/// An endpoint at a fresh port, which only dials.
fn stranger(endpoint: &Endpoint) -> std::io::Result<quinn::Endpoint> {
    let any = if endpoint.local().is_ipv6() {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    } else {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    };
    quinn::Endpoint::client(any)
}

async fn attempt(
    quic: &quinn::Endpoint,
    client: quinn::ClientConfig,
    peer: PeerId,
    address: SocketAddr,
) -> Result<Connection, LinkEnd> {
    let connecting = quic
        .connect_with(client, address, tls::SERVER_NAME)
        .map_err(|error| {
            tracing::debug!(%address, %error, "cannot dial");
            LinkEnd::Failed
        })?;
    let connection = match timeout(HANDSHAKE_MAX, connecting).await {
        Ok(connected) => connected.map_err(|error| {
            tracing::debug!(%address, %error, "handshake failed");
            end::of(&error)
        })?,
        Err(_) => return Err(LinkEnd::TimedOut),
    };
    if tls::peer_of(&connection) == Some(peer) {
        return Ok(connection);
    }
    end::close(&connection, CloseCode::Done);
    Err(LinkEnd::WrongKey)
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
