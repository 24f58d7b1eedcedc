//! Every limit of the protocol, in one place.

use crate::time::Duration;

/// The protocol's version: in the ALPN, in `Hello`, and first in each chunk.
pub const VERSION: u8 = 1;

/// The ALPN of this version.
pub const ALPN: &[u8] = b"banyan/1";

/// The largest frame on a control lane, in bytes. The largest honest one is an `Assign` for 17 stripes with all its
/// introductions, under 8 KiB.
pub const CONTROL_FRAME_MAX: usize = 32 * 1024;

/// The largest frame on a data lane, in bytes: a chunk of a one-stripe tier of 12 Mbit/s at 1.1 times its rate.
pub const DATA_FRAME_MAX: usize = 192 * 1024;

/// The most stripes a tier is cut into, parity aside.
pub const STRIPES_MAX: u8 = 16;

/// The least rate of a stripe, in bits of payload a second; below it headers and signatures weigh too much.
pub const STRIPE_RATE_MIN: u64 = 300_000;

/// Blocks by which stripes come apart at most as long as nothing has failed: they come by paths of other depths, and nobody in the depth of a
/// tree is farther behind the live edge.
pub const SPREAD: u64 = 4;

/// The most tiers of a layout.
pub const TIERS_MAX: usize = 4;

/// The most tracks of a tier: one picture, one sound.
pub const TRACKS_MAX: usize = 2;

/// The most bytes of a track's codec set-up.
pub const CODEC_SETUP_MAX: usize = 4 * 1024;

/// The most bytes of a title or a name.
pub const TEXT_MAX: usize = 200;

/// The most candidate addresses a peer may announce, and a link may carry.
pub const ADDRESSES_MAX: usize = 8;

/// How long peers keep chunks for repair and joiners.
pub const STORE_KEPT: Duration = Duration::from_secs(10);

/// How long who asks for a single chunk waits before it asks somebody else, and how long the chunk waits for uplink where it was asked
/// for: it comes from one of them, and not from both.
pub const PULL_PATIENCE: Duration = Duration::from_millis(300);

/// How far in the future, in blocks beyond the newest one known, a chunk may be before it is refused.
pub const BLOCKS_AHEAD_MAX: u64 = 600;

/// How long a ticket is good for at most.
pub const TICKET_LIFE: Duration = Duration::from_secs(600);

/// How long a data link may be silent before it is closed.
pub const DATA_IDLE: Duration = Duration::from_secs(10);

/// How long a control link may be silent before it is closed.
pub const CONTROL_IDLE: Duration = Duration::from_secs(60);

/// The most links a peer keeps at once that it did not ask for, so that a stranger cannot fill its memory.
pub const INBOUND_LINKS_MAX: usize = 512;

/// The most viewers that a broadcaster has links to, unless it is told a number. Few of them are its children.
pub const VIEWERS_MAX: usize = 5_000;

/// The most bytes handed to a link's data lanes that may wait there unsent; quinn's send window, and ours.
pub const LINK_BACKLOG_MAX: u64 = 128 * 1024;

/// The most bytes of one coded frame. A keyframe of a 40 Mbit/s picture has about two million.
pub const RECORD_MAX: usize = 8 * 1024 * 1024;

/// The most relays that one sponsor may lend a channel at a time.
pub const RELAYS_A_SPONSOR_MAX: usize = 4;

/// The most regions that a viewer says how far they are.
pub const REGIONS_MAX: usize = 32;

/// The most regions that whoever is asked to sponsor is told of: one has the machine, the others are for whose price list lacks it.
pub const NEAR_MAX: usize = 4;

/// The most new addresses that a peer dials within a minute, whoever names them.
pub const NEW_ADDRESSES_A_MINUTE: usize = 20;
