//! A stripe that this viewer receives: from whom, from whom next, and what is wrong.

use super::watch::Watch;
use crate::id::{PeerId, PeerTag};
use crate::io::LinkId;
use crate::media::StripeId;
use crate::media::store::{STRIPES, stripe_slot};
use crate::time::{Duration, Instant};
use crate::wire::control::DetachReason;
use crate::wire::ticket::{Grant, Rank};
use alloc::vec::Vec;

/// How long a peer that was asked may take to say yes or no, beyond three half round trips: no longer than a busy computer's
/// pause, for it may have failed as well.
const ANSWER_PATIENCE: Duration = Duration::from_millis(250);

/// How long it may then take to send anything.
const CHUNK_PATIENCE: Duration = Duration::from_millis(500);

/// The same for whom the coordinator named: it may wait a second for a ticket of its own that is on its way. Where nobody sends
/// meanwhile, as long as such tickets take as a rule.
const PLAN_PATIENCE: Duration = Duration::from_millis(1500);
const URGENT_PLAN_PATIENCE: Duration = Duration::from_millis(700);

/// The same while the old parent sends.
const MOVE_PATIENCE: Duration = Duration::from_secs(3);

/// A parent that a viewer is leaving anyway has ended when it has been silent for so long.
const ENDED: Duration = Duration::from_millis(500);

/// How long a link that is needed may take to come up.
const LINK_PATIENCE: Duration = Duration::from_millis(2500);

/// The same where nobody sends meanwhile: one lost packet of the handshake.
const URGENT_LINK_PATIENCE: Duration = Duration::from_millis(1200);

/// Other stripes have come so much farther: where nothing new comes at all, nobody is starved.
pub(super) const STARVED_BLOCKS: u64 = 10;

/// How long the coordinator may take to find a place for an orphan before it asks around again.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(3);

/// Somebody who sends a stripe, or is to.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Source {
    /// The link it was asked on; none while that is not up, or when it is gone.
    pub(super) link: Option<LinkId>,
    /// The newest block it sent.
    pub(super) newest: Option<u64>,
    /// The first block it was asked for.
    pub(super) from: u64,
    /// Whether the coordinator named it as parent.
    pub(super) planned: bool,
    /// Whether it has given our seat to somebody else: it sends what waited for us, and then no more.
    pub(super) ends: bool,
    pub(super) peer: PeerId,
    /// Its own rank, as far as it said so.
    pub(super) rank: Option<Rank>,
    /// When it was chosen, asked, or last sent a mark.
    pub(super) since: Instant,
}

impl Source {
    /// Chosen, not asked yet.
    pub(super) fn chosen(peer: PeerId, planned: bool, now: Instant) -> Self {
        Self {
            peer,
            link: None,
            rank: None,
            since: now,
            from: 0,
            newest: None,
            planned,
            ends: false,
        }
    }
}

/// A parent that was left, and sends what waited for us there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Former {
    pub(super) link: LinkId,
    /// The first block that the present parent sent.
    pub(super) before: u64,
    /// When it was left, or sent something.
    pub(super) heard: Instant,
    /// The newest block it sent.
    pub(super) newest: Option<u64>,
}

/// What is wrong with the present parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Neither chunk nor mark for too long; its link is up.
    Silent,
    /// It says for too long that nothing comes, and others have what it should send.
    Withheld,
    /// The same, and nobody else has been seen to have it.
    Starved,
    /// Its link is gone.
    Lost,
    /// It takes its leave, and sends until we have moved.
    Leaving,
    /// It does not send any more, and said so.
    Detached(DetachReason),
    /// There never was one that sent.
    Unserved,
}

impl Fault {
    /// As the coordinator is told.
    pub(super) fn reason(self) -> DetachReason {
        match self {
            Self::Silent | Self::Withheld | Self::Starved => DetachReason::Silent,
            Self::Lost | Self::Unserved => DetachReason::Unreachable,
            Self::Leaving => DetachReason::Leaving,
            Self::Detached(why) => why,
        }
    }

    /// Whether the parent's link is up, so that it may yet send again.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Self::Silent | Self::Withheld | Self::Starved)
    }

    /// Whether the parent failed, as against went or was told to.
    pub(super) fn is_failure(self) -> bool {
        self.may_pass() || self == Self::Lost
    }
}

/// A repair that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    /// The last chunk or mark from the parent.
    pub(super) heard: Instant,
    pub(super) tried_spare: bool,
    pub(super) tried_parent: bool,
    /// Why the parent that the grant names does not send, as far as that is another matter than `fault`.
    pub(super) plan_failed: Option<DetachReason>,
    /// Since when the coordinator is waited for, all else having failed.
    pub(super) orphaned: Option<Instant>,
}

/// A stripe that this viewer receives, or is to.
///
/// `main` sends now, `next` is to: a move if `trouble` is none, else a repair. Which of them sends first from now on is
/// `main` then.
///
/// What each event touches comes first, and close together.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Feed {
    pub(super) stripe: StripeId,
    /// How many chunks have come from others since then that are newer than what whoever sends it has sent.
    pub(super) elsewhere: u8,
    /// Whether the coordinator named another parent while a repair was under way: there we go when it is over.
    pub(super) plan_waits: bool,
    /// When whoever sends it sent a chunk last.
    pub(super) flowed: Option<Instant>,
    /// The newest block received from anybody.
    pub(super) newest: Option<u64>,
    pub(super) trouble: Option<Trouble>,
    /// The first block that is wanted.
    pub(super) base: u64,
    pub(super) watch: Watch,
    pub(super) main: Option<Source>,
    /// The newest ticket's grant; none once it is withdrawn, since that time.
    pub(super) grant: Result<Grant, Instant>,
    pub(super) former: Option<Former>,
    pub(super) next: Option<Source>,
    /// The rank that the forwarder holds children to.
    pub(super) rank: Rank,
    /// The block beyond which it sends nothing though it sends another stripe on, and since when; no time once that was told.
    pub(super) lacks: Option<(u64, Option<Instant>)>,
}

impl Feed {
    /// One that has just been granted.
    pub(super) fn new(grant: Grant, base: u64, now: Instant) -> Self {
        Self {
            stripe: grant.stripe,
            rank: grant.rank,
            grant: Ok(grant),
            main: None,
            next: None,
            former: None,
            trouble: None,
            watch: Watch::new(now),
            base,
            plan_waits: false,
            newest: None,
            elsewhere: 0,
            flowed: None,
            lacks: None,
        }
    }

    /// The present parent, as long as nothing is wrong with it.
    pub(super) fn healthy(&self) -> Option<&Source> {
        self.main.as_ref().filter(|_| self.trouble.is_none())
    }

    /// The newest block that whoever sends it has sent, and some: when other stripes are beyond, it has been due for long.
    pub(super) fn reached(&self) -> u64 {
        let newest = self.main.as_ref().and_then(|main| main.newest);
        newest.unwrap_or(self.base) + STARVED_BLOCKS
    }

    /// Whether it is granted.
    pub(super) fn is_granted(&self) -> bool {
        self.grant.is_ok()
    }

    /// Whether nothing more comes of it: it is not granted any more, and nobody sends it.
    pub(super) fn has_ended(&self, now: Instant) -> bool {
        let sends = self.main.as_ref().is_some_and(|main| main.link.is_some());
        let speaks = now < self.watch.heard() + ENDED;
        self.grant.is_err() && self.former.is_none() && !(sends && speaks)
    }

    /// Whether a link carries it, or is to.
    pub(super) fn uses(&self, link: LinkId) -> bool {
        [&self.main, &self.next]
            .into_iter()
            .flatten()
            .any(|source| source.link == Some(link))
    }

    /// Whether a peer sends it, or is to, or may be asked at once.
    pub(super) fn concerns(&self, peer: &PeerId) -> bool {
        let sources = [&self.main, &self.next];
        sources.into_iter().flatten().any(|source| source.peer == *peer) || self.names(&peer.tag())
    }

    /// Whether the grant names this tag.
    pub(super) fn names(&self, tag: &PeerTag) -> bool {
        let grant = self.grant.as_ref();
        grant.is_ok_and(|grant| grant.names(*tag))
    }

    /// Whether the rank of the grant is held: it may be lower than the one held only once no parent stands above it.
    pub(super) fn may_adopt_rank(&self) -> bool {
        let Ok(grant) = &self.grant else { return false };
        let below = |source: &Source| match source.rank {
            Some(rank) => rank < grant.rank,
            None => self.names(&source.peer.tag()),
        };
        let asked = self.next.as_ref().filter(|next| next.link.is_some());
        grant.rank >= self.rank || (self.main.as_ref().is_none_or(below) && asked.is_none_or(below))
    }

    /// When something must be done if nothing comes, on links of these round-trip times.
    pub(super) fn due(&self, round_trip: impl Fn(LinkId) -> Duration) -> Option<Instant> {
        if self.grant.is_err() {
            return None;
        }
        if let Some(next) = &self.next {
            let healthy = self.healthy().and_then(|main| main.link);
            let next_due = next.since + self.patience(next, &round_trip);
            let main_due = healthy.map(|link| self.watch.deadline(round_trip(link)));
            return Some(main_due.map_or(next_due, |main| main.min(next_due)));
        }
        match (&self.trouble, &self.main) {
            (Some(trouble), _) => Some(trouble.orphaned.map_or(Instant::ZERO, |at| at + ORPHAN_PATIENCE)),
            (None, Some(main)) => main.link.map(|link| self.watch.deadline(round_trip(link))),
            (None, None) => None,
        }
    }

    /// How long `next` may take.
    pub(super) fn patience(&self, next: &Source, round_trip: impl Fn(LinkId) -> Duration) -> Duration {
        match next.link {
            None if self.trouble.is_some() => URGENT_LINK_PATIENCE,
            None => LINK_PATIENCE,
            Some(_) if self.healthy().is_some() => MOVE_PATIENCE,
            Some(link) if next.planned && self.main.is_some() => {
                URGENT_PLAN_PATIENCE + round_trip(link) * 3 / 2
            }
            Some(_) if next.planned => PLAN_PATIENCE,
            Some(link) if next.rank.is_none() => ANSWER_PATIENCE + round_trip(link) * 3 / 2,
            Some(link) => CHUNK_PATIENCE + round_trip(link) * 3 / 2,
        }
    }

    /// A new plan, or a new try: whom the grant names may be asked again.
    pub(super) fn forget_plan(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.tried_spare = false;
            trouble.tried_parent = false;
            trouble.plan_failed = None;
        }
    }

    /// A new epoch: blocks are numbered anew from `base`.
    pub(super) fn restart(&mut self, base: u64, now: Instant) {
        self.base = base;
        self.newest = None;
        self.lacks = None;
        self.former = None;
        let heard = self.watch.heard();
        self.watch = Watch::new(if self.trouble.is_some() { heard } else { now });
        for source in [&mut self.main, &mut self.next].into_iter().flatten() {
            source.from = base;
            source.newest = None;
        }
    }
}

/// All feeds, ascending by stripe, and found by stripe at once.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Feeds {
    feeds: Vec<Feed>,
    /// Whether something changed since that may make it earlier.
    pub(super) changed: bool,
    /// Whether somebody was chosen and not asked yet.
    pub(super) unsettled: bool,
    /// When the first of them is due, as reckoned up last.
    pub(super) due: Option<Instant>,
    /// By stripe slot, the index in `feeds`, or [`Self::NONE`].
    index: [u8; STRIPES],
}

impl Feeds {
    const NONE: u8 = u8::MAX;

    pub(super) fn new() -> Self {
        Self {
            feeds: Vec::new(),
            index: [Self::NONE; STRIPES],
            unsettled: false,
            due: None,
            changed: false,
        }
    }

    /// Where a stripe's feed is.
    pub(super) fn find(&self, stripe: StripeId) -> Option<usize> {
        let at = self.index[stripe_slot(stripe)?];
        (at != Self::NONE).then_some(usize::from(at))
    }

    /// Adds a feed; there must be none of its stripe.
    pub(super) fn insert(&mut self, feed: Feed) -> usize {
        let at = self.feeds.partition_point(|other| other.stripe < feed.stripe);
        self.feeds.insert(at, feed);
        self.reindex();
        at
    }

    /// Takes a feed out.
    pub(super) fn remove(&mut self, at: usize) -> Feed {
        let feed = self.feeds.remove(at);
        self.reindex();
        feed
    }

    fn reindex(&mut self) {
        self.changed = true;
        self.index = [Self::NONE; STRIPES];
        for (at, feed) in self.feeds.iter().enumerate() {
            if let Some(slot) = stripe_slot(feed.stripe) {
                self.index[slot] = at as u8;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.feeds.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter()
    }

    /// A feed that something came for, which makes nothing due earlier.
    pub(super) fn flowing(&mut self, at: usize) -> &mut Feed {
        &mut self.feeds[at]
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Feed> {
        self.changed = true;
        self.feeds.iter_mut()
    }
}

impl core::ops::Index<usize> for Feeds {
    type Output = Feed;
    fn index(&self, at: usize) -> &Feed {
        &self.feeds[at]
    }
}

impl core::ops::IndexMut<usize> for Feeds {
    fn index_mut(&mut self, at: usize) -> &mut Feed {
        self.changed = true;
        &mut self.feeds[at]
    }
}
