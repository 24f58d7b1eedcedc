//! Events for people and for programs that read `--json`: the names and fields of the command-line contract.

use crate::id::PeerId;
use crate::media::{StripeId, TierId};
use crate::wire::control::{RoundKind, WithdrawReason};
use crate::wire::region::RegionName;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Serialize, Serializer};

/// Something that a person may want to know. Serialises to the contract's JSON object, less `t`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Event {
    /// Broadcaster: a viewer was admitted.
    ViewerJoined {
        /// Who.
        peer: PeerId,
        /// How many there are now.
        viewers: usize,
    },
    /// Broadcaster: a viewer went.
    ViewerLeft {
        /// Who.
        peer: PeerId,
        /// How many there are now.
        viewers: usize,
    },
    /// Broadcaster: a viewer was not admitted.
    ViewerRefused {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: String,
    },
    /// Broadcaster: capacity changed.
    Capacity(Capacity),
    /// Broadcaster: somebody was asked to sponsor.
    SponsorAsked {
        /// Who.
        peer: PeerId,
        /// In which kind of round.
        round: RoundKind,
        /// Why.
        reason: String,
    },
    /// Broadcaster: a relay serves from now on.
    RelayJoined {
        /// The relay.
        relay: PeerId,
        /// Who pays for it.
        sponsor: PeerId,
        /// What it sends at most.
        uplink_bps: u64,
        /// Why.
        reason: String,
    },
    /// Broadcaster: a relay serves no more.
    RelayLeft {
        /// The relay.
        relay: PeerId,
        /// Who paid for it.
        sponsor: PeerId,
        /// What it sent at most.
        uplink_bps: u64,
        /// Why.
        reason: String,
    },
    /// A peer did what it must not.
    PeerBlamed {
        /// Who.
        peer: PeerId,
        /// What.
        what: String,
        /// On whose word.
        by: String,
    },
    /// Viewer: the broadcaster admitted us.
    Joined {
        /// Our own id.
        peer: PeerId,
        /// Stripes of the tier that we are to show.
        stripes: usize,
        /// Tiers of the channel.
        tiers: usize,
    },
    /// Viewer: the first frame was handed to the output.
    Playing {
        /// Since the machine was made; the driver adds what passed before.
        startup_ms: u64,
    },
    /// Once a second.
    Stats(Stats),
    /// Viewer: what is due is not there.
    Stall,
    /// Viewer: it goes on.
    Resumed {
        /// How long it stood.
        ms: u64,
    },
    /// Viewer: a stripe came from a parent that failed, and comes from another now.
    Repaired {
        /// The stripe.
        #[serde(serialize_with = "named")]
        stripe: StripeId,
        /// Last chunk or mark from the old parent to the first chunk from the new.
        gap_ms: u64,
        /// The old one.
        from: PeerId,
        /// The new one.
        to: PeerId,
    },
    /// Viewer: another quality is shown.
    Tier {
        /// This one.
        tier: TierId,
        /// Instead of this one.
        was: TierId,
        /// Why.
        why: String,
    },
    /// Viewer: this person is asked to sponsor.
    SponsorRequest {
        /// Names the request.
        id: String,
        /// Why.
        reason: String,
        /// Seconds to answer.
        deadline_s: u32,
        /// What it may cost; filled in where prices are known.
        estimate_usd_per_hour: f64,
        /// Viewers it would serve.
        helps: u32,
        /// Uplink that is missing, in wire bits a second.
        missing_bps: u64,
        /// Regions in which it would be near to those viewers, the nearest first; none if that is not known.
        near: Vec<RegionName>,
    },
    /// Viewer: the question is withdrawn.
    SponsorWithdrawn {
        /// Which.
        id: String,
        /// Why.
        why: WithdrawReason,
    },
    /// Viewer: not admitted.
    Refused {
        /// Why.
        reason: String,
    },
}

/// How much room there is, as the coordinator sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// Members.
    pub viewers: usize,
    /// Of them, at full quality.
    pub full: usize,
    /// Of them, at a lower tier.
    pub degraded: usize,
    /// Refused since the start.
    pub refused: usize,
    /// Slots of the top tier that all uplinks together give.
    pub slots_total: u64,
    /// Slots in use.
    pub slots_used: u64,
    /// Whole viewers at full quality that still fit.
    pub places_left: u64,
    /// Relays at work.
    pub relays: usize,
    /// What a slot of the top tier costs, in wire bits a second.
    pub slot_bps: u64,
}

/// What a peer did and has, once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Wire bytes sent since the start.
    pub up_bytes: u64,
    /// Wire bytes received since the start.
    pub down_bytes: u64,
    /// Distinct peers that it feeds.
    pub children: usize,
    /// A viewer's part.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub viewer: Option<ViewerStats>,
}

/// What only a viewer has.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ViewerStats {
    /// Stripes of the tier shown that chunks come in for.
    pub stripes_receiving: usize,
    /// The tier shown.
    pub tier: TierId,
    /// Capture to playout.
    pub latency_ms: u64,
    /// Capture to block complete, over the last 10 s, 99th percentile.
    pub arrival_ms_p99: u64,
    /// What is ready to be played.
    pub buffer_ms: u64,
    /// Stalls since the start.
    pub stalls: u64,
    /// How long they lasted together.
    pub stall_ms: u64,
    /// Blocks that never came.
    pub blocks_lost: u64,
    /// Chunks with a wrong signature.
    pub bad_chunks: u64,
    /// Who sends which stripe.
    #[serde(serialize_with = "by_name")]
    pub parents: BTreeMap<StripeId, PeerId>,
}

fn named<S: Serializer>(stripe: &StripeId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(stripe)
}

fn by_name<S: Serializer>(parents: &BTreeMap<StripeId, PeerId>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        parents
            .iter()
            .map(|(stripe, peer)| (alloc::format!("{stripe}"), peer)),
    )
}
