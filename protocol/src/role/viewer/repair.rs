//! Repairs: parents that fail, peers that do not answer, and orphans (`docs/protocol.md` §6.4).

use super::Viewer;
use super::feed::{Fault, Feed, Source, Trouble};
use crate::id::{PeerId, PeerTag};
use crate::io::{LinkId, Outbox};
use crate::media::StripeId;
use crate::time::Instant;
use crate::wire::amendments::Amendments;
use crate::wire::control::{Accusation, DetachReason, Message, Moved, Orphaned};

impl Viewer {
    /// When the first feed is due, or a little before: what flows only moves that time on, so it is reckoned up anew when
    /// it has come, or when something else has changed.
    pub(super) fn feeds_due(&self) -> Option<Instant> {
        self.feeds.due
    }

    pub(super) fn reckon_feeds(&mut self, now: Instant) {
        if self.feeds.changed || self.feeds.due.is_some_and(|due| now >= due) {
            let round_trip = |link| self.links.round_trip(link);
            self.feeds.due = self.feeds.iter().filter_map(|feed| feed.due(round_trip)).min();
            self.feeds.changed = false;
            self.calm.end();
        }
    }

    /// Finds silent parents, peers that do not answer, and orphans whom nobody helps.
    pub(super) fn run_feeds(&mut self, now: Instant, out: &mut Outbox) {
        self.reckon_feeds(now);
        if self.feeds.due.is_none_or(|due| now < due) {
            return;
        }
        for at in 0..self.feeds.len() {
            let round_trip = |link| self.links.round_trip(link);
            if self.feeds[at].due(round_trip).is_some_and(|due| now >= due) {
                self.run_feed(now, at, out);
            }
        }
    }

    fn run_feed(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        self.wait_for_dial(now, at);
        let (feed, round_trip) = (&self.feeds[at], |link| self.links.round_trip(link));
        let link = feed.healthy().and_then(|main| main.link);
        let silent = link.is_some_and(|link| now >= feed.watch.deadline(round_trip(link)));
        let next = feed.next.as_ref();
        let late = next.filter(|next| now >= next.since + feed.patience(next, round_trip));
        let why = late.map(|next| match next.link {
            Some(_) => DetachReason::Silent,
            None => DetachReason::Unreachable,
        });
        if silent {
            let ends = feed.main.as_ref().is_some_and(|main| main.ends);
            let fault = if ends {
                Fault::Detached(DetachReason::Replaced)
            } else {
                Fault::Silent
            };
            self.fault(now, at, fault, out);
        }
        if let Some(why) = why {
            self.next_failed(now, at, why, out);
        } else if self.feeds[at].next.is_none() {
            self.ask_around(now, at, out);
        }
    }

    /// Whoever is to send a stripe next, and is dialled when our own uplink has carried the handshakes before, has had no time yet:
    /// asked for somebody else instead, the coordinator would name another to dial, and so on, until nobody is ever reached.
    fn wait_for_dial(&mut self, now: Instant, at: usize) {
        let dials = &self.dials;
        let next = self.feeds[at].next.as_mut();
        if let Some(next) = next.filter(|next| next.link.is_none() && dials.waits(&next.peer)) {
            next.since = now;
        }
    }

    /// An orphan's turn: the coordinator found it no place in good time.
    fn ask_around(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        if self.feeds[at].trouble.is_some() {
            self.feeds[at].forget_plan();
            self.advance(now, at, out);
        }
    }

    /// Something is wrong with the present parent. Its spare is asked at once; what it still sends is taken.
    pub(super) fn fault(&mut self, now: Instant, at: usize, fault: Fault, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        let gone = matches!(fault, Fault::Lost | Fault::Detached(_));
        if feed.grant.is_err() {
            feed.main.take_if(|_| gone);
            return;
        }
        if let Some(main) = feed.main.as_mut().filter(|_| gone) {
            main.link = None;
        }
        if feed.trouble.is_some() {
            return;
        }
        let main = feed.main.as_ref().map(|main| main.peer);
        let tag = main.map(|peer| peer.tag());
        let grant = feed.grant.as_ref().ok();
        feed.trouble = Some(Trouble {
            fault,
            heard: feed.watch.heard(),
            tried_spare: tag.is_some() && grant.and_then(|grant| grant.spare) == tag,
            tried_parent: tag.is_some() && grant.map(|grant| grant.parent) == tag,
            plan_failed: None,
            orphaned: None,
        });
        let what = match fault {
            Fault::Silent => Some(Accusation::Silent),
            Fault::Withheld => Some(Accusation::Late),
            _ => None,
        };
        if let Some((main, what)) = main.zip(what) {
            self.reports.accuse(main, what);
        }
        if self.feeds[at].next.is_none() {
            self.advance(now, at, out);
        }
    }

    /// Asks whoever the grant names and was not tried yet; then it is for the coordinator to find somebody. A spare without
    /// a link is dialled but not waited for: it is asked when the link is up, unless somebody else was found by then.
    pub(super) fn advance(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        while let Some(tag) = self.feeds[at].untried() {
            let planned = self.feeds[at].is_parent(&tag);
            let Some(peer) = self.book.peer(&tag) else {
                continue;
            };
            let can_ask = self.can_ask(now, peer, out);
            if can_ask && (planned || self.links.to(&peer).is_some()) {
                return self.choose(now, at, peer, planned, out);
            }
        }
        self.orphan(now, at, out);
    }

    /// Other spares than our ticket names. A stripe whose repair has come to nothing asks its new one.
    pub(super) fn on_amend(&mut self, now: Instant, amendments: &Amendments, out: &mut Outbox) {
        for amendment in &amendments.list {
            let Some(at) = self.feeds.find(amendment.stripe) else {
                continue;
            };
            let feed = &mut self.feeds[at];
            let Ok(grant) = &mut feed.grant else { continue };
            amendment.apply(grant);
            if amendment.parent.is_some() {
                let grant = grant.clone();
                self.regrant(now, grant, 0, out);
            } else if let Some(trouble) = &mut feed.trouble {
                trouble.tried_spare = false;
                if feed.next.is_none() {
                    self.advance(now, at, out);
                }
            }
        }
        self.warm_spares(now, out);
        self.feeds.unsettled = true;
    }

    /// A link to a peer is up: where it is the spare of a stripe that lacks a parent, it is asked.
    pub(super) fn ask_spare(&mut self, now: Instant, peer: &PeerId, out: &mut Outbox) {
        for at in 0..self.feeds.len() {
            let feed = &self.feeds[at];
            let waits = feed.trouble.is_some() && feed.next.as_ref().is_none_or(|next| next.link.is_none());
            let spare = feed.grant.as_ref().ok().and_then(|grant| grant.spare);
            if waits && spare == Some(peer.tag()) && feed.main.as_ref().is_none_or(|main| main.peer != *peer)
            {
                self.choose(now, at, *peer, false, out);
            }
        }
    }

    pub(super) fn can_ask(&mut self, now: Instant, peer: PeerId, out: &mut Outbox) -> bool {
        if peer == self.config.id {
            return false;
        }
        let is_up = self.links.to(&peer).is_some();
        is_up || (!self.is_coordinator(&peer) && self.reach(now, peer, out))
    }

    fn orphan(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        let (Some(trouble), Ok(grant)) = (&mut feed.trouble, &feed.grant) else {
            return;
        };
        trouble.orphaned = Some(now);
        let (stripe, tag) = (feed.stripe, grant.parent);
        let why = trouble.plan_failed.unwrap_or(trouble.fault.reason());
        self.say_orphaned(stripe, &tag, why, out);
        self.give_up_stranger(at, out);
    }

    /// A parent that failed and that the grant does not name any more may not come back.
    fn give_up_stranger(&mut self, at: usize, out: &mut Outbox) {
        let feed = &self.feeds[at];
        let main = feed.main.as_ref().filter(|main| !feed.names(&main.peer.tag()));
        if let Some(link) = main.map(|main| main.link) {
            self.say_detach(link, feed.stripe, 0, out);
            if let Some(main) = &mut self.feeds[at].main {
                main.link = None;
            }
        }
    }

    /// Tells the coordinator that its plan for a stripe has failed.
    pub(super) fn say_orphaned(
        &self,
        stripe: StripeId,
        parent: &PeerTag,
        why: DetachReason,
        out: &mut Outbox,
    ) {
        let parent = self.book.peer(parent).unwrap_or(self.config.channel.peer());
        let orphaned = Orphaned { stripe, parent, why };
        self.tell_coordinator(&Message::Orphaned(orphaned), out);
    }

    /// Whoever was to send the stripe next does not.
    pub(super) fn next_failed(&mut self, now: Instant, at: usize, why: DetachReason, out: &mut Outbox) {
        let Some(next) = self.feeds[at].next.clone() else {
            return;
        };
        self.cancel_next(at, out);
        self.adopt_rank(at, out);
        let (stripe, tag) = (self.feeds[at].stripe, next.peer.tag());
        if self.feeds[at].healthy().is_some() {
            // The old parent still sends; but the coordinator must think of another.
            return self.say_orphaned(stripe, &tag, why, out);
        }
        if self.feeds[at].trouble.is_none() {
            self.fault(now, at, Fault::Unserved, out);
        }
        self.feeds[at].mark_tried(&next.peer, why);
        if core::mem::take(&mut self.feeds[at].plan_waits) {
            return self.follow_plan(now, at, out);
        }
        if self.feeds[at].next.is_none() {
            self.advance(now, at, out);
        }
    }

    /// The silent parent sends again, before anybody else did. The coordinator is told if it believes that we have nobody, or somebody
    /// else: whom it had named may have refused us, or a spare may have been asked instead.
    pub(super) fn recovered(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        let was_orphan = feed
            .trouble
            .take()
            .is_some_and(|trouble| trouble.orphaned.is_some());
        let (stripe, main) = (feed.stripe, feed.main.as_ref().map(|main| main.peer));
        if feed
            .next
            .as_ref()
            .is_some_and(|next| !next.planned || Some(next.peer) == main)
        {
            self.cancel_next(at, out);
        }
        let feed = &self.feeds[at];
        let moves_on = feed.plan_waits || feed.next.is_some();
        let strays = |main: &PeerId| !moves_on && !feed.is_parent(&main.tag());
        if let Some(to) = main.filter(|main| was_orphan || strays(main)) {
            let (from, planned) = (None, false);
            let moved = Moved {
                stripe,
                to,
                from,
                planned,
            };
            self.tell_coordinator(&Message::Moved(moved), out);
        }
        if core::mem::take(&mut self.feeds[at].plan_waits) {
            self.follow_plan(now, at, out);
        }
    }

    /// A link is gone.
    pub(super) fn on_link_lost(&mut self, now: Instant, link: LinkId, duplicate: bool, out: &mut Outbox) {
        self.pulls.lost(link);
        if !self.is_live() {
            return;
        }
        for at in 0..self.feeds.len() {
            if duplicate {
                self.reseat(now, at, link, out);
            } else {
                self.lose(now, at, link, out);
            }
        }
    }

    pub(super) fn lose(&mut self, now: Instant, at: usize, link: LinkId, out: &mut Outbox) {
        let feed = &self.feeds[at];
        let on = |source: &Option<Source>| source.as_ref().is_some_and(|source| source.link == Some(link));
        let (main, next) = (on(&feed.main), on(&feed.next));
        if next {
            self.next_failed(now, at, DetachReason::Unreachable, out);
        }
        if main {
            self.fault(now, at, Fault::Lost, out);
        }
    }
}

impl Feed {
    fn is_parent(&self, tag: &PeerTag) -> bool {
        self.grant.as_ref().is_ok_and(|grant| grant.parent == *tag)
    }

    /// Whom to ask next in a repair: the spare, then the parent.
    fn untried(&mut self) -> Option<PeerTag> {
        let (trouble, grant) = (self.trouble.as_mut()?, self.grant.as_ref().ok()?);
        if let Some(spare) = grant.spare.filter(|_| !trouble.tried_spare) {
            trouble.tried_spare = true;
            return Some(spare);
        }
        let parent = (!trouble.tried_parent).then_some(grant.parent);
        trouble.tried_parent = true;
        parent
    }

    /// This peer need not be asked again in this repair, because of `why`.
    fn mark_tried(&mut self, peer: &PeerId, why: DetachReason) {
        let (Some(trouble), Ok(grant)) = (&mut self.trouble, &self.grant) else {
            return;
        };
        let tag = peer.tag();
        trouble.tried_spare |= grant.spare == Some(tag);
        if grant.parent == tag {
            trouble.tried_parent = true;
            trouble.plan_failed = Some(why);
        }
    }
}
