//! The network model: rates, queues, delays and losses. Its numbers, all of them, are on this page.
//!
//! A node's uplink is a queue of bytes that drains at its rate. The transport is reliable: when the queue is full it
//! holds data back instead of losing it, and control goes past what is held. A packet that the network loses delays
//! its lane by a round trip. Downlinks have no limit. Times are in microseconds of simulated time, sizes in bytes.

pub mod link;
pub mod queue;
pub mod uplink;
pub mod wire;

/// A microsecond count since the simulation began.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;

/// One millisecond.
pub const MILLISECOND: Micros = 1000;

/// How much time's worth of bytes an uplink's queue holds: a home router's buffer, or `tbf` with its usual latency.
pub const UPLINK_QUEUE: Micros = 300 * MILLISECOND;

/// What lost packets add to a round trip until they have come again: the receiver's acknowledgement delay.
pub const LOSS_EXTRA: Micros = 25 * MILLISECOND;

/// How long a dialler tries.
pub const DIAL_TIMEOUT: Micros = 3 * SECOND;

/// When a dialler's first packet is sent a second time, if nobody answered.
pub const DIAL_RETRY: Micros = SECOND;

/// How long a link may be silent before its ends give it up.
pub const IDLE_TIMEOUT: Micros = 10 * SECOND;

/// How long a NAT lets packets in from an address that packets went out to.
pub const NAT_MEMORY: Micros = 120 * SECOND;

/// How often a driver reports totals of wire bytes.
pub const WIRE_REPORTS: Micros = 100 * MILLISECOND;

/// How often a driver reports a link's round-trip time.
pub const ROUND_TRIPS: Micros = SECOND;

/// A round-trip time is reported anew if it differs by as much.
pub const ROUND_TRIP_STEP: Micros = 5 * MILLISECOND;

/// The most bytes that travel as one event, except a larger frame alone: so that a burst on a thin uplink arrives bit
/// by bit.
pub const PARCEL_MAX: usize = 16 * 1024;

/// What an uplink has beside its slots, bits a second: acknowledgements and control need some, even of a free rider. Receiving the full
/// stream takes about 120 kbit/s of acknowledgements.
pub const UPLINK_FLOOR: u64 = 400_000;
