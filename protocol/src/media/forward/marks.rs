//! Late marks: a peer that has nothing to pass on says that it lives, so that only a dead peer's own children move.

use super::children::Children;
use crate::media::store::STRIPES;
use crate::time::{Duration, Instant, TICK, earliest};

/// How long after the last chunk or mark of a stripe a mark is due. A child gives its parent up after two ticks; half a
/// tick of that is for the way and the chunk that comes a little late by itself needs no mark.
pub(super) const MARK_AFTER: Duration = TICK.saturating_add(Duration::from_millis(30));

/// A chunk that has waited this long for uplink, and not to be written with others, makes its child one that is behind.
pub(super) const BEHIND_AFTER: Duration = Duration::from_millis(50);

/// How often those who are behind are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// When something last came for each stripe, to be passed on.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Marks {
    on: bool,
    /// The source has a chunk for every stripe in every tick.
    is_source: bool,
    /// Whether something has happened since that may have changed it.
    changed: bool,
    /// When the first mark is due, and the stripe that it is due for, as reckoned up last.
    first: Option<(Instant, usize)>,
    /// When to look after children for which chunks wait.
    look_at: Option<Instant>,
    last: [Instant; STRIPES],
}

impl Marks {
    pub(super) fn new(is_source: bool) -> Self {
        Self {
            on: true,
            is_source,
            last: [Instant::ZERO; STRIPES],
            first: None,
            changed: false,
            look_at: None,
        }
    }

    pub(super) fn set(&mut self, on: bool) {
        self.on = on;
        self.look_at = None;
        self.changed = true;
    }

    /// A chunk of a stripe was passed on, or its first child came.
    pub(super) fn heard(&mut self, slot: usize, now: Instant) {
        self.last[slot] = self.last[slot].max(now);
        self.changed |= self.first.is_none_or(|(_, first)| first == slot);
    }

    /// A stripe may have its first child, or no child any more.
    pub(super) fn seats_changed(&mut self) {
        self.changed = true;
    }

    /// Whether a mark is due.
    pub(super) fn is_due(&mut self, children: &Children, now: Instant) -> bool {
        if self.changed {
            self.first = self.reckon(children);
            self.changed = false;
        }
        self.first.is_some_and(|(first, _)| now >= first)
    }

    fn reckon(&self, children: &Children) -> Option<(Instant, usize)> {
        if !self.on || self.is_source {
            return None;
        }
        let all = children.interior();
        all.map(|slot| (self.last[slot] + MARK_AFTER, slot)).min()
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
        self.changed = true;
        due
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
        let first = if self.changed {
            self.reckon(children)
        } else {
            self.first
        };
        earliest([first.map(|(first, _)| first), self.look_at])
    }
}
