//! Keeping children's slots within the uplink: whose seat goes when there is not enough for all.

use super::Forwarder;
use super::children::Seat;
use crate::io::Outbox;
use crate::media::store::{stripe_at, stripe_slot};
use crate::time::{ChannelTime, Duration, Instant};
use crate::units::Bitrate;
use crate::wire::control::{DetachReason, Message};
use crate::wire::ticket::{Class, Grant};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The least time between two stripes shed for overload: time to see whether one was enough.
const SHED_EVERY: Duration = Duration::from_secs(1);

impl Forwarder {
    /// Makes sure that a seat of cost `slot` fits into the uplink for a child of `class`: in the place of the child that
    /// the grant replaces and which it takes over from block `from` on, else at the cost of parity and, for a child that the coordinator sends, of worse classes. Whether
    /// it does; if not, nobody lost a seat.
    pub(super) fn make_room(
        &mut self,
        (index, from): (u32, u64),
        grant: &Grant,
        slot: Bitrate,
        out: &mut Outbox,
    ) -> bool {
        if self.has_room(slot) {
            return true;
        }
        let replaced = self.replaced(grant);
        let given = replaced.map_or(Bitrate::ZERO, |(_, seat)| seat.slot);
        let is_replaced =
            |slot, seat: &Seat| replaced.is_some_and(|(at, other)| at == slot && other.child == seat.child);
        if given == Bitrate::ZERO && self.layouts.is_parity(grant.stripe) {
            return false;
        }
        let class = self.children.get(index).class();
        // Who asks us as its spare lost its own parent: nobody else is to lose one by that. The coordinator finds it a seat.
        let class = if grant.parent == self.me {
            class
        } else {
            Class::WORST
        };
        if !self.fits(slot, given + self.sheddable(class, is_replaced)) {
            return false;
        }
        if let Some((at, seat)) = replaced {
            let same = at == stripe_slot(grant.stripe).expect("judged for a possible stripe");
            let (before, taker) = if same {
                (from, Some(index))
            } else {
                (u64::MAX, None)
            };
            self.replace_seat(seat.child, at, before, taker, out);
        }
        while !self.has_room(slot) {
            let (at, child) = self.victim(Some(class)).expect("enough can be shed");
            self.unseat(child, at, Some(DetachReason::Shed), out);
        }
        true
    }

    /// The layout or the uplink may have changed: seats cost what they cost now, those of stripes that are no more are
    /// taken back, and what does not fit is shed.
    pub(super) fn recheck_seats(&mut self, now: Instant, out: &mut Outbox) {
        if self.layouts.newest().is_some() {
            let layouts = &self.layouts;
            let interior: Vec<usize> = self.children.interior().collect();
            for slot in interior {
                let cost = layouts.slot(stripe_at(slot)).unwrap_or_default();
                self.children.change(slot, |seat| seat.slot = cost);
            }
            self.unseat_where(out, |_, seat| {
                (seat.slot == Bitrate::ZERO).then_some(DetachReason::NotReceived)
            });
        }
        let mut shed = BTreeSet::new();
        while !self.has_room(Bitrate::ZERO) {
            let (at, child) = self.victim(None).expect("what costs too much can be shed");
            self.unseat(child, at, Some(DetachReason::Shed), out);
            shed.insert((child, stripe_at(at).tier));
        }
        self.give_up_lanes(shed, out);
        let indices: Vec<u32> = self.children.indices().collect();
        for index in indices {
            self.set_share(now, index);
        }
    }

    /// If the uplink does not carry what it should, takes back one stripe.
    pub(super) fn shed_overload(&mut self, now: Instant, out: &mut Outbox) {
        if !self.schedule.take_starved() || now < self.shed_after {
            return;
        }
        self.shed_after = now + SHED_EVERY;
        if let Some((at, child)) = self.victim(None) {
            self.unseat(child, at, Some(DetachReason::Shed), out);
        }
    }

    /// Takes back seats whose tickets have ended.
    pub(super) fn end_tickets(&mut self, now: Instant, at: ChannelTime, out: &mut Outbox) {
        let grace_over = self.grace.is_some_and(|grace| now >= grace);
        if grace_over || self.ends.is_some_and(|(ends, _)| at >= ends) {
            self.grace = self.grace.filter(|_| !grace_over);
            let epoch = self.store.epoch();
            self.unseat_where(out, |_, seat| {
                let ended = at >= seat.until || (grace_over && seat.epoch < epoch);
                ended.then_some(DetachReason::NoTicket)
            });
            let ends = self.children.all().map(|(_, seat)| seat.until).min();
            self.ends = ends.map(|ends| (ends, now));
        }
        if let Some((ends, when)) = &mut self.ends {
            *when = now + ends.since(at);
        }
    }

    /// Takes back all seats that `why` gives a reason for.
    pub(super) fn unseat_where(
        &mut self,
        out: &mut Outbox,
        why: impl Fn(usize, &Seat) -> Option<DetachReason>,
    ) {
        let all = self.children.all();
        let gone = all.filter_map(|(slot, seat)| Some((slot, seat.child, why(slot, seat)?)));
        let gone: Vec<_> = gone.collect();
        for (slot, child, why) in gone {
            self.unseat(child, slot, Some(why), out);
        }
    }

    /// Takes a child's seat on a stripe away, with what waits; with a reason, the child is told.
    pub(super) fn unseat(&mut self, index: u32, slot: usize, why: Option<DetachReason>, out: &mut Outbox) {
        self.end_seat(index, slot, 0, None, why, out);
    }

    /// A child's seat is for somebody else, who goes on with block `before`; what waits and is older is still the child's.
    pub(super) fn replace_seat(
        &mut self,
        index: u32,
        slot: usize,
        before: u64,
        taker: Option<u32>,
        out: &mut Outbox,
    ) {
        self.end_seat(index, slot, before, taker, Some(DetachReason::Replaced), out);
    }

    /// A child has no seat any more, and is sent what waits of blocks before `before`.
    pub(super) fn end_seat(
        &mut self,
        index: u32,
        slot: usize,
        before: u64,
        taker: Option<u32>,
        why: Option<DetachReason>,
        out: &mut Outbox,
    ) {
        let Some(seat) = self.children.seat(index, slot).copied() else {
            return self.trim(index, slot, before);
        };
        self.children.unseat(index, slot);
        self.marks.seats_changed();
        self.handovers.untake(index, slot);
        self.hand_over(self.now, (index, slot), before, taker, seat.slot);
        if let Some(why) = why {
            let (link, stripe) = (self.children.get(index).link, stripe_at(slot));
            out.tell(link, &Message::Detached { stripe, why });
        }
    }

    /// Has the schedule serve a child by its class and the seats that it has.
    pub(super) fn set_share(&mut self, now: Instant, index: u32) {
        let child = self.children.get(index);
        let class = child.class();
        let stripes = child.stripes.count_ones() + self.handovers.given(index);
        let (more, less) = self.handovers.balance(index);
        let share = (self.children.share(index) + more).saturating_sub(less);
        self.schedule.set_share(now, index, class, share, stripes);
    }

    /// Whether the uplink has room for a seat of cost `slot`, and nobody need lose one for it.
    pub fn has_room(&self, slot: Bitrate) -> bool {
        self.fits(slot, Bitrate::ZERO)
    }

    /// Whether `slot` more would fit if `freed` were given back.
    fn fits(&self, slot: Bitrate, freed: Bitrate) -> bool {
        let used = self.children.used().saturating_sub(freed) + slot;
        self.uplink.is_none_or(|uplink| used <= uplink)
    }

    /// The seat that a grant replaces, if it is at us.
    fn replaced(&self, grant: &Grant) -> Option<(usize, Seat)> {
        let (stripe, tag) = grant.replaces.filter(|_| grant.parent == self.me)?;
        let slot = stripe_slot(stripe)?;
        let seats = self.children.seats(slot).iter();
        let seat = seats
            .copied()
            .find(|seat| self.children.get(seat.child).peer.tag() == tag)?;
        Some((slot, seat))
    }

    /// What could be taken back for a child of `class`, besides the seats that are given up anyway.
    fn sheddable(&self, class: Class, is_given: impl Fn(usize, &Seat) -> bool) -> Bitrate {
        let all = self.children.all();
        let sheddable = all.filter(|(slot, seat)| self.yields(*slot, seat, class) && !is_given(*slot, seat));
        sheddable.map(|(_, seat)| seat.slot).sum()
    }

    fn yields(&self, slot: usize, seat: &Seat, class: Class) -> bool {
        self.layouts.is_parity(stripe_at(slot)) || self.children.get(seat.child).class() > class
    }

    /// Whose seat on which stripe goes first: parity, then the highest tier of the worst class. With a class, only seats
    /// that yield to it.
    fn victim(&self, class: Option<Class>) -> Option<(usize, u32)> {
        let order = |slot: usize, seat: &Seat| {
            let stripe = stripe_at(slot);
            let parity = self.layouts.is_parity(stripe);
            let class = self.children.get(seat.child).class();
            // One child after the other: who lacks one stripe of a tier may as well lack them all.
            let tag = self.children.get(seat.child).peer.tag();
            (parity, class, stripe.tier, tag, stripe.index, seat.child)
        };
        let all = self.children.all();
        all.filter(|(slot, seat)| class.is_none_or(|class| self.yields(*slot, seat, class)))
            .max_by_key(|(slot, seat)| order(*slot, seat))
            .map(|(slot, seat)| (slot, seat.child))
    }
}
