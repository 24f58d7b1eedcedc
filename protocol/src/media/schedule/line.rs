//! What waits for one child.

use super::lateness::LATE;
use super::tokens::Tokens;
use crate::limits;
use crate::media::store::{BLOCKS_KEPT, STRIPES};
use crate::time::{ChannelTime, Duration, Instant};
use crate::units::Bitrate;
use crate::wire::chunk::Chunk;
use crate::wire::ticket::Class;
use alloc::collections::VecDeque;

/// How long a chunk waits for others to be written with, at most; for other children up to 1.75 ms less, so that not all
/// are written to at once. A fan-out costs 0.55 CPU-seconds a gigabit with 80 writes a second to a child, 0.31 with 30 and
/// 0.24 with 20 (`ARCHITECTURE.md`, data plane). A stream of ten stripes whose ticks are staggered brings a chunk every
/// 10 ms: a little more than 20 ms makes that three to a write, 33 writes a second; and a chunk that passes through stays
/// well under 30 ms.
pub(super) const COALESCE: Duration = Duration::from_micros(22_750);

/// Children are put into so many groups, each due [`STAGGER`] before the last one.
const GROUPS: u32 = 8;

/// See [`GROUPS`].
const STAGGER: Duration = Duration::from_micros(250);

/// A child with no more stripes than this is written to at once: ten times a second each, that is rarely enough.
const UNHURRIED_STRIPES: u32 = 3;

/// How long a child may save up what it is owed: two ticks, for chunks come one a tick and not evenly.
const OWED: Duration = Duration::from_millis(200);

/// A child for which a live chunk has waited this long skips to the live edge: nobody plays so far behind that the chunk
/// would still be of use after another such time.
const STALE: Duration = Duration::from_secs(5);

/// Likewise for a child that works off its backlog, and gets all in order but later: while the store keeps it.
const STALE_BACKLOG: Duration = Duration::from_secs(8);

/// A backlog of two or three seconds is worked off by then, if there is room for the child at all.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Why a chunk waits for a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It has just come.
    Live,
    /// The child asked for it, or it came while the child still works off what it asked for.
    Backlog,
}

/// A chunk that waits; it is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was captured: its deadline, less how far behind viewers play.
    pub captured: ChannelTime,
    /// Since when it waits.
    pub queued: Instant,
    /// Its block.
    pub block: u64,
    /// Its [`stripe_slot`](crate::media::store::stripe_slot).
    pub stripe: u8,
    /// Why it waits.
    pub kind: Kind,
}

/// What waits for one child, earliest capture first, and what the child may be sent.
#[derive(Debug)]
pub struct Line {
    pub(super) class: Class,
    queue: VecDeque<Entry>,
    /// When it is written to: not before others have had a chance to come along.
    due: Option<Instant>,
    /// Its credit is spent: it is due when the transport has taken half of it.
    blocked: bool,
    /// Its credit was spent since its queue was last empty: what waits in it says nothing of our uplink, but of the child's line.
    held_up: bool,
    /// Since when it works off a backlog.
    behind_since: Option<Instant>,
    coalesce: Duration,
    stagger: Duration,
    stripes: u32,
    owed: Tokens,
    /// Bytes of frames that the transport has not taken yet.
    pub(super) outstanding: u64,
}

impl Line {
    pub(super) fn new(index: u32) -> Self {
        Self {
            class: Class::default(),
            queue: VecDeque::new(),
            due: None,
            blocked: false,
            held_up: false,
            behind_since: None,
            coalesce: Duration::ZERO,
            stagger: STAGGER * (index % GROUPS),
            stripes: 0,
            owed: Tokens::new(0, OWED),
            outstanding: 0,
        }
    }

    pub(super) fn set_share(&mut self, now: Instant, class: Class, share: Bitrate, stripes: u32) {
        self.class = class;
        self.stripes = stripes;
        self.owed.set_rate(now, share.as_bps() / 8);
        let hurried = stripes > UNHURRIED_STRIPES;
        self.coalesce = if hurried {
            COALESCE - self.stagger
        } else {
            Duration::ZERO
        };
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What waits, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.queue.iter()
    }

    /// Bytes of frames that were sent and that the transport has not taken yet.
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Adds a chunk that has just come. Returns when the line is due, if it is.
    pub(super) fn push(&mut self, mut entry: Entry) -> Option<Instant> {
        if self
            .queue
            .front()
            .is_some_and(|first| first.kind == Kind::Backlog)
        {
            entry.kind = Kind::Backlog;
        }
        let after = self
            .queue
            .iter()
            .rev()
            .take_while(|other| other.captured > entry.captured)
            .count();
        self.queue.insert(self.queue.len() - after, entry);
        let all_there = self.queue.len() >= self.stripes as usize;
        let due = if all_there {
            entry.queued
        } else {
            entry.queued + self.coalesce
        };
        self.be_due(due)
    }

    /// Adds old chunks, each once. Returns when the line is due, if it is.
    pub(super) fn backlog(&mut self, now: Instant, entries: impl Iterator<Item = Entry>) -> Option<Instant> {
        self.queue.extend(entries);
        let identity = |entry: &Entry| (entry.captured, entry.block, entry.stripe);
        self.queue
            .make_contiguous()
            .sort_unstable_by_key(|entry| (identity(entry), entry.kind));
        let mut last = None;
        self.queue
            .retain(|entry| last.replace(identity(entry)) != Some(identity(entry)));
        if self.queue.is_empty() {
            None
        } else {
            self.behind_since.get_or_insert(now);
            self.be_due(now)
        }
    }

    /// Whether a chunk's wait says something of our uplink: a live one's does, and one behind a backlog if that should have been
    /// worked off.
    pub(super) fn is_telling(&self, now: Instant, kind: Kind) -> bool {
        let long_behind = self.behind_since.is_some_and(|since| now.since(since) > CATCH_UP);
        !self.held_up && (kind == Kind::Live || long_behind)
    }

    /// Is due at `at`, if not before, unless its credit is spent.
    fn be_due(&mut self, at: Instant) -> Option<Instant> {
        if !self.blocked {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
        self.due
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.queue.retain(keep);
        self.rest_if_empty();
    }

    pub(super) fn reset(&mut self) {
        self.queue.clear();
        self.held_up = false;
        self.behind_since = None;
        self.due = None;
    }

    pub(super) fn drained(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        self.outstanding = self.outstanding.saturating_sub(bytes);
        if !self.blocked || self.outstanding > limits::LINK_BACKLOG_MAX / 2 {
            return None;
        }
        self.blocked = false;
        if self.queue.is_empty() {
            None
        } else {
            self.be_due(now)
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The deadline of what is first, if the line is due.
    pub(super) fn deadline(&self, now: Instant) -> Option<ChannelTime> {
        self.due.filter(|due| *due <= now)?;
        self.queue.front().map(|entry| entry.captured)
    }

    /// What is first and still in the store.
    pub(super) fn first<'a>(
        &mut self,
        find: impl Fn(&Entry) -> Option<&'a Chunk>,
    ) -> Option<(Entry, &'a Chunk)> {
        while let Some(entry) = self.queue.front() {
            if let Some(chunk) = find(entry) {
                return Some((*entry, chunk));
            }
            self.queue.pop_front();
        }
        self.rest_if_empty();
        None
    }

    /// Whether it has not had its slots' worth yet.
    pub(super) fn is_owed(&mut self, now: Instant) -> bool {
        self.owed.rate() > 0 && self.owed.level(now) >= 0
    }

    /// Whether the child may be sent so many bytes; if not, the line waits for the transport. One frame it may always be
    /// sent, for a frame may be larger than the credit.
    pub(super) fn has_credit(&mut self, bytes: u64) -> bool {
        let has = self.outstanding == 0 || self.outstanding + bytes <= limits::LINK_BACKLOG_MAX;
        if !has {
            self.blocked = true;
            self.held_up = true;
            self.due = None;
        }
        has
    }

    /// What was first has been sent.
    pub(super) fn sent(&mut self, now: Instant, bytes: u64, wire: u64) {
        self.queue.pop_front();
        self.outstanding += bytes;
        self.owed.take(now, wire);
        self.owed.forgive_beyond(OWED);
        self.rest_if_empty();
    }

    fn rest_if_empty(&mut self) {
        if self.queue.is_empty() {
            self.due = None;
            self.held_up = false;
            self.behind_since = None;
        }
    }

    /// Whether the child's line, and not our uplink, holds up what waits.
    pub(super) fn is_held_up(&self) -> bool {
        self.held_up
    }

    /// Whether it has a seat for any stripe.
    pub(super) fn is_seated(&self) -> bool {
        self.stripes > 0
    }

    /// How long what is first has waited beyond its time, if it is live.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        let live = self.queue.front().filter(|entry| entry.kind == Kind::Live);
        live.map_or(Duration::ZERO, |entry| now.since(entry.queued))
    }

    /// How long what is first has waited, whatever it is.
    pub(super) fn first_waited(&self, now: Instant) -> Duration {
        let first = self.queue.front();
        first.map_or(Duration::ZERO, |entry| now.since(entry.queued))
    }

    /// How many chunks have waited too long: live ones, and all once the backlog should have been worked off.
    pub(super) fn late(&self, now: Instant) -> u64 {
        if self.first_waited(now) <= LATE {
            return 0;
        }
        let long_behind = self.behind_since.is_some_and(|since| now.since(since) > CATCH_UP);
        let counts = |entry: &Entry| entry.kind == Kind::Live || long_behind;
        let late = |entry: &&Entry| counts(entry) && now.since(entry.queued) > LATE;
        self.queue.iter().filter(late).count() as u64
    }

    /// Whether what is first could have gone, and has waited longer than `wait`.
    pub(super) fn is_behind(&self, now: Instant, wait: Duration) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        due && self
            .queue
            .front()
            .is_some_and(|entry| now.since(entry.queued) > wait)
    }

    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.queue.front().is_some_and(|entry| {
            let limit = if entry.kind == Kind::Live {
                STALE
            } else {
                STALE_BACKLOG
            };
            now.since(entry.queued) > limit
        })
    }

    pub(super) fn check_invariants(&self) {
        let ordered = self.queue.iter().zip(self.queue.iter().skip(1));
        assert!(
            ordered.into_iter().all(|(a, b)| a.captured <= b.captured),
            "the earliest deadline is first"
        );
        assert!(
            self.queue.len() <= 2 * STRIPES * BLOCKS_KEPT as usize,
            "a line is bounded"
        );
        let waits = !self.queue.is_empty() && !self.blocked;
        assert_eq!(
            self.due.is_some(),
            waits,
            "a line is due if something waits and may go"
        );
        let most = limits::LINK_BACKLOG_MAX.max(limits::DATA_FRAME_MAX as u64);
        assert!(
            self.outstanding <= most + limits::LINK_BACKLOG_MAX,
            "credit is kept"
        );
    }
}
