//! Catching up: which chunks are asked for by number, and of whom.
//!
//! A seat brings what is new; what is older than the seat is fetched from whoever has uplink to spare, and so is what the parent
//! lacks when it is soon due (`docs/protocol.md` §6.4).

use super::Viewer;
use super::feed::Feed;
use crate::io::{LinkId, Outbox};
use crate::limits::SPREAD;
use crate::media::StripeId;
use crate::media::playout::Missing;
use crate::time::{ChannelTime, Duration, Instant, TICK};
use crate::wire::control::{Message, Pull};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Range;

/// How near playout must be before a chunk that the parent may still send is asked for elsewhere: two tries at a
/// far-away peer, and a little.
const NEAR: Duration = Duration::from_millis(700);

/// The same for who feeds others, who then need not ask themselves.
const NEAR_INTERIOR: Duration = Duration::from_millis(1100);

/// A sender from whom a chunk came that lately sends on, however late: asking others would cost uplink that is
/// better spent on catching up.
const FLOWS: Duration = Duration::from_millis(300);

/// Who was just asked for the stripe has so long to begin.
const ANSWERS: Duration = Duration::from_millis(500);

/// A sender that says for so long that nothing comes may keep it back, for whoever fails above it is replaced by then.
const NOTHING: Duration = Duration::from_millis(600);

/// What is overdue for so long is not asked for any more: playing goes on behind it before an answer comes.
const OVERDUE_MAX: Duration = Duration::from_secs(2);

/// How often is looked.
const EVERY: Duration = Duration::from_millis(100);

/// A seat begins at most so many blocks behind the live edge. What is older would come too late by an ordered lane, and everybody below
/// would be as late for long: it is fetched by number.
const SEAT_BEHIND: u64 = 10;

/// One in so many asks the broadcaster for a block that many lack: from it, and from those who asked it, the others get it.
const FETCHED_BY: u64 = 4;

/// A chunk that is to be pulled: its block, its stripe, where the stripe's feed is, and who was asked for it in vain.
type Wanted = (u64, StripeId, usize, Option<LinkId>);

impl Viewer {
    pub(super) fn pulls_due(&self) -> Option<Instant> {
        // Chunks that come have it looked at; this is for when none do.
        (self.feeds.len() > 0).then_some(self.pulls.check + EVERY)
    }

    pub(super) fn run_pulls(&mut self, now: Instant, out: &mut Outbox) {
        if now < self.pulls.check {
            return;
        }
        self.pulls.check = now + EVERY;
        self.pulls.reckon(now);
        self.pulls.sparing = !self.screen.has_begun();
        let mut wanted: Vec<Wanted> = Vec::new();
        for at in 0..self.feeds.len() {
            self.want(now, at, &mut wanted);
        }
        wanted.sort_unstable();
        let asked = self.ask_all(now, &wanted);
        self.say_pulls(asked, out);
        if self.lacks_holders() {
            self.warm_spares(now, out);
        }
    }

    /// Whether more is missing than may be asked of the one peer that all stripes come from, while a handshake with another one is a
    /// small matter.
    pub(super) fn lacks_holders(&self) -> bool {
        let mut senders = self
            .feeds
            .iter()
            .flat_map(|feed| [&feed.main, &feed.next])
            .flatten();
        let one = senders.next().map(|sender| sender.peer);
        let alone = one.is_some() && senders.all(|sender| Some(sender.peer) == one);
        self.pulls.hungry && alone && self.dials.are_quick()
    }

    /// The blocks that a feed gets from a parent that it is about to leave, or has left: newer than what that one sent, and older
    /// than what the other one begins with.
    fn comes(&self, now: Instant, at: usize) -> Range<u64> {
        let feed = &self.feeds[at];
        let after = |newest: Option<u64>| newest.map_or(0, |newest| newest + 1);
        if let Some(former) = feed.former.filter(|former| now < former.heard + FLOWS) {
            return after(former.newest)..former.before;
        }
        let flows = feed.flowed.is_some_and(|flowed| now < flowed + FLOWS);
        let main = feed.healthy().filter(|main| flows && main.link.is_some());
        let next = feed.next.as_ref().filter(|next| next.link.is_some());
        main.zip(next)
            .map_or(0..0, |(main, next)| after(main.newest)..next.from)
    }

    /// Where a feed's seat begins: what is older is fetched by number. One of a lower tier begins where that takes over: all below would wait for
    /// what comes before.
    pub(super) fn seat_from(&self, now: Instant, at: usize) -> u64 {
        let behind = self.live_edge(now).saturating_sub(SEAT_BEHIND);
        let begins = self.screen.takes_over_at(self.feeds[at].stripe.tier);
        let begins = begins.filter(|block| block + SEAT_BEHIND / 2 >= behind);
        self.lacking(at).max(begins.unwrap_or(behind))
    }

    /// The newest block that there should be.
    pub(in crate::role) fn live_edge(&self, now: Instant) -> u64 {
        let (block, since) = self.edge;
        block + (now.since(since).as_micros() / TICK.as_micros()) as u64
    }

    /// The blocks that a feed should pull, and has not asked for, or in vain so far.
    fn want(&self, now: Instant, at: usize, wanted: &mut Vec<Wanted>) {
        let feed = &self.feeds[at];
        if !feed.is_granted() {
            return;
        }
        let sender = feed.next.as_ref().or(feed.main.as_ref());
        let seat = sender.filter(|sender| sender.link.is_some() || sender.newest.is_some());
        let from = seat.map_or_else(|| self.seat_from(now, at), |sender| sender.from);
        let passed = seat.and_then(|sender| sender.newest).unwrap_or_default();
        let near = self.near(now, at);
        let hole = self.at(now) + self.nearness(feed);
        let overdue = self.at(now).before(OVERDUE_MAX);
        let stripe = feed.stripe;
        let comes = self.comes(now, at);
        let there = self.live_edge(now).saturating_sub(SPREAD);
        let from = if self.says_nothing_comes(now, feed) {
            there
        } else {
            from.min(there)
        };
        let needless_before = self.screen.takes_over_at(stripe.tier).unwrap_or_default();
        self.for_missing(now, feed, from, |missing| {
            let by = if missing.block < passed { hole } else { near };
            let is_due = missing.due.is_some_and(|due| due <= by);
            let is_over = missing.due.is_some_and(|due| due <= overdue);
            let is_older = missing.block < from;
            let is_needed = missing.block >= needless_before && !comes.contains(&missing.block);
            if is_needed && (is_older || is_due) && !is_over {
                match self.pulls.asked(now, stripe, missing.block) {
                    None => wanted.push((missing.block, stripe, at, None)),
                    Some((link, true)) => wanted.push((missing.block, stripe, at, Some(link))),
                    Some((_, false)) => {}
                }
            }
        });
    }

    /// What a feed lacks up to the newest block that has come, and in any case what comes before `until`. Of a tier that is not shown here, what children
    /// lack: all below would be without it, and would have nobody to ask.
    fn for_missing(&self, now: Instant, feed: &Feed, until: u64, mut each: impl FnMut(Missing)) {
        let stripe = feed.stripe;
        if self.screen.wants(stripe.tier) {
            return self.screen.missing(stripe, until).for_each(each);
        }
        let store = self.forwarder.store();
        let (Some(newest), true) = (store.newest(stripe), self.forwarder.is_interior(stripe)) else {
            return;
        };
        let edge = self.live_edge(now);
        let due =
            |block| (self.at(now) + self.config.buffer).before(TICK * edge.saturating_sub(block) as u32);
        let played = edge.saturating_sub((self.config.buffer.as_micros() / TICK.as_micros()) as u64);
        let blocks =
            (feed.base.max(played)..newest.max(until)).filter(|block| store.get(stripe, *block).is_none());
        for block in blocks {
            let due = Some(due(block));
            each(Missing { block, due });
        }
    }

    /// Until when a chunk must be due that the sender has not come to yet; never, as long as it sends.
    fn near(&self, now: Instant, at: usize) -> ChannelTime {
        let feed = &self.feeds[at];
        let flows = feed.flowed.is_some_and(|flowed| now < flowed + FLOWS);
        let asked = feed.next.as_ref().is_some_and(|next| now < next.since + ANSWERS);
        if flows || asked {
            ChannelTime::default()
        } else {
            self.at(now) + NEAR
        }
    }

    /// Whether who sends a feed has said for long that nothing comes, while other stripes go on.
    fn says_nothing_comes(&self, now: Instant, feed: &Feed) -> bool {
        let flowed = feed.flowed.filter(|_| feed.healthy().is_some());
        let speaks = now < feed.watch.heard() + FLOWS;
        let newest = feed.main.as_ref().and_then(|main| main.newest);
        let others_go_on = newest.is_some_and(|newest| self.edge.0 > newest + SPREAD);
        speaks && others_go_on && flowed.is_some_and(|flowed| now >= flowed + NOTHING)
    }

    fn nearness(&self, feed: &Feed) -> Duration {
        if self.forwarder.is_interior(feed.stripe) {
            NEAR_INTERIOR
        } else {
            NEAR
        }
    }

    /// Finds somebody for each chunk, the oldest first. Notes whether there were more than anybody may be asked for.
    fn ask_all(&mut self, now: Instant, wanted: &[Wanted]) -> Vec<(LinkId, StripeId, u64)> {
        let mut asked = Vec::new();
        self.pulls.hungry = false;
        for &(block, stripe, at, former) in wanted {
            let holder = self.holder(now, at, block, former);
            let Some(link) = holder.filter(|_| self.pulls.may_ask()) else {
                self.pulls.hungry |= former.is_none();
                continue;
            };
            self.pulls.note(now, link, stripe, block);
            asked.push((link, stripe, block));
        }
        asked
    }

    /// Who is asked for a chunk: whoever is likely to have it and may be asked for most, the likeliest first, but not `former`. The
    /// broadcaster is left to the few who fetch the block for all, while others may be asked who were not asked in vain.
    fn holder(&self, now: Instant, at: usize, block: u64, former: Option<LinkId>) -> Option<LinkId> {
        let holders = self.holders(now, at, block);
        let awaits = |feed: &Feed| feed.next.as_ref().is_some_and(|next| next.link.is_none());
        let alone = holders.len() == 1 && !self.feeds.iter().any(awaits);
        let room = |link: &LinkId| self.pulls.room(*link, alone);
        let source = self.links.to(&self.config.channel.peer()).map(|link| link.id);
        let is_source = |link: &LinkId| Some(*link) == source;
        let shared = self.screen.has_begun() && holders.len() > 1;
        let fetches = shared && self.fetches(block);
        let spares_source = shared && !fetches && former.is_none();
        let able = holders
            .into_iter()
            .filter(|link| Some(*link) != former && room(link) > 0)
            .filter(|link| !spares_source || !is_source(link));
        able.min_by_key(|link| (fetches && !is_source(link), Reverse(room(link))))
    }

    /// Whether we are one of the few who ask the broadcaster for a block that many may lack at once: they pass it on.
    fn fetches(&self, block: u64) -> bool {
        (u64::from(self.config.id.0[0]) + block).is_multiple_of(FETCHED_BY)
    }

    /// Who is likely to have what the parent of a feed does not send: the parents and spares of the tier's stripes. The
    /// broadcaster, if it may be asked for this stripe anyway, for what is older than a seat, or where the parent may keep it back from all
    /// whom we could ask.
    fn holders(&self, now: Instant, at: usize, block: u64) -> Vec<LinkId> {
        let feed = &self.feeds[at];
        let main = feed
            .main
            .as_ref()
            .filter(|main| block >= main.from)
            .and_then(|main| main.link);
        let channel = self.config.channel.peer();
        let withheld = self.says_nothing_comes(now, feed);
        let may_ask_source = main.is_none() || feed.names(&channel.tag()) || withheld;
        let mut holders: Vec<LinkId> = Vec::new();
        let tier = feed.stripe.tier;
        let others = self.feeds.iter().filter(|other| other.stripe.tier == tier);
        for other in core::iter::once(feed).chain(others) {
            let spare = other.grant.as_ref().ok().and_then(|grant| grant.spare);
            let spare = spare
                .and_then(|tag| self.book.peer(&tag))
                .and_then(|peer| self.links.to(&peer));
            let parents = [&other.main, &other.next].into_iter().flatten();
            let parents = parents
                .filter(|source| source.peer != channel)
                .filter_map(|source| source.link);
            for link in spare.map(|link| link.id).into_iter().chain(parents) {
                if Some(link) != main && !holders.contains(&link) {
                    holders.push(link);
                }
            }
        }
        let source = self.links.to(&channel).map(|link| link.id);
        let source = source.filter(|link| may_ask_source && !holders.contains(link));
        holders.extend(source.filter(|link| Some(*link) != main));
        // Its lane has passed the chunk by, and yet it may have it: the link was slow, and it skipped to the live edge.
        holders.extend(main.filter(|_| holders.is_empty()));
        holders
    }

    fn say_pulls(&mut self, mut asked: Vec<(LinkId, StripeId, u64)>, out: &mut Outbox) {
        asked.sort_unstable();
        for group in asked.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let (id, stripe, _) = group[0];
            let blocks = group.iter().map(|(.., block)| *block).collect();
            self.show_ticket_to(id, out);
            self.links.ask(id, stripe);
            out.tell(id, &Message::Pull(Pull { stripe, blocks }));
        }
    }
}
