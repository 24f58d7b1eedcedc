//! The forwarding process that `banyan bench relay` loads: the engine of viewers and relays, and the driver that they share.
//! Started as `PROGRAM bench-forwarder`, by `banyan` itself or as `banyan-relay`.

mod affinity;
mod bare;

mod machine;

use banyan_peer::{BindError, Clock, Endpoint, Inbound, identity};
use banyan_protocol::id::{PeerId, PublicKey};
use banyan_protocol::time::ChannelClock;
use banyan_protocol::wire::text::{base32, from_base32};
use banyan_protocol::wire::ticket::Rank;
use machine::Forwarding;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use tokio::sync::oneshot;

/// The forwarding process's rank on every stripe; its children's is greater.
pub const RANK: Rank = Rank(1);

/// More children than any machine feeds; all of them come from one address here.
const CHILDREN_MAX: usize = 10_000;

/// What the forwarding process is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The channel's key, as text.
    #[arg(long)]
    pub channel: String,

    /// Run on this core only.
    #[arg(long)]
    pub pin: Option<usize>,

    /// Pass on what comes without engine and driver.
    #[arg(long)]
    pub bare: bool,
}

/// Why a process does not forward.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it was told is no key.
    #[error("--channel is no key")]
    NoKey,
    /// There is no such core.
    #[error("--pin {0}: this machine has no such core")]
    NoCore(usize),
    /// No port to listen at.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The machine does not give what it needs.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// What a forwarding process says first: `ADDRESS PEER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who it is.
    pub peer: PeerId,
}

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.listen, base32(&self.peer.0))
    }
}

/// The text is not `ADDRESS PEER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no address and peer")]
pub struct NotAnnounced;

impl FromStr for Announced {
    type Err = NotAnnounced;

    fn from_str(text: &str) -> Result<Self, NotAnnounced> {
        let (listen, peer) = text.trim().split_once(' ').ok_or(NotAnnounced)?;
        Ok(Self {
            listen: listen.parse().map_err(|_| NotAnnounced)?,
            peer: PeerId(parse(peer).ok_or(NotAnnounced)?),
        })
    }
}

fn parse<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    from_base32(text)?.try_into().ok()
}

/// Forwards a channel, on one core if it is named, until its standard input ends. Prints where it listens, and who it is.
///
/// # Errors
/// If the channel is no key, or the system gives no core or port.
pub async fn run(args: &Args) -> Result<(), Error> {
    if let Some(core) = args.pin {
        affinity::pin_to(core)?;
    }
    let channel = PublicKey(parse(&args.channel).ok_or(Error::NoKey)?);
    let endpoint = bind()?;
    let announced = Announced {
        listen: endpoint.local(),
        peer: endpoint.id(),
    };
    let mut stdout = io::stdout();
    writeln!(stdout, "{announced}")?;
    stdout.flush()?;
    tokio::select! {
        () = forward(endpoint.clone(), channel), if !args.bare => {}
        () = bare::run(&endpoint), if args.bare => {}
        () = input_ends() => {}
    }
    Ok(())
}

fn bind() -> Result<Endpoint, BindError> {
    let inbound = Inbound {
        total: CHILDREN_MAX,
        per_prefix: CHILDREN_MAX,
        unproven: CHILDREN_MAX,
    };
    let config = banyan_peer::Config {
        listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
        inbound,
        ..banyan_peer::Config::default()
    };
    Endpoint::bind(&identity::generate(), config)
}

/// The benchmark holds the other end, so that this process never outlives it.
async fn input_ends() {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        // Anything else than its end would be a surprise, and ends it as well.
        let _ = io::stdin().read(&mut [0]);
        let _ = end.send(());
    });
    let _ = ended.await;
}

async fn forward(endpoint: Endpoint, channel: PublicKey) {
    let clock = Clock::start();
    let day = ChannelClock::new(clock.now(), clock.channel_now());
    let machine = Forwarding::new(endpoint.id(), channel, day);
    let mut handle = banyan_peer::spawn(machine, endpoint, clock);
    while handle.outgoing.recv().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarding_process_says_where_it_listens_and_who_it_is() {
        let announced = Announced {
            listen: "127.0.0.1:4711".parse().unwrap(),
            peer: PeerId([7; PeerId::LEN]),
        };
        assert_eq!(format!("{announced}\n").parse(), Ok(announced));
        for other in ["banyan: error", "", "127.0.0.1:4711 x", "x y"] {
            assert_eq!(other.parse::<Announced>(), Err(NotAnnounced), "{other:?}");
        }
    }
}
