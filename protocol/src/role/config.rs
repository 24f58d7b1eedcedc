//! What a role must be told when it is made.

use crate::id::{PeerId, PublicKey, Sign, Verify};
use crate::time::{ChannelTime, Duration, Instant};
use crate::units::Bitrate;
use crate::wire::link::JoinSecret;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What happens to a joiner when there are not enough slots and nobody sponsors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Free riders share what there is at a lower tier.
    #[default]
    Degrade,
    /// The joiner is refused.
    Refuse,
}

/// For a broadcaster.
#[derive(Clone)]
pub struct BroadcasterConfig {
    /// The channel's key; also its TLS identity.
    pub key: Arc<dyn Sign>,
    /// Checks what others signed.
    pub verify: Arc<dyn Verify>,
    /// This run; greater than that of every earlier run of the channel.
    pub epoch: u64,
    /// When the machine is made.
    pub now: Instant,
    /// The broadcaster's clock at that time.
    pub clock: ChannelTime,
    /// The channel's title.
    pub title: String,
    /// Cap of its uplink in wire bits; `None`: measured.
    pub uplink: Option<Bitrate>,
    /// What happens when there is no more room.
    pub when_full: WhenFull,
    /// The most viewers admitted.
    pub max_viewers: Option<usize>,
    /// What a viewer of a private channel must know.
    pub secret: Option<JoinSecret>,
    /// For choices that need no secrecy.
    pub seed: u64,
}

/// What somebody takes part in a channel for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// To see it.
    #[default]
    Watch,
    /// To sponsor a relay, without watching.
    Sponsor,
    /// As a relay: it carries what it is told to, and dials nobody to be admitted.
    Relay,
}

/// For a viewer.
#[derive(Clone)]
pub struct ViewerConfig {
    /// Its own identity.
    pub id: PeerId,
    /// What it takes part for.
    pub part: Part,
    /// Checks what others signed.
    pub verify: Arc<dyn Verify>,
    /// The channel.
    pub channel: PublicKey,
    /// Where the broadcaster may be reached.
    pub addresses: Vec<SocketAddr>,
    /// The join secret of a private channel.
    pub secret: Option<JoinSecret>,
    /// When the machine is made.
    pub now: Instant,
    /// Cap of its uplink in wire bits; `None`: measured.
    pub uplink: Option<Bitrate>,
    /// How far behind capture it plays.
    pub buffer: Duration,
    /// Addresses that it listens on.
    pub candidates: Vec<SocketAddr>,
    /// Whether its address is shown to relays and the broadcaster only.
    pub relay_only: bool,
    /// Its private key, by which it commands relays, if its person may be asked to sponsor one.
    pub sponsor: Option<Arc<dyn Sign>>,
    /// Whether its relays run on to the end of their leases when it leaves.
    pub relays_run_on: bool,
    /// For choices that need no secrecy.
    pub seed: u64,
}
