//! Whether our uplink carries what children are owed: by how long chunks wait here, and by how long they wait on their way.

use super::Schedule;
use super::line::Line;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// So many children who take slowly what they are sent do not have slow lines each.
const SLOW_MIN: usize = 2;

/// Who has not taken anything for so long is gone: what is late for it is nobody's fault.
const GONE: Duration = Duration::from_secs(1);

/// Who has not taken anything for so long says nothing of our uplink, of which the others have the more. Less than the time for which
/// an uplink is measured.
const STANDS_STILL: Duration = Duration::from_millis(350);

impl Schedule {
    /// Whether children got their chunks in time over the last second; see [`Lateness`](super::Lateness). Children that do not take what they are
    /// sent, for they are dead, do not count; nor does a single one that takes it slowly, for that is its own line. Where
    /// several do, or what others are sent waits on its way too, it is our uplink.
    pub fn in_time(&self, now: Instant) -> bool {
        !self.queue_makes_late(now) && self.lateness.in_time(now, self.waiting_late(now))
    }

    /// How many chunks wait here, and have waited too long for want of our uplink.
    fn waiting_late(&self, now: Instant) -> u64 {
        let waiting = self.active.iter().map(|index| self.line(*index));
        let (held_up, free): (Vec<&Line>, Vec<&Line>) = waiting.partition(|line| line.is_held_up());
        let slow: Vec<&Line> = held_up.into_iter().filter(|line| line.takes(now, GONE)).collect();
        let is_ours = self.is_our_uplink(&slow);
        let ours = free.iter().chain(slow.iter().filter(|_| is_ours));
        ours.map(|line| line.late(now)).sum()
    }

    /// Whether our uplink makes these children take slowly what they are sent. A transport that takes turns serves those well who have
    /// few stripes, and only who has more falls behind: but the queue is in the way of all.
    fn is_our_uplink(&self, slow: &[&Line]) -> bool {
        let seated = || self.lines.iter().flatten().filter(|line| line.is_seated());
        let queued = || seated().filter(|line| line.is_queued_for()).count();
        slow.len() >= SLOW_MIN.min(seated().count()) || (!slow.is_empty() && queued() >= SLOW_MIN)
    }

    /// Whether most of what children are owed goes to children whose transports hold it back: then it is our uplink that is too small.
    /// Children that have only begun say nothing of it, nor do dead ones.
    pub fn is_strained(&self, now: Instant) -> bool {
        let says = |line: &&Line| line.has_begun(now) && line.takes(now, STANDS_STILL);
        let (mut all, mut strained, mut several) = (0, 0, 0);
        for line in self.lines.iter().flatten().filter(says) {
            all += line.share();
            if line.is_strained(now) {
                strained += line.share();
                several += 1;
            }
        }
        several >= SLOW_MIN && 2 * strained >= all
    }

    /// Whether what children are sent becomes late in a queue behind us. It is ours if the round trips of most links tell of it, for links to
    /// parents and to the coordinator go through it too; and it is full long before the transport holds up what waits here.
    fn queue_makes_late(&self, now: Instant) -> bool {
        let measured = || {
            self.lines
                .iter()
                .flatten()
                .filter(|line| line.round_trip.is_known())
        };
        let late = || measured().filter(|line| line.round_trip.is_late(now));
        late().any(Line::is_seated) && late().count() * 2 > measured().count().max(SLOW_MIN)
    }
}
