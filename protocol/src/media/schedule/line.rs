//! What waits for one child.

use super::lateness::LATE;
use super::round_trip::RoundTrip;
use super::tokens::Tokens;
use crate::limits;
use crate::media::store::{BLOCKS_KEPT, STRIPES};
use crate::time::{ChannelTime, Duration, Instant, TICK};
use crate::units::Bitrate;
use crate::wire::chunk::Chunk;
use crate::wire::ticket::Class;
use alloc::collections::VecDeque;
use core::cmp::Reverse;

/// How long a chunk waits for others to be written with, at most. A fan-out costs 0.55 CPU-seconds a gigabit with 80 writes
/// a second to a child, 0.31 with 30 and 0.24 with 20 (`docs/findings.md`, “CPU of a forwarder”). A child's stripes bring their chunks
/// one after another, each once a tick: what comes in this time is written together. Of ten stripes whose ticks are
/// staggered that is three chunks, 33 writes a second; and a chunk that passes through stays well under 30 ms.
pub(super) const COALESCE: Duration = Duration::from_millis(25);

/// How long a child may save up what it is owed: two ticks, for chunks come one a tick and not evenly.
const OWED: Duration = Duration::from_millis(200);

/// A child for which a live chunk has waited this long skips to the live edge: nobody plays so far behind that the chunk
/// would still be of use after another such time.
pub(super) const STALE: Duration = Duration::from_secs(5);

/// Where a backlog is not worked off for want of room, what waits no longer than that may still be of use.
pub(super) const LAGGING: Duration = Duration::from_secs(2);

/// A backlog of a second or two is worked off by then, if there is room for the child at all. Else it skips: below it others wait as long
/// again, and two in a row are still at the live edge within ten seconds.
const ROOM: Duration = Duration::from_secs(3);

/// A longer one is worked off by then, and until then says nothing of our uplink.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Who had to skip has no such time again for so long: a child that is sent less than its slots' worth would skip again and again, and never
/// come late.
const FORGIVEN: Duration = Duration::from_secs(10);

/// What may wait in the transport for a child, in time at its slots' rate, though never more than [`limits::LINK_BACKLOG_MAX`]: what
/// waits longer than that is to wait here, where it is seen that the uplink is too weak.
const CREDIT: Duration = Duration::from_millis(600);

/// So much in the transport for a child, in the same measure, is more than comes together between two acknowledgements.
const STRAINED: Duration = Duration::from_millis(150);

/// The least credit: some frames of any rate.
const CREDIT_MIN: u64 = limits::LINK_BACKLOG_MAX / 4;

/// Why a chunk waits for a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It has just come.
    Live,
    /// It came before the child took its seat, or while the child still works off what did.
    Backlog,
    /// The child asked for it by number. It travels on uplink that nobody is owed, soon or not at all.
    Pulled,
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

/// How many chunks of so many stripes are written together: as many as come within [`COALESCE`] after the first. With
/// three stripes or fewer each is written at once: ten times a second each, that is rarely enough.
fn together(stripes: u32) -> u32 {
    1 + stripes * COALESCE.as_millis() as u32 / TICK.as_millis() as u32
}

/// What waits for one child, and what the child may be sent.
///
/// What comes by a seat and what was pulled wait apart, each earliest capture first: a child gets what is new on its slots' worth,
/// whatever it lacks besides, so that those below it are never late for its sake.
///
/// Three cache lines: what waits, what each chunk and each acknowledgement changes, and what it is owed.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Line {
    seated: VecDeque<Entry>,
    pulled: VecDeque<Entry>,
    /// When it is written to: not before others have had a chance to come along.
    due: Option<Instant>,
    /// Since when it works off a backlog.
    behind_since: Option<Instant>,
    /// When it skipped last.
    skipped: Option<Instant>,
    /// Since when it has not yet taken all that it was sent: since its first seat, or since a backlog came. Nothing once it has.
    beginning: Option<Instant>,
    /// Bytes of frames that the transport has not taken yet.
    pub(super) outstanding: u64,
    /// When it took some last.
    took: Instant,
    stripes: u32,
    /// Live chunks that have come. Counted from the line's index on, so that children of the same stripes are not all
    /// written to at the same chunk.
    turn: u32,
    pub(super) class: Class,
    /// Its credit is spent: it is due when the transport has taken half of it.
    blocked: bool,
    /// The same for pulled chunks, whose credit is less.
    pulled_blocked: bool,
    /// Its credit was spent since nothing new waited last: what waits in it says nothing of our uplink, but of the child's line.
    held_up: bool,
    owed: Tokens,
    pub(super) round_trip: RoundTrip,
}

impl Line {
    pub(super) fn new(index: u32) -> Self {
        Self {
            class: Class::default(),
            seated: VecDeque::new(),
            pulled: VecDeque::new(),
            due: None,
            blocked: false,
            pulled_blocked: false,
            held_up: false,
            behind_since: None,
            skipped: None,
            beginning: None,
            stripes: 0,
            turn: index,
            owed: Tokens::new(0, OWED),
            outstanding: 0,
            took: Instant::ZERO,
            round_trip: RoundTrip::default(),
        }
    }

    pub(super) fn set_share(&mut self, now: Instant, class: Class, share: Bitrate, stripes: u32) {
        if self.stripes == 0 && stripes > 0 {
            self.beginning = Some(now);
        }
        self.class = class;
        self.stripes = stripes;
        self.owed.set_rate(now, share.as_bps() / 8);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.seated.is_empty() && self.pulled.is_empty()
    }

    /// Whether something waits that came by a seat for the stripe of this [slot](crate::media::store::stripe_slot).
    pub fn awaits(&self, slot: usize) -> bool {
        self.seated.iter().any(|entry| usize::from(entry.stripe) == slot)
    }

    /// What waits.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.seated.iter().chain(&self.pulled)
    }

    /// Bytes of frames that were sent and that the transport has not taken yet.
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Adds a chunk that has just come. Returns when the line is due, if it is.
    pub(super) fn push(&mut self, mut entry: Entry) -> Option<Instant> {
        if self
            .seated
            .front()
            .is_some_and(|first| first.kind == Kind::Backlog)
        {
            entry.kind = Kind::Backlog;
        }
        if entry.kind == Kind::Backlog {
            self.behind_since.get_or_insert(entry.queued);
            self.beginning.get_or_insert(entry.queued);
        }
        let later = |other: &&Entry| other.captured > entry.captured;
        let after = self.seated.iter().rev().take_while(later).count();
        self.seated.insert(self.seated.len() - after, entry);
        self.turn = self.turn.wrapping_add(1);
        let is_turn = self.turn.is_multiple_of(together(self.stripes));
        self.be_due(entry.queued + if is_turn { Duration::ZERO } else { COALESCE })
    }

    /// Adds what came before the child took a seat, each chunk once. Returns when the line is due, if it is.
    pub(super) fn backlog(&mut self, now: Instant, entries: impl Iterator<Item = Entry>) -> Option<Instant> {
        merge(&mut self.seated, entries);
        if self.seated.is_empty() {
            return self.due();
        }
        self.behind_since.get_or_insert(now);
        self.beginning.get_or_insert(now);
        self.be_due(now)
    }

    /// Adds what the child asked for, each chunk once. Returns when the line is due, if it is.
    pub(super) fn pull(&mut self, entries: impl Iterator<Item = Entry>) -> Option<Instant> {
        let seated = &self.seated;
        let waits = |entry: &Entry| seated.iter().any(|other| other.identity() == entry.identity());
        merge(&mut self.pulled, entries.filter(|entry| !waits(entry)));
        self.due()
    }

    /// What comes by a seat is due at `at`, if not before, unless its credit is spent.
    fn be_due(&mut self, at: Instant) -> Option<Instant> {
        if !self.blocked {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
        self.due()
    }

    /// Whether a chunk's wait says something of our uplink, and not of the child's line: a live one's does, and one behind a
    /// backlog if that should have been worked off.
    pub(super) fn is_telling(&self, now: Instant, kind: Kind) -> bool {
        !self.held_up && kind != Kind::Pulled && !self.catches_up(now)
    }

    /// Whether it works off a backlog that has not taken too long yet.
    fn catches_up(&self, now: Instant) -> bool {
        let lately = |at: Instant| now.since(at) <= FORGIVEN;
        !self.skipped.is_some_and(lately)
            && self
                .behind_since
                .is_some_and(|since| now.since(since) <= CATCH_UP)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        self.seated.retain(&mut keep);
        self.pulled.retain(keep);
        self.rest_if_empty();
    }

    /// It has fallen too far behind, and begins anew at the live edge.
    pub(super) fn skip(&mut self, now: Instant) {
        self.seated.clear();
        self.pulled.clear();
        self.rest_if_empty();
        self.skipped = Some(now);
    }

    pub(super) fn drained(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        self.outstanding = self.outstanding.saturating_sub(bytes);
        self.took = now;
        if self.beginning.is_some() && self.behind_since.is_none() && !self.is_strained(now) {
            self.beginning = None;
        }
        if self.pulled_blocked && self.outstanding <= self.credit(Kind::Pulled) / 2 {
            self.pulled_blocked = false;
        }
        if self.blocked && self.outstanding <= self.credit(Kind::Live) / 2 {
            self.blocked = false;
            self.due = (!self.seated.is_empty()).then_some(now);
        }
        self.due()
    }

    /// When something in it may go; [`Instant::ZERO`] stands for at once.
    pub(super) fn due(&self) -> Option<Instant> {
        let pulled = self.first_pulled().map(|_| Instant::ZERO);
        pulled.or(self.due)
    }

    /// The earliest capture of what may go now by its seats, or else of what was pulled.
    pub(super) fn deadline(&self, now: Instant) -> Option<ChannelTime> {
        let first = self.first_seated(now).or(self.first_pulled());
        first.map(|entry| entry.captured)
    }

    /// The earliest capture of all that may go now.
    pub(super) fn rest_deadline(&self, now: Instant) -> Option<ChannelTime> {
        let both = [self.first_seated(now), self.first_pulled()];
        both.into_iter().flatten().map(|entry| entry.captured).min()
    }

    fn first_seated(&self, now: Instant) -> Option<&Entry> {
        let is_due = self.due.is_some_and(|due| due <= now);
        self.seated.front().filter(|_| is_due)
    }

    fn first_pulled(&self) -> Option<&Entry> {
        self.pulled.front().filter(|_| !self.pulled_blocked)
    }

    /// What is first by its seats, still in the store, and may go now.
    pub(super) fn first_owed<'a>(
        &mut self,
        now: Instant,
        find: impl Fn(&Entry) -> Option<&'a Chunk>,
    ) -> Option<(Entry, &'a Chunk)> {
        self.first_seated(now)?;
        let first = take_first(&mut self.seated, find);
        self.rest_if_empty();
        first
    }

    /// What was captured first, is still in the store, and may go now. What was pulled and has waited for too long is dropped.
    pub(super) fn first<'a>(
        &mut self,
        now: Instant,
        find: impl Fn(&Entry) -> Option<&'a Chunk>,
    ) -> Option<(Entry, &'a Chunk)> {
        self.pulled
            .retain(|entry| now < entry.queued + limits::PULL_PATIENCE);
        let pulled = self.first_pulled().is_some();
        let pulled = pulled.then(|| take_first(&mut self.pulled, &find)).flatten();
        let seated = self.first_owed(now, find);
        [pulled, seated]
            .into_iter()
            .flatten()
            .min_by_key(|(entry, _)| entry.identity())
    }

    /// Whether it has not had its slots' worth yet.
    pub(super) fn is_owed(&mut self, now: Instant) -> bool {
        self.owed.rate() > 0 && self.owed.level(now) >= 0
    }

    /// Whether the child may be sent so many bytes of that kind; if not, they wait for the transport. One frame it may always be
    /// sent, for a frame may be larger than the credit.
    pub(super) fn has_credit(&mut self, bytes: u64, kind: Kind) -> bool {
        let has = self.outstanding == 0 || self.outstanding + bytes <= self.credit(kind);
        match kind {
            _ if has => {}
            Kind::Pulled => self.pulled_blocked = true,
            Kind::Live | Kind::Backlog => {
                self.blocked = true;
                self.held_up = true;
                self.due = None;
            }
        }
        has
    }

    /// How much may wait in the transport when a chunk of that kind is added: little when it was pulled, so that new ones need not
    /// wait behind it there.
    fn credit(&self, kind: Kind) -> u64 {
        if kind == Kind::Pulled {
            return CREDIT_MIN;
        }
        let slots = self.owed.rate() * CREDIT.as_millis() as u64 / 1000;
        slots.clamp(CREDIT_MIN, limits::LINK_BACKLOG_MAX)
    }

    /// A chunk that was first has been sent.
    pub(super) fn sent(&mut self, now: Instant, kind: Kind, bytes: u64, wire: u64) {
        if kind == Kind::Pulled {
            self.pulled.pop_front();
        } else {
            self.seated.pop_front();
            self.owed.take(now, wire);
            self.owed.forgive_beyond(OWED);
        }
        self.outstanding += bytes;
        self.rest_if_empty();
    }

    fn rest_if_empty(&mut self) {
        if self.seated.is_empty() {
            // What comes next lies where memory is at hand, and not behind what has gone.
            self.seated.clear();
            self.due = None;
            self.held_up = false;
            self.behind_since = None;
        }
    }

    /// Whether the child's line, or our uplink, which its transport cannot tell apart, holds up what waits.
    pub(super) fn is_held_up(&self) -> bool {
        self.held_up
    }

    /// Whether the child has taken something, however little, `within` so long before, or nothing waits for it to. If not it is dead, or
    /// frozen, or its line is cut.
    pub(super) fn takes(&self, now: Instant, within: Duration) -> bool {
        self.outstanding == 0 || now.since(self.took) <= within
    }

    /// How long a round trip to the child takes at least, if that was measured.
    pub fn round_trip_least(&self) -> Option<Duration> {
        self.round_trip.least()
    }

    /// What it is owed, in bytes a second.
    pub fn share(&self) -> u64 {
        self.owed.rate()
    }

    /// Whether it says something of our uplink that its transport holds back what it is sent. While a transport finds out what its path
    /// carries, and while a backlog goes out, it does so on any uplink; but not for long.
    pub(super) fn has_begun(&self, now: Instant) -> bool {
        self.is_seated() && self.beginning.is_none_or(|since| now.since(since) > CATCH_UP)
    }

    /// Whether the transport holds back what it is sent, or a queue stands on the way.
    pub(super) fn is_strained(&self, now: Instant) -> bool {
        let most = self.share() * STRAINED.as_millis() as u64 / 1000;
        self.outstanding > most || self.round_trip.stays_swollen(now)
    }

    /// How long the child's transport takes there and back now.
    pub(super) fn note_round_trip(&mut self, now: Instant, time: Duration) {
        self.round_trip.note(now, time);
    }

    /// Whether what is sent to it waits on the way, for its round trips take longer than they have to.
    pub(super) fn is_queued_for(&self) -> bool {
        self.is_seated() && self.round_trip.is_swollen()
    }

    /// Whether it has a seat for any stripe.
    pub fn is_seated(&self) -> bool {
        self.stripes > 0
    }

    /// How long what is first by its seats has waited, if it is live.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        let live = self.seated.front().filter(|entry| entry.kind == Kind::Live);
        live.map_or(Duration::ZERO, |entry| now.since(entry.queued))
    }

    /// How many chunks have waited too long: live ones, and all once the backlog should have been worked off.
    pub(super) fn late(&self, now: Instant) -> u64 {
        if self.catches_up(now) {
            return 0;
        }
        let late = |entry: &&Entry| now.since(entry.queued) > LATE;
        self.seated.iter().filter(late).count() as u64
    }

    /// Since when what has waited longest waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let all = self.seated.iter().chain(&self.pulled);
        all.map(|entry| entry.queued).min()
    }

    /// Whether something could have gone, and has waited longer than `wait`.
    pub(super) fn is_behind(&self, now: Instant, wait: Duration) -> bool {
        let mut first = [self.first_seated(now), self.first_pulled()]
            .into_iter()
            .flatten();
        first.any(|entry| now.since(entry.queued) > wait)
    }

    pub(super) fn is_stale(&self, now: Instant) -> bool {
        let waits = self.seated.front().map(|entry| now.since(entry.queued));
        let lags = self.behind_since.is_some_and(|since| now.since(since) > ROOM);
        waits.is_some_and(|waits| waits > if lags { LAGGING } else { STALE })
    }

    pub(super) fn check_invariants(&self) {
        for queue in [&self.seated, &self.pulled] {
            let ordered = queue.iter().zip(queue.iter().skip(1));
            assert!(
                ordered.into_iter().all(|(a, b)| a.captured <= b.captured),
                "the earliest deadline is first"
            );
            assert!(queue.len() <= STRIPES * BLOCKS_KEPT as usize, "a line is bounded");
        }
        let waits = !self.seated.is_empty() && !self.blocked;
        assert_eq!(
            self.due.is_some(),
            waits,
            "a line is due if something waits for its seats and may go"
        );
        let most = limits::LINK_BACKLOG_MAX.max(limits::DATA_FRAME_MAX as u64);
        assert!(
            self.outstanding <= most + limits::LINK_BACKLOG_MAX,
            "credit is kept"
        );
    }
}

impl Entry {
    /// Which chunk it is, in the order of deadlines.
    const fn identity(&self) -> (ChannelTime, u64, u8) {
        (self.captured, self.block, self.stripe)
    }
}

/// Adds entries to a queue, each once, in the order of deadlines. The later of two waits anew.
fn merge(queue: &mut VecDeque<Entry>, entries: impl Iterator<Item = Entry>) {
    queue.extend(entries);
    queue
        .make_contiguous()
        .sort_unstable_by_key(|entry| (entry.identity(), entry.kind, Reverse(entry.queued)));
    let mut last = None;
    queue.retain(|entry| last.replace(entry.identity()) != Some(entry.identity()));
}

/// What is first in a queue and still in the store; what is not any more is dropped.
fn take_first<'a>(
    queue: &mut VecDeque<Entry>,
    find: impl Fn(&Entry) -> Option<&'a Chunk>,
) -> Option<(Entry, &'a Chunk)> {
    while let Some(entry) = queue.front() {
        if let Some(chunk) = find(entry) {
            return Some((*entry, chunk));
        }
        queue.pop_front();
    }
    None
}
