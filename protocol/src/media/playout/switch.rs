//! Changes of tier: make before break. The old tier is shown until the new one has a keyframe that is due, and all that is
//! due after it; then the old one's packets end where that keyframe is shown.

use super::Playout;
use crate::io::Play;
use crate::media::TierId;
use crate::time::{ChannelTime, Duration};
use alloc::vec::Vec;

/// How long the tier shown before may lag behind the one that takes over (its encoder, its smoothing).
pub(super) const SWITCH_PATIENCE: Duration = Duration::from_millis(500);

/// A change of tier that is under way: the old tier is shown until the new one has a keyframe that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch {
    pub(super) to: TierId,
    pub(super) plan: Option<Plan>,
}

/// Where the new tier takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) block: u64,
    pub(super) pts: i64,
    pub(super) due: ChannelTime,
}

impl Playout {
    /// Plans, makes or gives up the change of tier; says whether it made it.
    pub(super) fn make_switch(&mut self, now: ChannelTime, out: &mut Vec<Play>) -> bool {
        let (Some(switch), Some(shown)) = (self.switch, &mut self.shown) else {
            return false;
        };
        shown.output.release(out);
        let Some(plan) = switch.plan.or_else(|| self.plan(switch.to)) else {
            return false;
        };
        self.switch = Some(Switch {
            plan: Some(plan),
            ..switch
        });
        if switch.plan.is_none() {
            self.cut_at(Some(plan.pts));
        }
        if now < plan.due {
            return false;
        }
        if !self.is_whole(switch.to, plan.block, now) {
            self.switch = Some(Switch { plan: None, ..switch });
            self.cut_at(None);
            return false;
        }
        if !self.is_ready_to_switch(now, plan.due) {
            return false;
        }
        let before = self.shown.take();
        self.enter(switch.to, plan.block, before, true);
        let run = self.runs.front_mut().expect("what is shown is of an epoch");
        run.keep(|kept| kept == switch.to);
        true
    }

    fn cut_at(&mut self, pts: Option<i64>) {
        if let Some(shown) = &mut self.shown {
            shown.output.cut_at(pts);
        }
    }

    /// The first complete keyframe block of `tier` that is later than what was handed over.
    fn plan(&mut self, tier: TierId) -> Option<Plan> {
        let output = &self.shown.as_ref()?.output;
        let ring = self.runs.front_mut()?.ring_mut(tier)?;
        (ring.first()..=ring.newest()?).find_map(|block| {
            let pts = ring.is_start(block).then(|| ring.keyframe_pts(block))??;
            let due = ring.captured(block)? + self.buffer;
            output.is_before(pts).then_some(Plan { block, pts, due })
        })
    }

    /// Whether all blocks of `tier` from `start` on that are due at `now` are there.
    fn is_whole(&self, tier: TierId, start: u64, now: ChannelTime) -> bool {
        let ring = self.runs.front().and_then(|run| run.ring(tier));
        ring.is_some_and(|ring| {
            let missing = start + ring.complete_from(start);
            missing > start
                && ring
                    .captured_earliest(missing)
                    .is_none_or(|at| at + self.buffer > now)
        })
    }

    /// Whether the tier shown has handed over all that the new one does not show, or has nothing more to hand over.
    fn is_ready_to_switch(&self, now: ChannelTime, planned: ChannelTime) -> bool {
        let Some(shown) = &self.shown else { return false };
        let ring = self.runs.front().and_then(|run| run.ring(shown.tier));
        let there = ring.is_some_and(|ring| ring.is_complete(shown.next));
        let dry = !there && self.next_due().is_none_or(|due| due <= now);
        shown.output.is_past_cut() || dry || now >= planned + SWITCH_PATIENCE
    }
}
