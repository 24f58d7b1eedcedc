//! Late marks: a peer that has nothing to pass on says that it lives, so that only a dead peer's own children move.

use super::children::Children;
use crate::media::store::STRIPES;
use crate::time::{Duration, Instant, TICK};

/// How long after the last chunk or mark of a stripe a mark is due. A child gives its parent up after two ticks; half a
/// tick of that is for the way and the chunk that comes a little late by itself needs no mark.
pub(super) const MARK_AFTER: Duration = TICK.saturating_add(Duration::from_millis(30));

/// When something was last sent for each stripe.
#[derive(Debug)]
pub(super) struct Marks {
    on: bool,
    last: [Instant; STRIPES],
}

impl Marks {
    pub(super) fn new(on: bool) -> Self {
        Self {
            on,
            last: [Instant::ZERO; STRIPES],
        }
    }

    pub(super) fn set(&mut self, on: bool) {
        self.on = on;
    }

    /// A chunk of a stripe was passed on, or its first child came.
    pub(super) fn heard(&mut self, slot: usize, now: Instant) {
        self.last[slot] = self.last[slot].max(now);
    }

    /// The stripes that a mark is due for. The next is due a tick later.
    pub(super) fn due(&mut self, children: &Children, now: Instant) -> u128 {
        let on = self.on;
        let due = children
            .interior()
            .filter(|slot| on && now >= self.last[*slot] + MARK_AFTER);
        let due = due.fold(0, |due, slot| due | 1 << slot);
        for slot in super::children::bits(due) {
            self.last[slot] = now.before(MARK_AFTER - TICK);
        }
        due
    }

    /// When the next mark is due.
    pub(super) fn wake_at(&self, children: &Children) -> Option<Instant> {
        let next = children.interior().map(|slot| self.last[slot] + MARK_AFTER).min();
        next.filter(|_| self.on)
    }
}
