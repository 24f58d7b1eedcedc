//! Who sends what: planned moves, make before break.

use super::Viewer;
use super::feed::{Fault, Former, STARVED_BLOCKS, Source};
use super::watch::Watch;
use crate::event::Event;
use crate::id::PeerId;
use crate::io::{LinkId, Outbox};
use crate::media::StripeId;
use crate::media::store::BLOCKS_KEPT;
use crate::time::Instant;
use crate::wire::control::{Accusation, Attach, DetachReason, Message, Moved};
use crate::wire::ticket::Rank;
use alloc::vec::Vec;

impl Viewer {
    /// This peer is to send the stripe from now on.
    pub(super) fn choose(&mut self, now: Instant, at: usize, peer: PeerId, planned: bool, out: &mut Outbox) {
        self.cancel_next(at, out);
        let feed = &mut self.feeds[at];
        feed.next = Some(Source::chosen(peer, planned, now));
        if let Some(trouble) = &mut feed.trouble {
            trouble.orphaned = None;
        }
        self.feeds.unsettled = true;
    }

    /// Nobody else is to send the stripe, after all.
    pub(super) fn cancel_next(&mut self, at: usize, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        let main = feed.main.as_ref().and_then(|main| main.link);
        let Some(next) = feed.next.take() else { return };
        let stripe = feed.stripe;
        self.say_detach(next.link.filter(|link| Some(*link) != main), stripe, 0, out);
    }

    /// Wants no more of a stripe from block `from` on; 0: nothing at all.
    pub(super) fn say_detach(&self, link: Option<LinkId>, stripe: StripeId, from: u64, out: &mut Outbox) {
        if let Some(link) = link.filter(|link| self.links.get(*link).is_some()) {
            out.tell(link, &Message::Detach { stripe, from });
        }
    }

    /// Goes where the grant says.
    pub(super) fn follow_plan(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        let Ok(grant) = &self.feeds[at].grant else { return };
        let (stripe, tag) = (grant.stripe, grant.parent);
        let named = self.book.peer(&tag);
        if let Some(peer) = named
            && self.can_ask(now, peer, out)
        {
            if let Some(trouble) = &mut self.feeds[at].trouble {
                trouble.tried_parent = true;
            }
            return self.choose(now, at, peer, true, out);
        }
        let feed = &self.feeds[at];
        match (&feed.trouble, &feed.main) {
            (None, Some(_)) => self.say_orphaned(stripe, &tag, DetachReason::Unreachable, out),
            (None, None) => self.fault(now, at, Fault::Unserved, out),
            (Some(_), _) if feed.next.is_none() => self.advance(now, at, out),
            (Some(_), _) => {}
        }
    }

    /// Asks all those who were chosen and can be asked, in one message each, and shows our ticket to those who lack it.
    pub(super) fn settle(&mut self, now: Instant, out: &mut Outbox) {
        if !self.feeds.unsettled {
            return;
        }
        self.pulls.hurry(now);
        let mut rounds = 0;
        while core::mem::take(&mut self.feeds.unsettled) && rounds < 4 {
            rounds += 1;
            let mut asked = self.seat_all(now, out);
            asked.sort_unstable_by_key(|(link, _)| *link);
            for group in asked.chunk_by(|one, other| one.0 == other.0) {
                let stripes = group.iter().map(|(_, at)| {
                    let feed = &self.feeds[*at];
                    (
                        feed.stripe,
                        feed.next.as_ref().map_or(feed.base, |next| next.from),
                    )
                });
                let stripes = stripes.collect();
                self.say_attach(group[0].0, stripes, out);
            }
        }
        self.show_ticket(out);
    }

    /// Seats whoever was chosen and is linked; dials the others.
    fn seat_all(&mut self, now: Instant, out: &mut Outbox) -> Vec<(LinkId, usize)> {
        let mut asked = Vec::new();
        for at in 0..self.feeds.len() {
            let next = self.feeds[at].next.as_ref();
            let Some(peer) = next.filter(|next| next.link.is_none()).map(|next| next.peer) else {
                continue;
            };
            if let Some(link) = self.links.to(&peer).map(|link| link.id) {
                self.seat(now, at, link, out);
                asked.push((link, at));
            } else if !self.can_ask(now, peer, out) {
                self.next_failed(now, at, DetachReason::Unreachable, out);
            }
        }
        asked
    }

    fn seat(&mut self, now: Instant, at: usize, link: LinkId, out: &mut Outbox) {
        let (stripe, from) = (self.feeds[at].stripe, self.seat_from(now, at));
        if let Some(next) = &mut self.feeds[at].next {
            next.link = Some(link);
            next.since = now;
            next.from = from;
        }
        self.links.ask(link, stripe);
        let Some(peer) = self.peer_of(link) else {
            return;
        };
        // Who becomes our parent is no longer our child, whichever message arrives first.
        if self.forwarder.children().any(|child| child == (peer, stripe)) {
            let gone = self.forwarder.detach(now, link, stripe, 0, out);
            debug_assert!(gone.is_ok(), "a child may be detached");
        }
    }

    /// Asks a peer for stripes, and shows it our ticket if it has not seen it.
    fn say_attach(&mut self, id: LinkId, stripes: Vec<(StripeId, u64)>, out: &mut Outbox) {
        let (Some(held), Some(link)) = (&self.ticket, self.links.get_mut(id)) else {
            return;
        };
        let ticket = (link.shown < held.ticket.serial).then(|| held.sealed.clone());
        link.shown = held.ticket.serial;
        link.shown_until = held.ticket.expires;
        out.tell(id, &Message::Attach(Attach { ticket, stripes }));
    }

    /// Shows our newest ticket to parents, and to spares, who must know us before they are needed.
    fn show_ticket(&mut self, out: &mut Outbox) {
        if self.ticket.is_none() {
            return;
        }
        let lacks = |link: &&super::links::Link| {
            let unknown = link.is_up() && link.shown == 0;
            unknown && self.feeds.iter().any(|feed| feed.concerns(&link.peer))
        };
        let links: Vec<LinkId> = self.links.iter().filter(lacks).map(|link| link.id).collect();
        for link in links {
            self.say_attach(link, Vec::new(), out);
        }
    }

    /// Before anybody is asked for a stripe by pull.
    pub(super) fn show_ticket_to(&mut self, link: LinkId, out: &mut Outbox) {
        let serial = self.ticket.as_ref().map_or(0, |held| held.ticket.serial);
        if self.links.get(link).is_some_and(|link| link.shown < serial) {
            self.say_attach(link, Vec::new(), out);
        }
    }

    /// The first block of a stripe that we lack and want.
    pub(super) fn lacking(&self, at: usize) -> u64 {
        let feed = &self.feeds[at];
        if let Some(newest) = self.screen.newest(feed.stripe) {
            return newest.contiguous.map_or(feed.base, |block| block + 1);
        }
        let store = self.forwarder.store();
        let oldest = store
            .newest(feed.stripe)
            .map_or(0, |newest| newest.saturating_sub(BLOCKS_KEPT - 1));
        let start = feed.base.max(oldest);
        store
            .contiguous(feed.stripe, start)
            .map_or(start, |block| block + 1)
    }

    /// A chunk came on `link` from somebody who was asked for it.
    pub(super) fn on_flow(&mut self, now: Instant, at: usize, link: LinkId, block: u64, out: &mut Outbox) {
        let feed = self.feeds.flowing(at);
        feed.newest = feed.newest.max(Some(block));
        if let Some(main) = feed.main.as_mut().filter(|main| main.link == Some(link)) {
            if main.newest.is_some_and(|newest| block > newest + 1) {
                // What was passed over does not come on an ordered lane any more.
                self.pulls.hurry(now);
            }
            let is_older = main.newest.is_some_and(|newest| block <= newest);
            main.newest = main.newest.max(Some(block));
            feed.flowed = Some(now);
            feed.elsewhere = 0;
            if is_older {
                // A chunk of a backlog says that the parent lives, and nothing of how punctual it is.
                feed.watch.mark(now);
            } else {
                feed.watch.chunk(now, block);
            }
            if feed.trouble.is_some_and(|trouble| trouble.fault.may_pass()) {
                self.recovered(now, at, out);
            }
        } else if feed
            .next
            .as_ref()
            .is_some_and(|next| next.link == Some(link) && next.rank.is_some() && block >= next.from)
        {
            // It has granted the seat: what is only asked for by number comes from those who refuse it, too.
            self.promote(now, at, block, out);
        } else if let Some(former) = feed.former.as_mut().filter(|former| former.link == link) {
            former.heard = now;
            former.newest = former.newest.max(Some(block));
        } else {
            self.on_flow_elsewhere(at, block);
        }
    }

    /// The first chunk from the new parent: now the old one is left. If it still sends, it sends what is older than that chunk and waits.
    fn promote(&mut self, now: Instant, at: usize, block: u64, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        let stripe = feed.stripe;
        let (Some(mut next), trouble) = (feed.next.take(), feed.trouble.take()) else {
            return;
        };
        next.newest = Some(block);
        let (to, planned, link) = (next.peer, next.planned, next.link);
        let parent = feed.main.as_ref().map(|old| old.peer);
        let starved = trouble.is_some_and(|trouble| trouble.fault == Fault::Starved);
        if let Some(parent) = parent.filter(|_| starved && block + STARVED_BLOCKS <= self.edge.0) {
            // What the spare has had for so long, the parent said that it had not.
            self.reports.accuse(parent, Accusation::Late);
            self.run_urgent_reports(now, out);
        }
        let feed = &mut self.feeds[at];
        let failed = trouble.is_some_and(|trouble| trouble.fault.is_failure());
        let before = if failed { 0 } else { block };
        let old = feed.main.replace(next);
        let left = old
            .as_ref()
            .and_then(|old| old.link.filter(|old| Some(*old) != link));
        feed.former = left.filter(|_| !failed).map(|link| Former {
            link,
            before,
            heard: now,
            newest: old.as_ref().and_then(|old| old.newest),
        });
        feed.flowed = Some(now);
        feed.elsewhere = 0;
        feed.watch = Watch::new(now);
        feed.watch.chunk(now, block);
        if let Some(old) = &old {
            self.say_detach(left, stripe, before, out);
            if let Some(trouble) = trouble.filter(|trouble| trouble.fault.is_failure()) {
                let (from, gap_ms) = (old.peer, now.since(trouble.heard).as_millis() as u64);
                out.event(Event::Repaired {
                    stripe,
                    gap_ms,
                    from,
                    to,
                });
            }
        }
        // Who said itself that it does not send any more is not to be blamed.
        let is_blamed = planned || trouble.is_none_or(|trouble| trouble.fault.is_failure());
        let from = old.map(|old| old.peer).filter(|from| *from != to && is_blamed);
        let moved = Moved {
            stripe,
            to,
            from,
            planned,
        };
        self.tell_coordinator(&Message::Moved(moved), out);
        self.adopt_rank(at, out);
        if core::mem::take(&mut self.feeds[at].plan_waits) && !planned {
            self.follow_plan(now, at, out);
        }
    }

    /// Holds children to the granted rank, as soon as no parent stands above it.
    pub(super) fn adopt_rank(&mut self, at: usize, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        let Ok(grant) = &feed.grant else { return };
        if feed.rank != grant.rank && feed.may_adopt_rank() {
            feed.rank = grant.rank;
            self.forwarder.set_rank(feed.stripe, Some(grant.rank), out);
        }
    }

    /// A parent told its rank on a stripe.
    pub(super) fn on_rank(
        &mut self,
        now: Instant,
        link: LinkId,
        stripe: StripeId,
        rank: Rank,
        out: &mut Outbox,
    ) {
        let Some(at) = self.feeds.find(stripe) else { return };
        let feed = &mut self.feeds[at];
        let granted = feed.grant.as_ref().map_or(feed.rank, |grant| grant.rank);
        if let Some(next) = feed.next.as_mut().filter(|next| next.link == Some(link)) {
            next.rank = Some(rank);
            next.since = now;
            if rank >= granted {
                return self.next_failed(now, at, DetachReason::Rank, out);
            }
        }
        let held = feed.rank;
        if let Some(main) = feed.main.as_mut().filter(|main| main.link == Some(link)) {
            main.rank = Some(rank);
            if rank >= held {
                // It would be a ring in the making.
                self.say_detach(Some(link), stripe, 0, out);
                return self.fault(now, at, Fault::Detached(DetachReason::Rank), out);
            }
        }
        self.adopt_rank(at, out);
    }

    /// A parent does not send a stripe, or no longer.
    pub(super) fn on_detached(
        &mut self,
        now: Instant,
        link: LinkId,
        stripe: StripeId,
        why: DetachReason,
        out: &mut Outbox,
    ) {
        let Some(at) = self.feeds.find(stripe) else { return };
        let feed = &mut self.feeds[at];
        if let Some(next) = feed.next.as_mut().filter(|next| next.link == Some(link)) {
            // Ranks change while tickets are under way: that proves nothing against it.
            if why == DetachReason::NoTicket {
                self.reports.accuse(next.peer, Accusation::Refused);
            }
            // It has said so itself: there is nothing to detach from.
            next.link = None;
            self.next_failed(now, at, why, out);
        }
        let feed = &mut self.feeds[at];
        if let Some(main) = feed.main.as_mut().filter(|main| main.link == Some(link)) {
            if why == DetachReason::Replaced && feed.trouble.is_none() {
                // What waits for us still comes; whoever the plan names sends what follows.
                main.ends = true;
                return;
            }
            let fault = match why {
                DetachReason::Leaving => Fault::Leaving,
                why => Fault::Detached(why),
            };
            self.fault(now, at, fault, out);
        }
    }

    /// The link that a feed comes on is given up for another to the same peer.
    pub(super) fn reseat(&mut self, now: Instant, at: usize, old: LinkId, out: &mut Outbox) {
        if !self.feeds[at].uses(old) {
            return;
        }
        let from = self.lacking(at);
        let feed = &mut self.feeds[at];
        let stripe = feed.stripe;
        let sources = [&mut feed.main, &mut feed.next].into_iter().flatten();
        let Some(source) = sources.into_iter().find(|source| source.link == Some(old)) else {
            return;
        };
        let Some(link) = self.links.to(&source.peer).map(|link| link.id) else {
            return self.lose(now, at, old, out);
        };
        source.link = Some(link);
        self.say_detach(Some(old), stripe, 0, out);
        self.links.ask(link, stripe);
        self.say_attach(link, alloc::vec![(stripe, from)], out);
    }
}
