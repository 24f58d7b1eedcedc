//! Who is sent what, and when: one budget of wire bytes, shared out by class and deadline.
//!
//! Every child has a [`Line`]: what waits for it, in order of capture. A line is owed the slots of its stripes. As the
//! slots of all children together fit into the uplink, serving what is owed first keeps every child's live chunks on time,
//! whatever backlog others have; what is left over goes to the line that is furthest behind, and to what was pulled. Within both, the better
//! class goes first, and within a class the earliest deadline. Deadlines are capture times: all viewers play alike far behind.

mod bucket;
mod lateness;
mod line;
mod round_trip;
mod tokens;
mod uplink;
pub mod wire;

pub use bucket::Bucket;
pub use lateness::Lateness;
use line::LAGGING;
pub use line::{Entry, Kind, Line};
pub use tokens::Tokens;

use crate::media::store::{Store, stripe_at};
use crate::time::{ChannelTime, Duration, Instant, earliest};
use crate::units::Bitrate;
use crate::wire::chunk::Chunk;
use crate::wire::ticket::Class;
use alloc::vec::Vec;

/// A chunk that a child is owed and that has waited this long for uplink is a sign of overload: a viewer has two seconds
/// in all, for some hops.
const OVERLOAD_WAIT: Duration = Duration::from_secs(1);

/// What has waited no longer is not looked for by anybody: until then it need not be known which has waited longest.
const YOUNG: Duration = Duration::from_millis(50);

/// Shares out the uplink. Lines are named by small indices, which the owner gives.
#[derive(Debug)]
#[repr(C)]
pub struct Schedule {
    wake: Option<Instant>,
    /// Nothing waits since before then; there may be nothing that waits so long.
    oldest: Option<Instant>,
    /// The lines in which something waits: the others cost nothing.
    active: Vec<u32>,
    lines: Vec<Option<Line>>,
    starved: bool,
    bucket: Bucket,
    /// Of [`poll`](Self::poll), kept for its memory: the lines that are due, best first.
    ready: Vec<Ready>,
    lateness: Lateness,
}

/// A line that is due: its class, the deadline of what is first in it, and its index.
type Ready = (Class, ChannelTime, u32);

/// What became of the attempt to send what is first in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Sent,
    /// Nothing waits, the child's credit is spent, or the line has had what it is owed: the line is out of this round.
    Done,
    /// The budget does not carry a chunk of so many wire bytes yet.
    Dry(u64),
}

impl Schedule {
    /// A schedule for an uplink of so many wire bits; `None`: what children take.
    pub fn new(uplink: Option<Bitrate>) -> Self {
        Self {
            bucket: Bucket::new(uplink),
            lines: Vec::new(),
            active: Vec::new(),
            wake: None,
            oldest: None,
            lateness: Lateness::default(),
            starved: false,
            ready: Vec::new(),
        }
    }

    /// Changes the uplink.
    pub fn set_uplink(&mut self, now: Instant, uplink: Option<Bitrate>) {
        self.bucket.set_uplink(now, uplink);
        self.wake_by(now);
    }

    /// Begins an empty line.
    pub fn open(&mut self, index: u32) {
        let at = index as usize;
        if self.lines.len() <= at {
            self.lines.resize_with(at + 1, || None);
        }
        self.lines[at] = Some(Line::new(index));
    }

    /// Ends a line, with what waits in it.
    pub fn close(&mut self, index: u32) {
        self.lines[index as usize] = None;
        self.active.retain(|line| *line != index);
    }

    /// A line that is open.
    ///
    /// # Panics
    /// If it is not.
    pub fn line(&self, index: u32) -> &Line {
        self.lines[index as usize].as_ref().expect("the line is open")
    }

    fn line_mut(&mut self, index: u32) -> &mut Line {
        self.lines[index as usize].as_mut().expect("the line is open")
    }

    /// What a child is owed, for how many stripes, in which class.
    pub fn set_share(&mut self, now: Instant, index: u32, class: Class, share: Bitrate, stripes: u32) {
        self.line_mut(index).set_share(now, class, share, stripes);
    }

    /// A new chunk waits.
    pub fn push(&mut self, index: u32, entry: Entry) {
        let line = self.lines[index as usize].as_mut().expect("the line is open");
        if line.is_empty() {
            self.active.push(index);
        }
        let due = line.push(entry);
        self.waits_since(entry.queued);
        if let Some(due) = due {
            self.wake_by(due);
        }
    }

    /// What came before the child took a seat waits; what waits already is passed over.
    pub fn backlog(&mut self, now: Instant, index: u32, entries: impl Iterator<Item = Entry>) {
        self.add(index, |line| line.backlog(now, entries));
    }

    /// Chunks wait that the child asked for; those that wait already are passed over. They travel on uplink that nobody is owed, and
    /// are given up after [`PULL_PATIENCE`](crate::limits::PULL_PATIENCE).
    pub fn pull(&mut self, index: u32, entries: impl Iterator<Item = Entry>) {
        self.add(index, |line| line.pull(entries));
    }

    fn add(&mut self, index: u32, add: impl FnOnce(&mut Line) -> Option<Instant>) {
        let line = self.line_mut(index);
        let was_empty = line.is_empty();
        let (due, oldest) = (add(line), line.oldest());
        if was_empty && !line.is_empty() {
            self.active.push(index);
        }
        if let Some(oldest) = oldest {
            self.waits_since(oldest);
        }
        if let Some(due) = due {
            self.wake_by(due);
        }
    }

    /// Drops what waits and is not wanted any more.
    pub fn retain(&mut self, index: u32, keep: impl FnMut(&Entry) -> bool) {
        let line = self.line_mut(index);
        line.retain(keep);
        if line.is_empty() {
            self.active.retain(|active| *active != index);
        }
    }

    /// The child has fallen too far behind, and its lanes begin anew: what waits here is dropped. What waits there is given up too, and
    /// [drained](Self::drained) when the transport has done so.
    pub fn skip(&mut self, now: Instant, index: u32) {
        self.line_mut(index).skip(now);
        self.active.retain(|active| *active != index);
    }

    /// Bytes wait no longer on a child's data lanes.
    pub fn drained(&mut self, now: Instant, index: u32, bytes: u64) {
        if let Some(due) = self.line_mut(index).drained(now, bytes) {
            self.wake_by(due);
        }
    }

    /// A frame that is no chunk was sent on a data lane: a layout or a late mark.
    pub fn sent_beside(&mut self, now: Instant, index: u32, frame_bytes: u64) {
        self.line_mut(index).outstanding += frame_bytes;
        self.bucket.charge(now, wire::wire_bytes(frame_bytes));
    }

    /// How long a link's round trips take now.
    pub fn round_trip(&mut self, now: Instant, index: u32, time: Duration) {
        self.line_mut(index).note_round_trip(now, time);
    }

    /// Wire bytes sent beside chunks, since the start; see [`Bucket::unforeseen`].
    pub fn beside(&self) -> u64 {
        self.bucket.unforeseen()
    }

    /// The transport's total of wire bytes sent; see [`Bucket::wire_sent`].
    pub fn wire_sent(&mut self, now: Instant, total: u64) {
        self.bucket.wire_sent(now, total);
    }

    /// Sends what is due and what the budget allows. `send` is called with the line and the chunk.
    pub fn poll(&mut self, now: Instant, store: &Store, send: &mut impl FnMut(&mut Self, u32, &Chunk)) {
        if self.wake.is_none_or(|wake| now < wake) {
            return;
        }
        self.gather(now);
        let mut ready = core::mem::take(&mut self.ready);
        let dry = self
            .serve_owed(now, store, &ready, send)
            .or_else(|| self.serve_rest(now, store, &mut ready, send));
        self.ready = ready;
        self.rearm(now, dry);
    }

    /// When to call [`poll`](Self::poll), if at all.
    pub fn wake_at(&self) -> Option<Instant> {
        self.wake
    }

    /// Whether the uplink did not even carry what children are owed, since this was last asked.
    pub fn take_starved(&mut self) -> bool {
        core::mem::take(&mut self.starved)
    }

    /// Lines that have fallen so far behind that they had better skip to the live edge.
    pub fn stale(&self, now: Instant) -> impl Iterator<Item = u32> + '_ {
        let stale = move |index: &u32| self.line(*index).is_stale(now);
        self.active_for(now, LAGGING).iter().copied().filter(stale)
    }

    /// Lines in which something has waited for uplink for longer than `wait`.
    pub fn behind(&self, now: Instant, wait: Duration) -> impl Iterator<Item = u32> + '_ {
        let behind = move |index: &u32| self.line(*index).is_behind(now, wait);
        self.active_for(now, wait).iter().copied().filter(behind)
    }

    /// The lines in which something may have waited for longer than `wait`: all active ones, or none.
    fn active_for(&self, now: Instant, wait: Duration) -> &[u32] {
        let some = self.oldest.is_some_and(|oldest| now.since(oldest) > wait);
        if some { &self.active } else { &[] }
    }

    /// The longest that a live chunk waited in a line, over the last second.
    pub fn wait_max(&self, now: Instant) -> Duration {
        self.lateness.wait_max(now)
    }

    fn waits_since(&mut self, at: Instant) {
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
    }

    fn wake_by(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn gather(&mut self, now: Instant) {
        self.ready.clear();
        for index in &self.active {
            let line = self.lines[*index as usize]
                .as_ref()
                .expect("active lines are open");
            if let Some(deadline) = line.deadline(now) {
                self.ready.push((line.class, deadline, *index));
            }
        }
        self.ready.sort_unstable();
    }

    /// To each line what it is owed, best first; without a budget, all that is live. Returns what the budget did not carry.
    fn serve_owed(
        &mut self,
        now: Instant,
        store: &Store,
        ready: &[Ready],
        send: &mut impl FnMut(&mut Self, u32, &Chunk),
    ) -> Option<u64> {
        for (_, _, index) in ready {
            loop {
                match self.step_owed(now, store, *index, send) {
                    Step::Sent => {}
                    Step::Done => break,
                    Step::Dry(bytes) => {
                        self.starved |= ready.iter().any(|(_, _, index)| self.is_overdue(now, *index));
                        return Some(bytes);
                    }
                }
            }
        }
        None
    }

    /// What is left over, chunk by chunk to the line that is furthest behind. Returns what the budget did not carry.
    fn serve_rest(
        &mut self,
        now: Instant,
        store: &Store,
        ready: &mut Vec<Ready>,
        send: &mut impl FnMut(&mut Self, u32, &Chunk),
    ) -> Option<u64> {
        ready.retain_mut(|entry| self.refresh(now, entry));
        while let Some((at, entry)) = ready.iter_mut().enumerate().min_by_key(|(_, entry)| **entry) {
            let step = self.step_rest(now, store, entry.2, send);
            if let Step::Dry(bytes) = step {
                return Some(bytes);
            }
            if !self.refresh(now, entry) {
                ready.swap_remove(at);
            }
        }
        None
    }

    /// Whether a line is still due, with the deadline of what is first in it now.
    fn refresh(&self, now: Instant, entry: &mut Ready) -> bool {
        let deadline = self.line(entry.2).rest_deadline(now);
        entry.1 = deadline.unwrap_or_default();
        deadline.is_some()
    }

    fn is_overdue(&mut self, now: Instant, index: u32) -> bool {
        let line = self.line_mut(index);
        line.waited(now) > OVERLOAD_WAIT && line.is_owed(now)
    }

    /// Sends what is first of what a line is owed.
    fn step_owed(
        &mut self,
        now: Instant,
        store: &Store,
        index: u32,
        send: &mut impl FnMut(&mut Self, u32, &Chunk),
    ) -> Step {
        let paced = self.bucket.is_paced();
        let line = self.lines[index as usize].as_mut().expect("ready lines are open");
        if paced && !line.is_owed(now) {
            return Step::Done;
        }
        let first = line.first_owed(now, |entry| {
            store.get(stripe_at(entry.stripe.into()), entry.block)
        });
        first.map_or(Step::Done, |first| self.hand_over(now, index, first, send))
    }

    /// Sends what is first in a line.
    fn step_rest(
        &mut self,
        now: Instant,
        store: &Store,
        index: u32,
        send: &mut impl FnMut(&mut Self, u32, &Chunk),
    ) -> Step {
        let line = self.lines[index as usize].as_mut().expect("ready lines are open");
        let first = line.first(now, |entry| {
            store.get(stripe_at(entry.stripe.into()), entry.block)
        });
        first.map_or(Step::Done, |first| self.hand_over(now, index, first, send))
    }

    /// Sends a chunk, if credit and budget allow it.
    fn hand_over(
        &mut self,
        now: Instant,
        index: u32,
        (entry, chunk): (Entry, &Chunk),
        send: &mut impl FnMut(&mut Self, u32, &Chunk),
    ) -> Step {
        let bytes = chunk.frame().len() as u64;
        let wire = wire::wire_bytes(bytes);
        let line = self.lines[index as usize].as_mut().expect("ready lines are open");
        if !line.has_credit(bytes, entry.kind) {
            return Step::Done;
        }
        if !self.bucket.carries(now, wire) {
            return Step::Dry(wire);
        }
        let telling = line.is_telling(now, entry.kind);
        line.sent(now, entry.kind, bytes, wire);
        self.bucket.charge(now, wire);
        if telling {
            self.lateness.note(now, now.since(entry.queued));
        }
        send(self, index, chunk);
        Step::Sent
    }

    /// Forgets lines in which nothing waits, and finds out when the next one is due.
    fn rearm(&mut self, now: Instant, dry: Option<u64>) {
        let lines = &self.lines;
        let line = |index: &u32| lines[*index as usize].as_ref().expect("active lines are open");
        let mut next = None;
        self.active.retain(|index| {
            let line = line(index);
            next = earliest([next, line.due()]);
            !line.is_empty()
        });
        if self.oldest.is_some_and(|oldest| now.since(oldest) > YOUNG) || self.active.is_empty() {
            self.oldest = self.active.iter().filter_map(|index| line(index).oldest()).min();
        }
        self.wake = match dry {
            Some(bytes) => Some(next.unwrap_or(now).max(self.bucket.carries_at(now, bytes))),
            None => next,
        };
    }

    /// Panics if the schedule contradicts itself.
    pub fn check_invariants(&self) {
        for (index, line) in self.lines.iter().enumerate() {
            let Some(line) = line else { continue };
            line.check_invariants();
            let active = self
                .active
                .iter()
                .filter(|active| **active as usize == index)
                .count();
            assert_eq!(
                active,
                usize::from(!line.is_empty()),
                "lines in which something waits are active"
            );
            assert!(
                line.oldest()
                    .is_none_or(|waits| self.oldest.is_some_and(|oldest| oldest <= waits)),
                "it is known how long anything waits"
            );
            assert!(
                line.due().is_none() || self.wake.is_some(),
                "a line that is due is woken"
            );
        }
    }
}

#[cfg(test)]
mod tests;
