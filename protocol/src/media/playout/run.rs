//! What a viewer knows of one epoch: its layouts, and the blocks of the tiers in use.

use super::arrival::Arrivals;
use crate::media::TierId;
use crate::media::reassemble::{Inserted, Reassembler};
use crate::time::{ChannelTime, Duration};
use crate::wire::chunk::Chunk;
use crate::wire::layout::Layout;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The most layouts of an epoch that are remembered, the newest ones: many more than change within a window of blocks.
const LAYOUTS_MAX: usize = 16;

/// Who plays what has only just come stalls as soon as anything comes a little later: two blocks are in hand at the start.
const START_LEAD: Duration = Duration::from_millis(200);

/// A tier in use.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) ring: Reassembler,
    pub(super) arrivals: Arrivals,
}

/// One epoch.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Run {
    epoch: u64,
    /// One or two: the tier shown, and the one that is to be.
    intakes: Vec<Intake>,
    /// Ascending by number.
    layouts: Vec<Arc<Layout>>,
    /// What is to be shown, in the end.
    pub(super) wanted: TierId,
    window: u64,
}

impl Run {
    /// Begins an epoch with one of its layouts. Shows `wanted`, or the lowest tier if there is no such.
    pub(super) fn new(layout: Arc<Layout>, wanted: TierId, from_block: u64, window: u64) -> Self {
        let wanted = layout.tier(wanted).unwrap_or(layout.lowest()).id;
        let mut run = Self {
            epoch: layout.epoch,
            layouts: alloc::vec![layout],
            intakes: Vec::new(),
            wanted,
            window,
        };
        run.open(wanted, from_block);
        run
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes in another layout of the epoch.
    pub(super) fn learn(&mut self, layout: Arc<Layout>) {
        let known = self
            .layouts
            .binary_search_by_key(&layout.number, |known| known.number);
        if let Err(place) = known {
            self.layouts.insert(place, layout);
        }
        if self.layouts.len() > LAYOUTS_MAX {
            self.layouts.remove(0);
        }
    }

    pub(super) fn layout(&self, number: u32) -> Option<&Arc<Layout>> {
        self.layouts.iter().rev().find(|layout| layout.number == number)
    }

    /// Begins to collect `tier` from `from_block` on, or goes on with it.
    pub(super) fn open(&mut self, tier: TierId, from_block: u64) {
        match self.intakes.iter_mut().find(|intake| intake.ring.tier() == tier) {
            Some(intake) => skip_to(&mut intake.ring, from_block),
            None => self.intakes.push(Intake {
                ring: Reassembler::new(tier, from_block, self.window),
                arrivals: Arrivals::default(),
            }),
        }
    }

    /// Lets go of all tiers but those.
    pub(super) fn keep(&mut self, tiers: impl Fn(TierId) -> bool) {
        self.intakes.retain(|intake| tiers(intake.ring.tier()));
    }

    pub(super) fn tiers(&self) -> impl Iterator<Item = TierId> + '_ {
        self.intakes.iter().map(|intake| intake.ring.tier())
    }

    pub(super) fn intake(&self, tier: TierId) -> Option<&Intake> {
        self.intakes.iter().find(|intake| intake.ring.tier() == tier)
    }

    pub(super) fn ring(&self, tier: TierId) -> Option<&Reassembler> {
        self.intake(tier).map(|intake| &intake.ring)
    }

    pub(super) fn ring_mut(&mut self, tier: TierId) -> Option<&mut Reassembler> {
        let intake = self.intakes.iter_mut().find(|intake| intake.ring.tier() == tier);
        intake.map(|intake| &mut intake.ring)
    }

    /// Takes in a verified chunk of this epoch. `news`: whether it began or completed a block.
    pub(super) fn insert(&mut self, now: ChannelTime, chunk: &Chunk, news: &mut bool) -> Inserted {
        let header = &chunk.header;
        let Ok(place) = self
            .layouts
            .binary_search_by_key(&header.layout, |layout| layout.number)
        else {
            return Inserted::UnknownLayout;
        };
        let layout = &self.layouts[place];
        let next = self.layouts.get(place + 1);
        let holds =
            header.block >= layout.from_block && next.is_none_or(|next| header.block < next.from_block);
        let id = header.stripe.tier;
        let Some(intake) = self.intakes.iter_mut().find(|intake| intake.ring.tier() == id) else {
            return Inserted::Unwanted;
        };
        let Some(tier) = layout.tier(id).filter(|_| holds) else {
            return Inserted::Refused;
        };
        let was_complete = intake.ring.is_complete(header.block);
        let was_begun = intake.ring.is_begun(header.block);
        let inserted = intake.ring.insert(chunk, tier);
        if inserted == Inserted::New {
            intake.arrivals.chunk(now);
            let is_completed = !was_complete && intake.ring.is_complete(header.block);
            if is_completed {
                intake.arrivals.complete(now, header.captured);
            }
            *news = is_completed || !was_begun;
        }
        inserted
    }

    /// Where `tier` may begin to play at `now`: the newest keyframe block that is due, if nothing is missing that is due after it,
    /// or will be soon, so that it does not stall at once. After `patience` since its first chunk, even if something is.
    pub(super) fn start(
        &self,
        tier: TierId,
        now: ChannelTime,
        buffer: Duration,
        patience: Duration,
    ) -> Option<u64> {
        let intake = self.intake(tier)?;
        let ring = &intake.ring;
        let (mut start, mut whole) = (None, false);
        for block in ring.first()..ring.first() + self.window {
            let due = ring.captured_earliest(block)? + buffer;
            if due > now + lead(buffer) {
                break;
            }
            if due <= now && ring.is_start(block) {
                (start, whole) = (Some(block), true);
            } else if !ring.is_complete(block) {
                whole = false;
            }
        }
        let waited = intake
            .arrivals
            .since()
            .is_some_and(|since| now.since(since) >= patience);
        start.filter(|_| whole || waited)
    }

    /// When [`start`](Self::start) may have another answer, if nothing more comes.
    pub(super) fn start_wake(
        &self,
        tier: TierId,
        now: ChannelTime,
        buffer: Duration,
        patience: Duration,
    ) -> Option<ChannelTime> {
        let intake = self.intake(tier)?;
        let ring = &intake.ring;
        let starts = (ring.first()..=ring.newest()?).filter(|&block| ring.is_start(block));
        let due = starts.filter_map(|block| Some(ring.captured(block)? + buffer));
        let patience = intake.arrivals.since().map(|since| since + patience);
        due.chain(patience).filter(|&time| time > now).min()
    }

    pub(super) fn check_invariants(&self) {
        assert!(
            (1..=2).contains(&self.intakes.len()),
            "one tier is shown, one may be about to"
        );
        assert!(self.intake(self.wanted).is_some(), "the wanted tier is collected");
        self.intakes
            .iter()
            .for_each(|intake| intake.ring.check_invariants());
    }
}

/// What must lie ready beyond what is due before playing begins, with such a buffer.
fn lead(buffer: Duration) -> Duration {
    START_LEAD.min(buffer / 4)
}

/// Gives up what lies before `from_block`, unless playing could begin in it.
fn skip_to(ring: &mut Reassembler, from_block: u64) {
    let starts = (ring.first()..from_block.min(ring.newest().map_or(0, |newest| newest + 1)))
        .any(|block| ring.is_start(block));
    if !starts {
        ring.advance(from_block);
    }
}
