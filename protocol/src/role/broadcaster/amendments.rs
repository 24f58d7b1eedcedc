//! New spares are told without a new ticket where they can be: they are what changes most, and a ticket has ten times the bytes. So are
//! parents that a viewer has taken by itself.

use super::orders::ends_soon;
use super::routes::Route;
use super::{Broadcaster, Order};
use crate::io::Outbox;
use crate::overlay::member::MemberIndex;
use crate::time::Instant;
use crate::wire::amendments::{Amendment, Amendments};
use crate::wire::control::Message;
use crate::wire::ticket::Grant;

impl Broadcaster {
    /// Tells of new spares that take no new ticket. Call once a second: what takes one waits longer.
    pub(super) fn amend_orders(&mut self, now: Instant, out: &mut Outbox) {
        self.overlay.settle_spares();
        for member in self.overlay.changed_a_little() {
            let order = self.order_of(member);
            if let Some(amendments) = self.amendments(now, member, &order) {
                self.overlay.forget_change(member);
                self.amend(member, order, amendments, out);
            }
        }
    }

    /// What makes `order` of what a viewer was told last, if its ticket lets it do all that: there are other spares only, whom
    /// it names, and parents that it has taken by itself.
    pub(super) fn amendments(&self, now: Instant, member: MemberIndex, order: &Order) -> Option<Amendments> {
        let contact = self.contacts.get(&member)?;
        let told = contact.order.as_ref()?;
        let is_relay = !matches!(contact.route, Route::Link(_));
        let same = (told.tier, told.why, told.class) == (order.tier, order.why, order.class);
        if is_relay
            || !same
            || contact.is_called_back(order)
            || told.grants.len() != order.grants.len()
            || ends_soon(now, contact)
        {
            return None;
        }
        let pairs = told.grants.iter().zip(&order.grants);
        let changed = pairs.filter(|(old, new)| old != new);
        let list = changed.map(|(old, new)| self.amendment(member, (old, new)));
        let list: Option<_> = list.collect();
        Some(Amendments { list: list? })
    }

    fn amendment(&self, member: MemberIndex, (old, new): (&Grant, &Grant)) -> Option<Amendment> {
        let amendment = Amendment::between(old, new)?;
        let stripe = self.overlay.stripes().find(new.stripe)?;
        let place = self.overlay.member(member).place(stripe)?;
        let parent = place.parent.filter(|_| amendment.parent.is_some());
        let sits = |parent| self.contacts[&member].sits.get(&stripe) == Some(&parent);
        let known = |peer| self.overlay.is_named(member, peer);
        // A parent makes no room for whoever asks without a ticket that sends it there.
        let good = parent.is_none_or(sits) && [parent, place.spare].into_iter().flatten().all(known);
        good.then_some(amendment)
    }

    pub(super) fn amend(
        &mut self,
        member: MemberIndex,
        order: Order,
        amendments: Amendments,
        out: &mut Outbox,
    ) {
        let contact = self.contacts.get_mut(&member).expect("it has an order");
        contact.note_told(order);
        if !amendments.list.is_empty() {
            self.tell(member, &Message::Amend(amendments), out);
        }
    }
}
