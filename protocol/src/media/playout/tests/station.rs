//! A broadcaster and a viewer for the tests of playout.

use crate::io::Play;
use crate::media::playout::{Inserted, Playout, PlayoutEvent};
use crate::media::smooth::Smoother;
use crate::media::stripe::seal;
use crate::media::tests::{Quick, at, layout_of, tier_of};
use crate::media::{Packet, TierId};
use crate::rng::Rng;
use crate::time::Duration;
use crate::wire::chunk::Chunk;
use crate::wire::layout::Layout;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

pub(super) const BUFFER: Duration = Duration::from_secs(2);
pub(super) const LOW: TierId = TierId(0);
pub(super) const HIGH: TierId = TierId(1);

/// A broadcaster of two tiers: 25 pictures a second with a keyframe each second, and 50 packets of sound.
pub(super) struct Station {
    pub(super) rng: Rng,
    pub(super) layout: Arc<Layout>,
    pub(super) smoothers: Vec<Smoother>,
    /// Milliseconds that a tier's packets come after the picture was taken: its encoder.
    pub(super) lag: [u64; 2],
    /// Which picture is the n-th in decoding order, and whether it is a keyframe.
    pub(super) order: fn(u64) -> (u64, bool),
    pub(super) block: u64,
    pub(super) sent: [Vec<Packet>; 2],
}

impl Station {
    pub(super) fn new(epoch: u64, stripes: u8) -> Self {
        let tiers = vec![tier_of(0, stripes, false), tier_of(1, stripes, true)];
        Self {
            rng: Rng::new(epoch),
            smoothers: tiers
                .iter()
                .map(|tier| Smoother::new(tier.rate, &tier.tracks, stripes))
                .collect(),
            layout: Arc::new(layout_of(epoch, 1, 0, tiers)),
            lag: [0; 2],
            order: |nth| (nth, nth.is_multiple_of(25)),
            block: 0,
            sent: [Vec::new(), Vec::new()],
        }
    }

    /// The chunks of the tick that ends at `ms`.
    pub(super) fn tick(&mut self, ms: u64) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        for tier in 0..2 {
            for t in (ms - 100..ms).step_by(20) {
                self.push(tier, t);
            }
            let block = self.smoothers[tier].cut(at(ms), self.block);
            let layout = &self.layout;
            chunks.extend(seal(
                &Quick,
                &block,
                &layout.tiers[tier],
                layout.number,
                layout.epoch,
            ));
        }
        self.block += 1;
        chunks
    }

    pub(super) fn push(&mut self, tier: usize, t: u64) {
        let Some(taken) = t.checked_sub(self.lag[tier]) else {
            return;
        };
        if taken.is_multiple_of(40) {
            let (shown, keyframe) = (self.order)(taken / 40);
            let len = if keyframe {
                20_000
            } else {
                self.rng.below(4_000) as usize
            };
            let mut packet = self.packet(0, taken, keyframe, len);
            packet.pts = shown as i64 * 3_600;
            self.push_packet(tier, t, packet);
        }
        let len = self.rng.below(300) as usize;
        self.push_packet(tier, t, self.packet(1, taken, true, len));
    }

    pub(super) fn push_packet(&mut self, tier: usize, t: u64, packet: Packet) {
        self.smoothers[tier].push(at(t), &packet);
        self.sent[tier].push(packet);
    }

    pub(super) fn packet(&self, track: u8, taken: u64, keyframe: bool, len: usize) -> Packet {
        let pts = taken as i64 * 90;
        Packet {
            track,
            pts,
            dts: pts,
            duration: 1800,
            keyframe,
            data: (0..len).map(|n| (n as u64 * 7 + taken) as u8).collect(),
        }
    }
}

/// A viewer, and all that it did.
pub(super) struct Viewer {
    pub(super) playout: Playout,
    pub(super) out: Vec<Play>,
    pub(super) events: Vec<(u64, PlayoutEvent)>,
}

impl Viewer {
    pub(super) fn new(layout: &Arc<Layout>, tier: TierId, from_block: u64) -> Self {
        let mut playout = Playout::new(BUFFER);
        playout.layout(layout.clone());
        playout.show(tier, from_block);
        let (out, events) = (Vec::new(), Vec::new());
        Self { playout, out, events }
    }

    pub(super) fn insert(&mut self, ms: u64, chunk: &Chunk) -> Inserted {
        let inserted = self.playout.insert(at(ms), chunk);
        self.poll(ms);
        inserted
    }

    pub(super) fn poll(&mut self, ms: u64) {
        self.playout.poll(at(ms), &mut self.out);
        self.playout.check_invariants();
        self.events
            .extend(self.playout.take_events().map(|event| (ms, event)));
    }

    /// Wakes as asked, through `to`.
    pub(super) fn run(&mut self, from: u64, to: u64) {
        let mut ms = from;
        self.poll(ms);
        while let Some(wake) = self.playout.next_wake(at(ms)).filter(|&wake| wake <= at(to)) {
            ms = wake.since(at(0)).as_micros().div_ceil(1000) as u64;
            self.poll(ms);
        }
    }

    pub(super) fn packets(&self) -> Vec<Packet> {
        let packet = |play: &Play| match play {
            Play::Packet(packet) => Some(packet.clone()),
            _ => None,
        };
        self.out.iter().filter_map(packet).collect()
    }

    pub(super) fn gaps(&self) -> usize {
        self.out.iter().filter(|play| matches!(play, Play::Gap)).count()
    }

    pub(super) fn shown(&self) -> Vec<TierId> {
        let tier = |play: &Play| match play {
            Play::Tracks { tier, .. } => Some(*tier),
            _ => None,
        };
        self.out.iter().filter_map(tier).collect()
    }

    pub(super) fn only(&self, event: PlayoutEvent) -> bool {
        self.events.iter().all(|(_, happened)| *happened == event)
    }
}

/// Runs `ticks` ticks from `ms` on; each chunk that `arrives` is there 50 ms after its tick.
pub(super) fn run(
    station: &mut Station,
    viewer: &mut Viewer,
    ms: &mut u64,
    ticks: u64,
    mut arrives: impl FnMut(&Chunk) -> bool,
) {
    for _ in 0..ticks {
        *ms += 100;
        let chunks = station.tick(*ms);
        for chunk in chunks.iter().filter(|chunk| arrives(chunk)) {
            viewer.insert(*ms + 50, chunk);
        }
        viewer.run(*ms + 50, *ms + 149);
    }
}
