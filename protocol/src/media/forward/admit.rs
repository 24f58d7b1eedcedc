//! What children ask for: seats and single chunks, and by which right.

use super::Forwarder;
use super::children::{Patience, Seat, Shown};
use super::send::old_entry;
use super::tickets;
use crate::io::{LinkId, Outbox, Output};
use crate::media::StripeId;
use crate::media::schedule::Kind;
use crate::media::store::{stripe_at, stripe_slot};
use crate::time::{ChannelTime, Duration, Instant};
use crate::units::Bitrate;
use crate::wire::close::CloseCode;
use crate::wire::control::{Attach, DetachReason, Message, Pull};
use crate::wire::ticket::{Class, Grant, Rank, Ticket};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

/// How long a request waits for our own ticket: a child's may come before ours, for both are sent at once.
const HELD: Duration = Duration::from_secs(1);

/// The most requests that wait so, over all children; what comes beyond is refused at once.
pub(super) const HELD_MAX: usize = 1024;

/// A request for a seat that came too early.
#[derive(Debug)]
pub(super) struct Held {
    link: LinkId,
    slot: usize,
    from: u64,
    pub(super) until: Instant,
}

/// What is to be said to a request for a seat.
enum Verdict {
    /// It is granted, by this grant, at this cost, below our own rank.
    Granted(Grant, Bitrate, Rank),
    /// We do not know enough yet.
    TooEarly,
    Refused(DetachReason),
}

impl Forwarder {
    /// A child asks for stripes. Each is answered, at once or within a second: [`Message::Attached`], and then comes what
    /// is stored from the block it asked for and all that is new; or [`Message::Detached`].
    ///
    /// # Errors
    /// The link was closed: the ticket was forged or another's, a stripe was none, or it asked too often.
    pub fn attach(
        &mut self,
        now: Instant,
        at: ChannelTime,
        link: LinkId,
        attach: Attach,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        self.asked(now, link, out, |this, index, out| {
            if let Some(sealed) = attach.ticket {
                this.show(now, at, index, sealed, out)?;
            }
            // Free uplink is for seats that nobody sits on: who is to be replaced for another keeps nothing by it, and may lose what waits.
            let mut stripes = attach.stripes;
            stripes.sort_by_key(|(stripe, _)| this.takes_over(index, *stripe));
            for (stripe, from) in stripes {
                let slot = stripe_slot(stripe).ok_or(CloseCode::Malformed)?;
                this.ask_seat(now, at, (index, slot, from), out);
            }
            Ok(())
        })
    }

    /// A child wants no more of a stripe, but what waits for it of blocks before `from`: what follows it has from somebody else.
    ///
    /// # Errors
    /// As for [`attach`](Self::attach).
    pub fn detach(
        &mut self,
        now: Instant,
        link: LinkId,
        stripe: StripeId,
        from: u64,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        self.asked(now, link, out, |this, index, out| {
            let slot = stripe_slot(stripe).ok_or(CloseCode::Malformed)?;
            this.held.retain(|held| held.link != link || held.slot != slot);
            this.end_seat(index, slot, from, None, None, out);
            Ok(())
        })
    }

    /// A child asks for single chunks. It gets what is stored, if its ticket grants it the stripe, from whomever, where each byte costs
    /// somebody money only if it names us at all; beyond a hundred a second in the long run it gets nothing.
    ///
    /// # Errors
    /// As for [`attach`](Self::attach).
    pub fn pull(
        &mut self,
        now: Instant,
        at: ChannelTime,
        link: LinkId,
        pull: Pull,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        self.asked(now, link, out, |this, index, out| {
            let slot = stripe_slot(pull.stripe).ok_or(CloseCode::Malformed)?;
            if this.good_grant(at, index, pull.stripe).is_ok() && this.may_pull(index) {
                this.queue_pulled(now, index, &pull);
                this.await_chunks(now, index, slot, &pull);
            } else if !this.children.get(index).has(slot) {
                this.refuse(link, slot, DetachReason::NoTicket, out);
            }
            Ok(())
        })
    }

    /// Whether we serve a child by pull: a relay only those who were given to it, on whatever stripe.
    fn may_pull(&self, index: u32) -> bool {
        self.favourite.is_none() || self.may_ask_us(index)
    }

    /// Lets a child ask for something, and closes its link if it must not have.
    fn asked(
        &mut self,
        now: Instant,
        link: LinkId,
        out: &mut Outbox,
        ask: impl FnOnce(&mut Self, u32, &mut Outbox) -> Result<(), CloseCode>,
    ) -> Result<(), CloseCode> {
        self.now = now;
        // Not linked: what it sent was under way when we closed the link.
        let Some(index) = self.children.find(link) else {
            return Ok(());
        };
        let asked = match self.children.get_mut(index).patience(now) {
            Patience::Fine => ask(self, index, out),
            // It asks again when nothing comes; a whole family of stripes may have failed at once.
            Patience::Short => Ok(()),
            Patience::Gone => Err(CloseCode::Unexpected),
        };
        asked.inspect_err(|code| {
            self.forget(index);
            out.push(Output::Close { link, code: *code });
        })
    }

    /// Forgets a link.
    pub(super) fn forget(&mut self, index: u32) {
        let link = self.children.get(index).link;
        self.held.retain(|held| held.link != link);
        self.handovers.forget(index);
        self.awaited.forget(index);
        self.children.remove(index);
        self.marks.seats_changed();
        self.schedule.close(index);
    }

    /// A child shows a ticket. One that is older than what it has shown before counts for nothing.
    fn show(
        &mut self,
        now: Instant,
        at: ChannelTime,
        index: u32,
        sealed: Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let child = self.children.get(index);
        if child.ticket.as_ref().is_some_and(|shown| shown.sealed == sealed) {
            return Ok(());
        }
        let mut ticket =
            Ticket::open(&sealed, &child.peer, &self.channel, &*self.verify).map_err(tickets::fault)?;
        if self.favourite == Some(child.peer) {
            ticket.class = Class::OwnSponsor;
        }
        if self.serials.admit(&ticket) {
            self.children.get_mut(index).ticket = Some(Box::new(Shown { sealed, ticket }));
            self.renew(at, index, out);
            self.set_share(now, index);
        }
        Ok(())
    }

    /// A newer ticket holds for the seats that it names us for; others stay until the ticket they are by ends, for the
    /// child may be on its way to another parent.
    fn renew(&mut self, at: ChannelTime, index: u32, out: &mut Outbox) {
        let Some(shown) = &self.children.get(index).ticket else {
            return;
        };
        let (until, epoch) = (shown.ticket.expires, shown.ticket.epoch);
        let named = shown.ticket.grants.iter().filter_map(|grant| {
            let names_us = grant.parent == self.me || grant.spare == Some(self.me);
            Some((stripe_slot(grant.stripe).filter(|_| names_us)?, grant.rank))
        });
        let named: Vec<(usize, Rank)> = named.filter(|_| until > at).collect();
        for (slot, rank) in named {
            self.children.change(slot, |seat| {
                if seat.child == index {
                    (seat.until, seat.epoch, seat.rank) = (until, epoch, rank);
                }
            });
            if self.ranks[slot].is_none_or(|own| rank <= own) {
                self.unseat(index, slot, Some(DetachReason::Rank), out);
            }
        }
    }

    /// A child asks for a seat on a stripe, from a block on.
    fn ask_seat(
        &mut self,
        now: Instant,
        at: ChannelTime,
        (index, slot, from): (u32, usize, u64),
        out: &mut Outbox,
    ) {
        let link = self.children.get(index).link;
        match self.judge(at, index, slot) {
            Verdict::Granted(grant, cost, own) => {
                self.grant(now, at, (index, from), &grant, (cost, own), out)
            }
            Verdict::Refused(why) => self.refuse(link, slot, why, out),
            Verdict::TooEarly if self.held.len() < HELD_MAX => {
                self.held.retain(|held| held.link != link || held.slot != slot);
                let until = now + HELD;
                self.held.push(Held {
                    link,
                    slot,
                    from,
                    until,
                });
            }
            Verdict::TooEarly => self.refuse(link, slot, DetachReason::NotReceived, out),
        }
    }

    /// Whether a child may have a seat on a stripe, the uplink aside.
    fn judge(&self, at: ChannelTime, index: u32, slot: usize) -> Verdict {
        let stripe = stripe_at(slot);
        if self.leaving {
            return Verdict::Refused(DetachReason::Leaving);
        }
        let shown = self.children.get(index).ticket.as_ref();
        if shown.is_some_and(|shown| shown.ticket.epoch > self.store.epoch()) {
            return Verdict::TooEarly;
        }
        let grant = match self.good_grant(at, index, stripe) {
            Ok(grant) if self.may_ask_us(index) => grant,
            _ => return Verdict::Refused(DetachReason::NoTicket),
        };
        let (Some(own), Some(_)) = (self.ranks[slot], self.layouts.newest()) else {
            return Verdict::TooEarly;
        };
        match self.layouts.slot(stripe) {
            None => Verdict::Refused(DetachReason::NotReceived),
            Some(_) if grant.rank <= own => Verdict::Refused(DetachReason::Rank),
            Some(cost) => Verdict::Granted(grant.clone(), cost, own),
        }
    }

    /// Whether a child is to have somebody's seat on a stripe, where there is no room for both.
    fn takes_over(&self, index: u32, stripe: StripeId) -> bool {
        let shown = self.children.get(index).ticket.as_ref();
        let grant = shown.and_then(|shown| shown.ticket.grant(stripe));
        grant.is_some_and(|grant| grant.replaces.is_some())
    }

    /// Whether a child may ask us for what it is granted: if its ticket names us, on whatever stripe. On others than that we are a spare of
    /// which it was told since.
    fn may_ask_us(&self, index: u32) -> bool {
        let shown = self.children.get(index).ticket.as_ref();
        shown.is_some_and(|shown| shown.ticket.names(self.me))
    }

    /// What a child's ticket grants on a stripe, by whatever parent, if it is good now.
    fn good_grant(&self, at: ChannelTime, index: u32, stripe: StripeId) -> Result<&Grant, DetachReason> {
        let child = self.children.get(index);
        let shown = child.ticket.as_ref().ok_or(DetachReason::NoTicket)?;
        let former = self.grace.is_some() && child.stripes != 0;
        let of_epoch = shown.ticket.epoch == self.store.epoch() || former;
        let good = of_epoch && at < shown.ticket.expires;
        let grant = shown.ticket.grant(stripe).filter(|_| good);
        grant.ok_or(DetachReason::NoTicket)
    }

    /// Gives a child its seat, if the uplink has room for it.
    fn grant(
        &mut self,
        now: Instant,
        at: ChannelTime,
        (index, from): (u32, u64),
        grant: &Grant,
        (slot, own): (Bitrate, Rank),
        out: &mut Outbox,
    ) {
        let stripe_slot = stripe_slot(grant.stripe).expect("judged for a possible stripe");
        self.leave_other_link(index, stripe_slot, out);
        let child = self.children.get(index);
        let (link, class) = (child.link, child.class());
        let seated = child.has(stripe_slot);
        let is_new = child.stripes == 0 && class != Class::OwnSponsor;
        let too_many = is_new && self.child_count() >= self.children_max;
        if !seated && (too_many || !self.make_room((index, from), grant, slot, out)) {
            return self.refuse(link, stripe_slot, DetachReason::Full, out);
        }
        let (stripe, rank) = (grant.stripe, own);
        out.tell(link, &Message::Attached { stripe, rank });
        if !seated {
            self.seat(now, at, (index, stripe_slot), from, (grant.rank, slot));
        }
    }

    /// Two links between the same peers become one: a seat goes along when it is asked for on the other link, whichever message
    /// comes first.
    fn leave_other_link(&mut self, index: u32, slot: usize, out: &mut Outbox) {
        let peer = self.children.get(index).peer;
        let is_its = |seat: &&Seat| seat.child != index && self.children.get(seat.child).peer == peer;
        let other = self.children.seats(slot).iter().find(is_its);
        if let Some(other) = other.map(|seat| seat.child) {
            self.unseat(other, slot, None, out);
        }
    }

    fn seat(
        &mut self,
        now: Instant,
        at: ChannelTime,
        (index, slot): (u32, usize),
        from: u64,
        (rank, cost): (Rank, Bitrate),
    ) {
        let shown = self.children.get(index).ticket.as_ref();
        let ticket = &shown.expect("a grant is by a ticket").ticket;
        let (epoch, until) = (ticket.epoch, ticket.expires);
        let child = index;
        self.children.get_mut(index).heard[slot] = now;
        if !self.children.is_interior(slot) {
            self.marks.heard(slot, now);
        }
        self.marks.seats_changed();
        self.handovers.end(index, slot);
        self.children.take_seat(
            slot,
            Seat {
                child,
                from,
                rank,
                epoch,
                until,
                slot: cost,
            },
        );
        self.set_share(now, index);
        self.queue_backlog(now, index, slot, from);
        if self.ends.is_none_or(|(ends, _)| until < ends) {
            self.ends = Some((until, now + until.since(at)));
        }
    }

    /// Pulled chunks travel on uplink that nobody is owed, soon or not at all.
    fn queue_pulled(&mut self, now: Instant, index: u32, pull: &Pull) {
        let (store, pulls) = (&self.store, &mut self.children.get_mut(index).pulls);
        let stored = pull
            .blocks
            .iter()
            .filter_map(|block| store.get(pull.stripe, *block));
        let granted = stored.filter(|_| pulls.try_take(now));
        let entries = granted.map(|chunk| old_entry(now, chunk, Kind::Pulled));
        self.schedule.pull(index, entries);
    }

    /// Asks again for what came too early.
    pub(super) fn try_held(&mut self, now: Instant, at: ChannelTime, out: &mut Outbox) {
        for held in core::mem::take(&mut self.held) {
            let index = self
                .children
                .find(held.link)
                .expect("held requests go with their link");
            match self.judge(at, index, held.slot) {
                Verdict::TooEarly => self.held.push(held),
                _ => self.ask_seat(now, at, (index, held.slot, held.from), out),
            }
        }
    }

    /// Refuses what has waited too long.
    pub(super) fn give_up_held(&mut self, now: Instant, out: &mut Outbox) {
        let over = |held: &Held| now >= held.until;
        for held in self.held.extract_if(.., |held| over(held)).collect::<Vec<_>>() {
            self.refuse(held.link, held.slot, DetachReason::NotReceived, out);
        }
    }

    /// Refuses all that is held.
    pub(super) fn refuse_held(&mut self, why: DetachReason, out: &mut Outbox) {
        for held in core::mem::take(&mut self.held) {
            self.refuse(held.link, held.slot, why, out);
        }
    }

    fn refuse(&self, link: LinkId, slot: usize, why: DetachReason, out: &mut Outbox) {
        let stripe = stripe_at(slot);
        out.tell(link, &Message::Detached { stripe, why });
    }
}
