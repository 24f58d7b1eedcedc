//! What playout tells of itself.

use crate::media::TierId;
use crate::time::{ChannelTime, Duration};

/// What happened while playing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayoutEvent {
    /// The first packet was handed over.
    Started,
    /// What is due is not there.
    Stall,
    /// All that is due has been handed over again.
    Resumed {
        /// How long it stood.
        ms: u64,
    },
    /// Another tier is shown.
    TierShown {
        /// This one.
        tier: TierId,
        /// Instead of this one.
        was: TierId,
    },
}

/// What playing is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutStats {
    /// The tier shown, if any is.
    pub tier: Option<TierId>,
    /// Capture to handing over, of the last block.
    pub latency: Duration,
    /// Complete blocks ahead, without a gap.
    pub buffered: Duration,
    /// Stalls since the start.
    pub stalls: u64,
    /// How long they lasted together.
    pub stalled: Duration,
    /// Blocks that never came.
    pub blocks_lost: u64,
    /// Capture to block complete, over the last 10 s, 99th percentile.
    pub arrival_p99: Duration,
}

/// A chunk that is wanted and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its block.
    pub block: u64,
    /// When the block is due, as far as that is known.
    pub due: Option<ChannelTime>,
}
