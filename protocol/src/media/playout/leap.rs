//! Where playing goes on when what is next will not come: at a later keyframe, or in the next epoch.

use super::{Playout, START_PATIENCE};
use crate::time::{ChannelTime, Duration};

/// A capture time that far in the future means that the broadcaster's clock was set back.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

impl Playout {
    /// Gives up the next block, and goes on with the next keyframe block that is complete and due.
    pub(super) fn skip(&mut self, now: ChannelTime) -> bool {
        let Some(start) = self.next_starts().find(|(_, due)| *due <= now) else {
            return false;
        };
        let (Some(shown), Some(run)) = (&mut self.shown, self.runs.front_mut()) else {
            return false;
        };
        let ring = run.ring_mut(shown.tier).expect("the tier shown is collected");
        self.stats.blocks_lost += ring.advance(start.0);
        shown.skip_to(start.0);
        self.lag = Duration::ZERO;
        true
    }

    /// The complete keyframe blocks after the next block of the tier shown, and when they are due.
    fn next_starts(&self) -> impl Iterator<Item = (u64, ChannelTime)> + '_ {
        let shown = self.shown.as_ref();
        let ring = shown.and_then(|shown| self.runs.front()?.ring(shown.tier));
        let after = shown.map_or(0, |shown| shown.next + 1);
        let blocks = ring.into_iter().flat_map(move |ring| {
            let newest = ring.newest().map_or(0, |newest| newest + 1);
            (after..newest).filter(|&block| ring.is_start(block))
        });
        blocks.filter_map(move |block| Some((block, ring?.captured(block)? + self.buffer)))
    }

    /// When another keyframe block is due, while the next block is overdue.
    pub(super) fn skip_wake(&self, now: ChannelTime) -> Option<ChannelTime> {
        self.next_due().filter(|&due| due <= now)?;
        self.next_starts().map(|(_, due)| due).find(|&due| due > now)
    }

    /// Leaves the epoch that is played, if nothing of it can be played and the next one can begin.
    pub(super) fn next_epoch(&mut self, now: ChannelTime) -> bool {
        let (Some(next), Some(shown)) = (self.runs.get(1), &self.shown) else {
            return false;
        };
        let set_back = now + self.buffer + CLOCK_SLACK;
        let is_over = self.next_due().is_none_or(|due| due <= now || due > set_back);
        let tier = next.wanted;
        let Some(start) = next
            .start(tier, now, self.buffer, START_PATIENCE)
            .filter(|_| is_over)
        else {
            return false;
        };
        let ring = self.runs.front_mut().and_then(|run| run.ring_mut(shown.tier));
        if let Some(ring) = ring
            && let Some(newest) = ring.newest()
        {
            self.stats.blocks_lost += ring.advance(newest + 1);
        }
        self.runs.pop_front();
        let before = self.shown.take();
        self.enter(tier, start, before, false);
        true
    }
}
