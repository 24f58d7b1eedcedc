//! Changes of tier: make before break. The old tier is shown until the new one has a keyframe that is due, and all that is
//! due after it; then the old one's packets end where that keyframe is shown.

use super::Playout;
use crate::io::Play;
use crate::media::TierId;
use crate::time::{ChannelTime, Duration};
use alloc::vec::Vec;

/// How long the tier shown before may lag behind the one that takes over (its encoder, its smoothing).
pub(super) const SWITCH_PATIENCE: Duration = Duration::from_millis(500);

/// What runs out within so long is left for what is almost there: a stream that flows has more in hand.
const RUNS_OUT_SOON: Duration = Duration::from_secs(1);

/// Blocks by which the keyframe of a better tier may come later than that of another: it is smoothed longer.
const KEYFRAMES_APART: u64 = 3;

/// A change of tier that is under way: the old tier is shown until the new one has a keyframe that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch {
    pub(super) to: TierId,
    /// One of its keyframes.
    pub(super) from: u64,
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
        let waits = |plan: &Plan| self.stall.is_some() && now < plan.due;
        let former = switch.plan.filter(|plan| !waits(plan));
        let Some(plan) = former.or_else(|| self.plan(now, switch.to)) else {
            return false;
        };
        self.switch = Some(Switch {
            plan: Some(plan),
            ..switch
        });
        if switch.plan.is_none_or(|former| former.pts != plan.pts) {
            self.cut_at(Some(plan.pts));
        }
        if now < plan.due {
            return false;
        }
        if !self.may_show(switch.to, plan.block, now) {
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

    /// The block of `tier`, to which the screen changes from a better one, before which nothing is of use any more: where it takes over if that is
    /// planned, else the newest keyframe that is shown before the better one runs out. One that has not come is looked for about where the
    /// better one has its own. `None` if nothing is known, and for other tiers.
    pub fn takes_over_at(&self, tier: TierId) -> Option<u64> {
        let shown = self.shown.as_ref().filter(|shown| tier < shown.tier)?;
        let switch = self.switch.filter(|switch| switch.to == tier)?;
        if let Some(plan) = switch.plan {
            return Some(plan.block);
        }
        let run = self.runs.back().filter(|_| self.runs.len() == 1)?;
        let (better, ring) = (run.ring(shown.tier)?, run.ring(tier)?);
        let runs_out = shown.next + better.complete_from(shown.next);
        if runs_out == shown.next {
            let ahead = |newest| (runs_out..=newest).find(|block| ring.is_start(*block));
            return ring.newest().and_then(ahead).or(Some(shown.next));
        }
        let useful = || (shown.next..=runs_out).rev();
        let start = useful().find(|block| ring.is_start(*block));
        let Some(about) = useful().find(|block| better.is_keyframe(*block)) else {
            return start.or(Some(shown.next));
        };
        let apart = |own: u64| {
            own.checked_sub(switch.from)
                .filter(|apart| *apart <= KEYFRAMES_APART)
        };
        let apart = shown.keyframe.into_iter().chain([about]).find_map(apart);
        let from = about.saturating_sub(apart.unwrap_or(KEYFRAMES_APART));
        let is_there =
            start.is_some_and(|start| start >= from) || (from..=about).all(|block| ring.is_begun(block));
        Some(start.filter(|_| is_there).unwrap_or(from))
    }

    fn cut_at(&mut self, pts: Option<i64>) {
        if let Some(shown) = &mut self.shown {
            shown.output.cut_at(pts);
        }
    }

    /// The first complete keyframe block of `tier` that is later than what was handed over, and either is not due yet, or has all that
    /// is due after it: one of which something does not come does not stand in the way of the next.
    fn plan(&mut self, now: ChannelTime, tier: TierId) -> Option<Plan> {
        let (output, join) = (&self.shown.as_ref()?.output, self.join);
        let ring = self.runs.front_mut()?.ring_mut(tier)?;
        let starts = (ring.first()..=ring.newest()?).filter_map(|block| {
            let pts = ring.is_start(block).then(|| ring.keyframe_pts(block, join))??;
            let due = ring.captured(block)? + self.buffer;
            output.is_before(pts).then_some(Plan { block, pts, due })
        });
        let starts: Vec<Plan> = starts.collect();
        let may_be = |plan: &Plan| now < plan.due || self.may_show(tier, plan.block, now);
        starts.into_iter().find(may_be)
    }

    /// Whether `tier` may be shown at `now` from its block `start` on.
    fn may_show(&self, tier: TierId, start: u64, now: ChannelTime) -> bool {
        let is_last = self.is_last_chance(tier, start, now);
        self.is_whole(tier, start, now, is_last)
    }

    /// Whether what is shown runs out soon, and before `tier` has another keyframe than the one at `start`, as far as is known.
    fn is_last_chance(&self, tier: TierId, start: u64, now: ChannelTime) -> bool {
        let (Some(shown), Some(run)) = (&self.shown, self.runs.front()) else {
            return false;
        };
        let (Some(better), Some(ring)) = (run.ring(shown.tier), run.ring(tier)) else {
            return false;
        };
        let out = shown.next + better.complete_from(shown.next);
        let is_soon = better
            .captured(out)
            .is_some_and(|captured| captured + self.buffer < now + RUNS_OUT_SOON);
        is_soon && !(start + 1..=out).any(|block| ring.is_keyframe(block))
    }

    /// Whether all blocks of `tier` from `start` on that are due at `now` are there. What has not come may be the rest of a keyframe, and due
    /// already; in a `hurry` it is not held to be.
    fn is_whole(&self, tier: TierId, start: u64, now: ChannelTime, hurry: bool) -> bool {
        let ring = self.runs.front().and_then(|run| run.ring(tier));
        ring.is_some_and(|ring| {
            let missing = start + ring.complete_from(start);
            let captured = match hurry {
                true => ring.captured(missing),
                false => ring.captured_earliest(missing),
            };
            missing > start && captured.is_none_or(|at| at + self.buffer > now)
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
