//! The source: packets of every tier become blocks, blocks become signed chunks, and layouts say how.

use crate::id::Sign;
use crate::io::TierSetup;
use crate::limits::{STRIPE_RATE_MIN, STRIPES_MAX};
use crate::media::schedule::wire;
use crate::media::smooth::Smoother;
use crate::media::{Packet, TierId, Track, stripe};
use crate::time::{ChannelTime, Duration};
use crate::units::Bitrate;
use crate::wire::chunk::{Chunk, Flags};
use crate::wire::layout::{Layout, Tier};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// The rate that a stripe has if the tier allows: thin enough that a home uplink is spent in small coins, thick enough
/// that headers and signatures stay under three hundredths.
const STRIPE_RATE: u64 = 500_000;

/// Keyframe blocks that are remembered for joiners: a minute's worth of one a second.
const KEYFRAMES_KEPT: usize = 64;

/// A backlog that lasts is a rate set too low; a moment's is a scene with much detail.
const BACKLOG_SUSTAINED: Duration = Duration::from_millis(600);

struct TierSource {
    id: TierId,
    smoother: Smoother,
    keyframes: VecDeque<u64>,
}

/// What the broadcaster sends: everything between the input's packets and signed chunks.
pub(super) struct Source {
    key: Arc<dyn Sign>,
    epoch: u64,
    title: String,
    tiers: Vec<TierSource>,
    next_block: u64,
    layout: Option<(Bytes, Arc<Layout>)>,
}

impl Source {
    pub(super) fn new(key: Arc<dyn Sign>, epoch: u64, title: String) -> Self {
        Self {
            key,
            epoch,
            title,
            tiers: Vec::new(),
            next_block: 0,
            layout: None,
        }
    }

    /// The layout in force, sealed and open.
    pub(super) fn layout(&self) -> Option<&(Bytes, Arc<Layout>)> {
        self.layout.as_ref()
    }

    /// The newest block that was cut.
    pub(super) fn live_block(&self) -> u64 {
        self.next_block.saturating_sub(1)
    }

    /// Begins a new layout with the next block.
    pub(super) fn set_tiers(&mut self, setups: &[TierSetup]) {
        let tiers: Vec<Tier> = setups.iter().map(|setup| self.tier(setup)).collect();
        if tiers.is_empty() {
            return;
        }
        let sources = tiers.iter().map(|tier| self.tier_source(tier)).collect();
        self.tiers = sources;
        self.announce(tiers);
    }

    /// A tier keeps its number of stripes when its rate changes, so that its trees can stay.
    fn tier(&self, setup: &TierSetup) -> Tier {
        let former = self
            .layout
            .as_ref()
            .and_then(|(_, layout)| layout.tier(setup.tier));
        let stripes = former.map_or_else(|| stripes_for(setup.rate), |tier| tier.stripes);
        tier_of(setup.tier, stripes, setup.rate, setup.tracks.clone())
    }

    fn tier_source(&mut self, tier: &Tier) -> TierSource {
        let former = self.tiers.iter().position(|source| source.id == tier.id);
        let Some(position) = former else {
            let smoother = Smoother::new(tier.rate, &tier.tracks, tier.stripes);
            return TierSource {
                id: tier.id,
                smoother,
                keyframes: VecDeque::new(),
            };
        };
        let mut source = self.tiers.swap_remove(position);
        source.smoother.set_rate(tier.rate, tier.stripes);
        let same = |(_, layout): &(Bytes, Arc<Layout>)| {
            layout.tier(tier.id).is_some_and(|t| t.tracks == tier.tracks)
        };
        if !self.layout.as_ref().is_some_and(same) {
            source.smoother.restart(&tier.tracks);
            source.keyframes.clear();
        }
        source
    }

    fn announce(&mut self, tiers: Vec<Tier>) {
        let number = self.layout.as_ref().map_or(1, |(_, layout)| layout.number + 1);
        let title = self.title.clone();
        let layout = Layout {
            epoch: self.epoch,
            number,
            from_block: self.next_block,
            title,
            tiers,
        };
        self.layout = Some((layout.seal(&*self.key), Arc::new(layout)));
    }

    /// Takes in a packet; one of an unknown tier is dropped.
    pub(super) fn push(&mut self, now: ChannelTime, tier: TierId, packet: &Packet) {
        if let Some(source) = self.tiers.iter_mut().find(|source| source.id == tier) {
            source.smoother.push(now, packet);
        }
    }

    /// The media clock jumps.
    pub(super) fn discontinuity(&mut self) {
        self.tiers
            .iter_mut()
            .for_each(|source| source.smoother.discontinuity());
    }

    /// Cuts the next block of every tier.
    pub(super) fn cut(&mut self, now: ChannelTime) -> Vec<Chunk> {
        let Some((_, layout)) = &self.layout else {
            return Vec::new();
        };
        let mut chunks = Vec::new();
        for source in &mut self.tiers {
            let tier = layout.tier(source.id).expect("every tier is in the layout");
            let block = source.smoother.cut(now, self.next_block);
            if block.flags.has(Flags::KEYFRAME) {
                source.keyframes.push_back(block.number);
                if source.keyframes.len() > KEYFRAMES_KEPT {
                    source.keyframes.pop_front();
                }
            }
            chunks.extend(stripe::seal(&*self.key, &block, tier, layout.number, self.epoch));
        }
        self.next_block += 1;
        chunks
    }

    /// Where a viewer that plays `behind` blocks behind the live edge begins a tier: the newest keyframe that old, or the
    /// oldest there is.
    pub(super) fn start_block(&self, tier: TierId, behind: u64) -> u64 {
        let Some(source) = self.tiers.iter().find(|source| source.id == tier) else {
            return self.next_block;
        };
        let target = self.live_block().saturating_sub(behind);
        let old_enough = source.keyframes.iter().rev().find(|block| **block <= target);
        old_enough
            .or(source.keyframes.front())
            .copied()
            .unwrap_or(self.next_block)
    }

    /// What the smoothers still hold.
    pub(super) fn backlog(&self) -> Duration {
        self.tiers
            .iter()
            .map(|source| source.smoother.backlog())
            .max()
            .unwrap_or_default()
    }

    /// Begins a new layout if the media has outgrown the rates of the present one. Whether it did.
    pub(super) fn adapt_rates(&mut self) -> bool {
        let Some((_, layout)) = &self.layout else {
            return false;
        };
        let layout = layout.clone();
        let needed = |tier: &Tier| {
            let source = self.tiers.iter().find(|source| source.id == tier.id)?;
            let outgrown = source.smoother.backlog() > BACKLOG_SUSTAINED;
            let rate = source.smoother.needed_rate();
            (outgrown && rate > tier.rate.percent(110)).then_some(rate)
        };
        if !layout.tiers.iter().any(|tier| needed(tier).is_some()) {
            return false;
        }
        let raise = |tier: &Tier| {
            let rate = needed(tier).unwrap_or(tier.rate);
            tier_of(tier.id, tier.stripes, rate, tier.tracks.clone())
        };
        let tiers: Vec<Tier> = layout.tiers.iter().map(raise).collect();
        for (source, tier) in self.tiers.iter_mut().zip(&tiers) {
            source.smoother.set_rate(tier.rate, tier.stripes);
        }
        self.announce(tiers);
        true
    }
}

fn tier_of(id: TierId, stripes: u8, rate: Bitrate, tracks: Vec<Track>) -> Tier {
    Tier {
        id,
        stripes,
        parity: false,
        rate,
        slot: wire::slot(rate, stripes),
        tracks,
    }
}

/// How many stripes a tier of mean payload rate `rate` is cut into.
pub fn stripes_for(rate: Bitrate) -> u8 {
    let most = (rate.as_bps() / STRIPE_RATE_MIN).clamp(1, u64::from(STRIPES_MAX));
    (rate.as_bps().div_ceil(STRIPE_RATE)).clamp(1, most) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_are_never_too_thin() {
        let stripes = |kbps| stripes_for(Bitrate::from_kbps(kbps));
        assert_eq!(stripes(120), 1);
        assert_eq!(stripes(500), 1);
        assert_eq!(stripes(550), 1, "two of 275 would be too thin");
        assert_eq!(stripes(620), 2);
        assert_eq!(stripes(2500), 5);
        assert_eq!(stripes(9000), 16);
    }
}
