//! Control messages: from the coordinator, from parents, from children.

use super::feed::Feed;
use super::{Held, Phase, Viewer};
use crate::event::Event;
use crate::id::{PeerId, PeerTag};
use crate::io::{Ended, Lane, LinkId, Outbox};
use crate::media::StripeId;
use crate::role::config::Part;
use crate::time::{Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::control::{Assign, Message, RefuseReason, Welcome};
use crate::wire::ticket::{Grant, Ticket};
use alloc::vec::Vec;
use bytes::Bytes;

/// How long a tier that was withdrawn is still received because the one that replaces it has not begun, here or at a child.
const SWITCH_MAX: Duration = Duration::from_secs(10);

/// A ticket that is good for that much longer is shown for that alone.
const RENEWED: Duration = Duration::from_secs(60);

impl Viewer {
    pub(super) fn on_frame(
        &mut self,
        now: Instant,
        link: LinkId,
        lane: Lane,
        frame: Bytes,
        out: &mut Outbox,
    ) {
        let Some(asked) = self.links.asked(link) else {
            return self.on_proof(now, link, &frame, out);
        };
        let taken = match lane {
            Lane::Control => self.on_control(now, link, &frame, out),
            Lane::Data(_) => self.on_data(now, (link, asked), frame, out),
        };
        if let Err(code) = taken {
            self.calm.end();
            self.close_link(now, link, code, out);
        }
    }

    fn on_control(
        &mut self,
        now: Instant,
        link: LinkId,
        frame: &Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let message = Message::parse(frame).map_err(|_| CloseCode::Malformed)?;
        if self.session.link() == Some(link) {
            self.session.heard(now);
            let message = self.session.lane.receive(message);
            let message = message.map_err(|_| CloseCode::Malformed)?;
            self.on_coordinator(now, link, message, out)
        } else {
            self.on_peer(now, link, message, out)
        }
    }

    fn on_coordinator(
        &mut self,
        now: Instant,
        link: LinkId,
        message: Message,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        match message {
            Message::Welcome(welcome) => return self.on_welcome(now, welcome, out),
            Message::Refused { reason } => self.on_refused(reason, out),
            Message::Assign(assign) => return self.on_assign(now, assign, out),
            Message::Amend(amendments) => self.on_amend(now, &amendments, out),
            Message::Dial(introduction) => self.on_dial(now, introduction, out),
            Message::Ask(ask) => self.on_ask(now, &ask, out),
            Message::Withdraw { round, why } => self.on_withdraw(now, round, why, out),
            Message::End => self.on_end(now, out),
            Message::Locate => self.on_locate(out),
            Message::Near { regions } => self.asks.near = regions,
            Message::Chosen { round, missing } => self.on_chosen(round, missing, out),
            Message::ToRelay { relay, message } => return self.on_to_relay(now, &relay, &message, out),
            Message::Echoed { sent_us, at } => {
                let sent = Instant::from_micros(sent_us);
                if sent <= now {
                    self.clock.answered(now, sent, at);
                }
            }
            // A relay's sponsor is its child, too.
            other if self.config.part == Part::Relay => return self.on_peer(now, link, other, out),
            other => return self.on_parent(now, link, other, out),
        }
        Ok(())
    }

    fn on_peer(
        &mut self,
        now: Instant,
        link: LinkId,
        message: Message,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        if self.on_from_relay(link, &message, out) {
            return Ok(());
        }
        let at = self.at(now);
        let (took, shown) = match message {
            Message::Attach(attach) => {
                let shown = attach.ticket.is_some();
                (self.forwarder.attach(now, at, link, attach, out), shown)
            }
            Message::Detach { stripe, from } => (self.forwarder.detach(now, link, stripe, from, out), false),
            Message::Pull(pull) => (self.forwarder.pull(now, at, link, pull, out), false),
            other => return self.on_parent(now, link, other, out),
        };
        match took {
            // The forwarder has closed it.
            Err(_) => self.forget_link(now, link, out),
            Ok(()) => {
                if let Some(link) = self.links.get_mut(link).filter(|_| shown) {
                    link.vouched = true;
                }
            }
        }
        Ok(())
    }

    /// What a parent may say, and anybody.
    fn on_parent(
        &mut self,
        now: Instant,
        link: LinkId,
        message: Message,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        match message {
            Message::Echo { sent_us } => {
                let at = self.at(now);
                out.tell(link, &Message::Echoed { sent_us, at });
            }
            Message::Echoed { .. } => {}
            Message::Attached { stripe, rank } | Message::Ranked { stripe, rank } => {
                self.on_rank(now, link, stripe, rank, out);
            }
            Message::Detached { stripe, why } => self.on_detached(now, link, stripe, why, out),
            _ => return Err(CloseCode::Unexpected),
        }
        Ok(())
    }

    fn on_welcome(&mut self, now: Instant, welcome: Welcome, out: &mut Outbox) -> Result<(), CloseCode> {
        let sent = self.session.welcomed();
        self.clock.answered(now, sent, welcome.now);
        self.adopt_layout(now, welcome.layout, out)?;
        if welcome.epoch == self.epoch {
            self.edge = (self.edge.0.max(welcome.live_block), now);
        }
        if self.phase == Phase::Joining {
            self.phase = Phase::Member;
        }
        self.sponsor_unasked(out);
        self.offer_all(out);
        Ok(())
    }

    fn on_refused(&mut self, reason: RefuseReason, out: &mut Outbox) {
        let sentence = reason.sentence().into();
        out.event(Event::Refused { reason: sentence });
        let how = match reason {
            RefuseReason::Version => Ended::Version,
            reason => Ended::Refused(reason),
        };
        self.end(how, CloseCode::Done, out);
    }

    pub(in crate::role) fn on_assign(
        &mut self,
        now: Instant,
        assign: Assign,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        if self.phase == Phase::Joining {
            return Err(CloseCode::Unexpected);
        }
        let Self { config, .. } = self;
        let ticket = Ticket::open(&assign.ticket, &config.id, &config.channel, &*config.verify)
            .map_err(|_| CloseCode::Forged)?;
        let newest = self
            .ticket
            .as_ref()
            .map(|held| (held.ticket.epoch, held.ticket.serial));
        if ticket.epoch != self.epoch || newest.is_some_and(|newest| newest >= (ticket.epoch, ticket.serial))
        {
            // Of another run, or overtaken.
            return Ok(());
        }
        let introduced = assign.peers.iter().map(|introduction| introduction.peer);
        let introduced: Vec<PeerId> = introduced.collect();
        for introduction in assign.peers {
            self.book.learn(introduction);
        }
        let former = self.ticket.as_ref().map(|held| &held.ticket);
        let dropped = |peer: &PeerId| {
            let tag = peer.tag();
            former.is_some_and(|former| former.names(tag)) && !ticket.names(tag)
        };
        self.dials.keep(|peer| !dropped(peer));
        for link in self.links.iter_mut() {
            let renewed = ticket.expires.since(link.shown_until) >= RENEWED;
            if renewed || former.is_none_or(|former| is_news(former, &ticket, &link.peer.tag())) {
                link.shown = 0;
            }
        }
        self.show(now, (assign.tier, assign.why), assign.from_block, out);
        let sealed = assign.ticket;
        self.dial_parents(now, &introduced, &ticket, out);
        self.ticket = Some(Held { sealed, ticket });
        self.regrant_all(now, assign.from_block, out);
        self.warm_spares(now, out);
        self.feeds.unsettled = true;
        Ok(())
    }

    /// Dials new parents in the order in which they were introduced, the one with most to spare first.
    fn dial_parents(&mut self, now: Instant, introduced: &[PeerId], ticket: &Ticket, out: &mut Outbox) {
        for peer in introduced {
            let is_parent = |grant: &Grant| grant.parent == peer.tag();
            if self.links.to(peer).is_none() && ticket.grants.iter().any(is_parent) {
                // Whoever cannot be dialled is found out when it is asked for its stripes.
                self.reach(now, *peer, out);
            }
        }
    }

    /// Makes the feeds what the newest ticket says.
    fn regrant_all(&mut self, now: Instant, from_block: u64, out: &mut Outbox) {
        let Some(held) = &self.ticket else { return };
        let grants = held.ticket.grants.clone();
        for at in 0..self.feeds.len() {
            let stripe = self.feeds[at].stripe;
            if !grants.iter().any(|grant| grant.stripe == stripe) {
                self.withdraw(now, at, out);
            }
        }
        for grant in grants {
            if self.is_in_layout(grant.stripe) {
                self.regrant(now, grant, from_block, out);
            }
        }
        self.drop_withdrawn(now, out);
    }

    /// The ticket does not grant a stripe any more. What still comes is taken, and nobody else is asked.
    fn withdraw(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        if !self.feeds[at].is_granted() {
            return;
        }
        self.cancel_next(at, out);
        let feed = &mut self.feeds[at];
        feed.grant = Err(now);
        feed.plan_waits = false;
        feed.trouble = None;
        feed.main.take_if(|main| main.link.is_none());
    }

    pub(super) fn is_in_layout(&self, stripe: StripeId) -> bool {
        let layout = self.layout.as_ref();
        let tier = layout.and_then(|(_, layout)| layout.tier(stripe.tier));
        tier.is_some_and(|tier| stripe.index < tier.stripes + u8::from(tier.parity))
    }

    pub(super) fn regrant(&mut self, now: Instant, grant: Grant, from_block: u64, out: &mut Outbox) {
        let Some(at) = self.feeds.find(grant.stripe) else {
            let (stripe, rank) = (grant.stripe, grant.rank);
            let at = self.feeds.insert(Feed::new(grant, from_block, now));
            self.forwarder.set_rank(stripe, Some(rank), out);
            return self.follow_plan(now, at, out);
        };
        let parent = self.book.peer(&grant.parent);
        let feed = &mut self.feeds[at];
        feed.grant = Ok(grant);
        if feed.trouble.is_none() {
            // While the stripe was withdrawn nobody looked after its parent.
            feed.main = feed.main.take().filter(|main| main.link.is_some());
        }
        feed.plan_waits = false;
        let in_repair = feed.trouble.is_some() && self.is_asked(at);
        let feed = &mut self.feeds[at];
        let is =
            |source: Option<&super::feed::Source>| source.is_some_and(|source| Some(source.peer) == parent);
        if is(feed.healthy()) {
            self.cancel_next(at, out);
        } else if is(feed.next.as_ref()) {
            if let Some(next) = &mut feed.next {
                next.planned = true;
            }
        } else if in_repair {
            self.let_plan_wait(now, at, parent, out);
        } else {
            feed.forget_plan();
            self.follow_plan(now, at, out);
        }
        self.adopt_rank(at, out);
    }

    /// Whether somebody was asked in a repair, who either has said yes or is a better bet than the parent that the plan names:
    /// that one has no link yet.
    fn is_asked(&self, at: usize) -> bool {
        let feed = &self.feeds[at];
        let parent = feed
            .grant
            .as_ref()
            .ok()
            .and_then(|grant| self.book.peer(&grant.parent));
        let is_linked = parent.is_some_and(|parent| self.links.to(&parent).is_some());
        let asked = feed.next.as_ref().filter(|next| next.link.is_some());
        asked.is_some_and(|next| next.rank.is_some() || !is_linked)
    }

    /// The repair is faster than the plan. A parent of an earlier plan is not waited for longer than a spare any more.
    fn let_plan_wait(&mut self, now: Instant, at: usize, parent: Option<PeerId>, out: &mut Outbox) {
        let feed = &mut self.feeds[at];
        feed.plan_waits = feed.main.as_ref().map(|main| main.peer) != parent || parent.is_none();
        if let Some(next) = &mut feed.next {
            next.planned = false;
        }
        feed.forget_plan();
        if let Some(parent) = parent {
            self.can_ask(now, parent, out);
        }
    }

    /// Stripes that the ticket no longer grants are left when nothing shows them and no child hangs on them, or after a
    /// while.
    pub(super) fn drop_withdrawn(&mut self, now: Instant, out: &mut Outbox) {
        let mut at = 0;
        while at < self.feeds.len() {
            match self.feeds[at].grant {
                Err(since) if now >= since + SWITCH_MAX || !self.is_needed(now, at) => {
                    self.drop_feed(at, out)
                }
                _ => at += 1,
            }
        }
    }

    /// Whether anybody needs what comes of a stripe: the screen, or a child.
    fn is_needed(&self, now: Instant, at: usize) -> bool {
        let stripe = self.feeds[at].stripe;
        let is_shown = self.screen.wants(stripe.tier) && !self.is_past_use(now, at);
        is_shown || self.forwarder.is_interior(stripe)
    }

    /// Whether nothing that comes of a stripe from now on can be shown: another stripe of its tier has ended before.
    fn is_past_use(&self, now: Instant, at: usize) -> bool {
        let feed = &self.feeds[at];
        let tier = feed.stripe.tier;
        let layout = self.layout.as_ref().and_then(|(_, layout)| layout.tier(tier));
        let Some(layout) = layout.filter(|layout| !layout.parity) else {
            return false;
        };
        let Some(newest) = feed.main.as_ref().and_then(|main| main.newest) else {
            return false;
        };
        let mut stripes = (0..layout.stripes).map(|index| StripeId { tier, index });
        stripes.any(|stripe| {
            let other = self.feeds.find(stripe).map(|at| &self.feeds[at]);
            let has_ended = other.is_none_or(|other| other.has_ended(now));
            has_ended
                && self
                    .screen
                    .missing(stripe, newest + 2)
                    .any(|missing| missing.block <= newest + 1)
        })
    }

    /// Receives a stripe no more.
    pub(super) fn drop_feed(&mut self, at: usize, out: &mut Outbox) {
        let feed = self.feeds.remove(at);
        let links = [&feed.main, &feed.next];
        let mut links = links.map(|source| source.as_ref().and_then(|source| source.link));
        if links[0] == links[1] {
            links[1] = None;
        }
        let stripe = feed.stripe;
        for link in links.into_iter().flatten() {
            if self.links.get(link).is_some() {
                let from = 0;
                out.tell(link, &Message::Detach { stripe, from });
            }
        }
        self.forwarder.set_rank(stripe, None, out);
    }
}

/// Whether a peer must see the new ticket: it changes what the peer holds us to.
fn is_news(former: &Ticket, new: &Ticket, peer: &PeerTag) -> bool {
    let names = |grant: &&Grant| grant.names(*peer);
    let same = former
        .grants
        .iter()
        .filter(names)
        .eq(new.grants.iter().filter(names));
    !same || former.class != new.class || former.epoch != new.epoch
}
