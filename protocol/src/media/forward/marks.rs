//! Late marks: a peer that has nothing to pass on says that it lives, so that only a dead peer's own children move.

use super::children::Children;
use crate::media::store::STRIPES;
use crate::time::{Duration, Instant, TICK};

/// How long after the last chunk or mark of a stripe a mark is due. A child gives its parent up after two ticks; half a
/// tick of that is for the way and the chunk that comes a little late by itself needs no mark.
pub(super) const MARK_AFTER: Duration = TICK.saturating_add(Duration::from_millis(30));

/// A chunk that has waited this long for uplink, and not to be written with others, makes its child one that is behind.
pub(super) const BEHIND_AFTER: Duration = Duration::from_millis(50);

/// How often those who are behind are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// When something last came for each stripe, to be passed on.
#[derive(Debug)]
pub(super) struct Marks {
    on: bool,
    /// The source has a chunk for every stripe in every tick.
    is_source: bool,
    last: [Instant; STRIPES],
    /// When to look after children for which chunks wait.
    look_at: Option<Instant>,
}

impl Marks {
    pub(super) fn new(is_source: bool) -> Self {
        Self {
            on: true,
            is_source,
            last: [Instant::ZERO; STRIPES],
            look_at: None,
        }
    }

    pub(super) fn set(&mut self, on: bool) {
        self.on = on;
        self.look_at = None;
    }

    /// A chunk of a stripe was passed on, or its first child came.
    pub(super) fn heard(&mut self, slot: usize, now: Instant) {
        self.last[slot] = self.last[slot].max(now);
    }

    /// The stripes that a mark is due for. The next is due a tick later.
    pub(super) fn due(&mut self, children: &Children, now: Instant) -> u128 {
        let due = children
            .interior()
            .filter(|slot| now >= self.last[*slot] + MARK_AFTER);
        let due = due.fold(0, |due, slot| due | 1 << slot);
        for slot in super::children::bits(due) {
            self.last[slot] = now.before(MARK_AFTER - TICK);
        }
        due
    }

    /// When the next mark is due for a stripe of which nothing came.
    pub(super) fn due_at(&self, children: &Children) -> Option<Instant> {
        let next = children.interior().map(|slot| self.last[slot] + MARK_AFTER).min();
        next.filter(|_| self.on && !self.is_source)
    }

    /// Whether marks are sent to those who are behind.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Somebody is behind, or nobody.
    pub(super) fn look_again(&mut self, now: Instant, anybody: bool) {
        self.look_at = anybody.then(|| now + LOOK_EVERY);
    }

    /// When to do something.
    pub(super) fn wake_at(&self, children: &Children) -> Option<Instant> {
        [self.due_at(children), self.look_at].into_iter().flatten().min()
    }
}
