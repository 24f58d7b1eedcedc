//! What members are told: welcomes, and an `Assign` whenever their places changed.

use super::routes::Route;
use super::{Broadcaster, Contact, Order};
use crate::io::{LinkId, Outbox};
use crate::limits::TICKET_LIFE;
use crate::media::TierId;
use crate::overlay::member::MemberIndex;
use crate::overlay::reach::Dials;
use crate::time::{Duration, Instant};
use crate::wire::control::{Assign, Introduction, Message, TierReason, Welcome};
use crate::wire::ticket::{Grant, Ticket};
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A ticket is renewed this long before it ends: time enough for a lost coordinator to come back.
const RENEW_BEFORE: Duration = Duration::from_secs(150);

/// Tickets for the same member end at the same second of a minute: so the next one as a rule ends when the last one does, and that is
/// nothing new to tell.
const ENDS_EVERY_US: u64 = 60_000_000;

/// A newcomer starts so much nearer to the live edge than it plays: connecting takes some of that time, and the rest is in hand
/// when its first picture is due.
const AHEAD_BLOCKS: u64 = 6;

/// In a crowd a newcomer starts this near to the live edge: its first picture comes later, but then it is in time. So does who shows a
/// lower tier meanwhile: a backlog would keep whom it takes a seat from, and is to feed, as far behind where its parent has no room to
/// work it off.
const CATCH_UP_BLOCKS: u64 = 4;

/// A member that joined this recently may not have caught up with the live edge itself.
const CATCHING_UP: Duration = Duration::from_millis(2500);

/// So many who catch up at the same time share the uplinks' reserve well enough.
const CATCHING_UP_MAX: usize = 3;

impl Broadcaster {
    pub(super) fn welcome(&self, now: Instant, member: MemberIndex, link: LinkId, out: &mut Outbox) {
        let Some(contact) = self.contacts.get(&member) else {
            return;
        };
        let Some((sealed, _)) = self.source.layout() else {
            return;
        };
        let welcome = Welcome {
            epoch: self.config.epoch,
            layout: sealed.clone(),
            live_block: self.source.live_block(),
            now: self.clock.channel(now),
            observed: contact.address,
        };
        out.tell(link, &Message::Welcome(welcome));
    }

    /// Tells every member whose places changed, and renews tickets that end soon.
    pub(super) fn give_orders(&mut self, now: Instant, out: &mut Outbox) {
        self.overlay.settle_spares();
        for member in self.overlay.take_changed() {
            if self.overlay.member(member).is_present() && self.contacts.contains_key(&member) {
                self.assign(now, member, out);
            }
        }
    }

    pub(super) fn renew_tickets(&mut self, now: Instant) {
        let due = self
            .contacts
            .iter()
            .filter(|(_, contact)| ends_soon(now, contact));
        let due: Vec<_> = due.map(|(member, _)| *member).collect();
        due.into_iter().for_each(|member| self.overlay.touch(member));
    }

    fn assign(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        let order = self.order_of(member);
        let contact = &self.contacts[&member];
        let nothing = order.grants.is_empty() && contact.expires.is_none();
        let same = contact.order.as_ref() == Some(&order) && !contact.is_called_back(&order);
        let known = same && !ends_soon(now, contact);
        if nothing || known {
            return;
        }
        match self.amendments(now, member, &order) {
            Some(amendments) => self.amend(member, order, amendments, out),
            None => self.order(now, member, order, out),
        }
    }

    /// What a member is to be told.
    pub(super) fn order_of(&self, member: MemberIndex) -> Order {
        let lowest = self.overlay.stripes().tiers().next().unwrap_or(TierId(0));
        let tier = self.overlay.member(member).tier.unwrap_or(lowest);
        Order {
            tier,
            why: self.tier_reason(member, tier),
            class: self.overlay.class(member),
            grants: self.grants(member),
        }
    }

    fn order(&mut self, now: Instant, member: MemberIndex, order: Order, out: &mut Outbox) {
        let peers = self.introduce(now, member, out);
        let from_block = self.start_of(now, member, order.tier);
        let info = self.overlay.member(member);
        let ends = end_of_ticket(now, member);
        let contact = self.contacts.get_mut(&member).expect("checked by the caller");
        contact.serial += 1;
        contact.expires = Some(ends);
        let ticket = Ticket {
            epoch: self.config.epoch,
            serial: contact.serial,
            child: info.id,
            class: order.class,
            expires: self.clock.channel(ends),
            grants: order.grants.clone(),
        };
        let assign = Assign {
            tier: order.tier,
            why: order.why,
            from_block,
            ticket: ticket.seal(&*self.config.key),
            peers,
        };
        contact.note_told(order);
        let message = match contact.route {
            Route::Link(_) => contact.lane.send(assign),
            // Whoever passes it on to a relay reads it.
            Route::Sponsor(_) | Route::Delegated(_) => Message::Assign(assign),
        };
        self.overlay.note_ticket(member);
        self.tell(member, &message, out);
    }

    /// Where a member begins with a tier that it does not receive yet. A relay begins at the live edge: a backlog would take uplink
    /// that there is too little of, and those whose seats it takes have it already. And nobody begins with what its relay does
    /// not have.
    fn start_of(&self, now: Instant, member: MemberIndex, tier: TierId) -> u64 {
        if self.relays.contains_key(&member) {
            return self.source.live_block();
        }
        let info = self.overlay.member(member);
        let behind = if self.shows_less(member, tier) || self.is_crowded(now) {
            CATCH_UP_BLOCKS
        } else {
            u64::from(info.buffer_ms / 100).saturating_sub(AHEAD_BLOCKS)
        };
        let start = self.source.start_block(tier, behind);
        if Some(tier) != self.overlay.stripes().top() {
            return start;
        }
        let parents = info.places.iter().flatten().filter_map(|place| place.parent);
        let begun = parents.filter_map(|parent| self.relays.get(&parent)?.from_block);
        begun.fold(start, u64::max)
    }

    /// Whether a member shows something, and is to have a better tier.
    fn shows_less(&self, member: MemberIndex, tier: TierId) -> bool {
        let told = self
            .contacts
            .get(&member)
            .and_then(|contact| contact.order.as_ref());
        told.is_some_and(|told| told.tier < tier)
    }

    /// Whether there are so many newcomers that the uplinks' reserve is not enough for the backlog of each.
    fn is_crowded(&self, now: Instant) -> bool {
        let recent = |index: &MemberIndex| now.since(self.overlay.member(*index).joined) < CATCHING_UP;
        self.overlay
            .viewers()
            .filter(recent)
            .nth(CATCHING_UP_MAX)
            .is_some()
    }

    fn tier_reason(&self, member: MemberIndex, tier: TierId) -> TierReason {
        match self.overlay.stripes().top() {
            Some(top) if top == tier => TierReason::Full,
            _ if self.decided.contains(&member) => TierReason::Capacity,
            _ => TierReason::Waiting,
        }
    }

    fn grants(&self, member: MemberIndex) -> Vec<Grant> {
        let stripes = self.overlay.stripes();
        let tag = |index: MemberIndex| self.overlay.member(index).id.tag();
        let places = self.overlay.member(member).places_with_index();
        let grant = places.filter_map(|(stripe, place)| {
            Some(Grant {
                stripe: stripes.id(stripe),
                rank: place.rank,
                parent: tag(place.parent?),
                spare: place.spare.map(tag),
                replaces: place.replaces.map(|seat| seat.seat()),
            })
        });
        grant.collect()
    }

    /// The parents and spares that a member has not been told of, who has most to spare first: on a thin uplink one is dialled after the
    /// other, and what a newcomer lacks comes from the first. Whoever must dial the member instead is told to.
    fn introduce(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) -> Vec<Introduction> {
        let places = self.overlay.member(member).places_with_index();
        let mut named: Vec<MemberIndex> = places
            .flat_map(|(_, place)| [place.parent, place.spare])
            .flatten()
            .collect();
        named.sort_unstable();
        named.dedup();
        named.retain(|peer| self.overlay.introduce(now, member, *peer));
        named.sort_by_key(|peer| Reverse(self.overlay.member(*peer).free()));
        named
            .into_iter()
            .map(|peer| self.introduction(member, peer, out))
            .collect()
    }

    fn introduction(&mut self, child: MemberIndex, parent: MemberIndex, out: &mut Outbox) -> Introduction {
        let peer = self.overlay.member(parent).id;
        let mut addresses = self.overlay.member(parent).addresses.clone();
        if self.overlay.link_between(child, parent) == Some(Dials::Parent) {
            addresses.clear();
            let below = self.overlay.member(child);
            let dial = Introduction {
                peer: below.id,
                addresses: below.addresses.clone(),
            };
            self.tell(parent, &Message::Dial(dial), out);
        }
        Introduction { peer, addresses }
    }
}

/// When a ticket ends that is given now: members' seconds of the minute differ, so that not all are renewed at once.
fn end_of_ticket(now: Instant, member: MemberIndex) -> Instant {
    let latest = (now + TICKET_LIFE).as_micros();
    let own = u64::from(member.0) * 1_000_000 % ENDS_EVERY_US;
    Instant::from_micros(latest - (latest + ENDS_EVERY_US - own) % ENDS_EVERY_US)
}

pub(super) fn ends_soon(now: Instant, contact: &Contact) -> bool {
    contact.expires.is_some_and(|at| now + RENEW_BEFORE > at)
}
