//! How members are spoken to: on their own links; relays through their sponsors, who make orders of it, or by a sponsor's
//! delegation when that has gone (`docs/protocol.md` §11).

use super::Broadcaster;
use crate::io::{LinkEnd, LinkId, Outbox, Output};
use crate::overlay::member::MemberIndex;
use crate::time::Instant;
use crate::wire::close::CloseCode;
use crate::wire::control::Message;
use crate::wire::order::{Commanded, Numbered, Order};
use alloc::vec::Vec;

/// How a member is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// On its own link.
    Link(LinkId),
    /// A relay: through its sponsor.
    Sponsor(MemberIndex),
    /// A relay whose sponsor has gone: by the sponsor's delegation, if there is one, on this link as soon as it is up.
    Delegated(Option<LinkId>),
}

impl Broadcaster {
    /// Says something to a member, however it is to be reached. To a relay that nobody can command at this moment nothing is
    /// said.
    pub(super) fn tell(&mut self, member: MemberIndex, message: &Message, out: &mut Outbox) {
        match self.contacts.get(&member).map(|contact| contact.route) {
            Some(Route::Link(link)) => out.tell(link, message),
            Some(Route::Sponsor(sponsor)) => {
                let relay = self.overlay.member(member).id.tag();
                let message = message.body();
                self.tell(sponsor, &Message::ToRelay { relay, message }, out);
            }
            Some(Route::Delegated(Some(link))) => self.command(member, link, message, out),
            Some(Route::Delegated(None)) | None => {}
        }
    }

    fn command(&mut self, member: MemberIndex, link: LinkId, message: &Message, out: &mut Outbox) {
        let relay = self.relays.get_mut(&member).expect("only relays are commanded");
        let (Some(order), delegation @ Some(_)) = (order_of(message), relay.delegation.clone()) else {
            return;
        };
        relay.sequence += 1;
        let numbered = Numbered {
            lease: relay.lease.id,
            sequence: relay.sequence,
            order,
        };
        let order = numbered.seal(&*self.config.key, &self.overlay.member(member).id);
        out.tell(link, &Message::Order(Commanded { order, delegation }));
    }

    /// The links that a member has with us: its own, or those that a relay has as our child.
    pub(super) fn links_of(&self, member: MemberIndex) -> Vec<LinkId> {
        let its = self
            .links
            .iter()
            .filter(|(_, stranger)| stranger.member == Some(member));
        its.map(|(link, _)| *link).collect()
    }

    /// From now on a relay is commanded by its sponsor's delegation.
    pub(super) fn take_command(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        let at = self.clock.channel(now).as_micros();
        let relay = self.relays.get_mut(&member).expect("the caller has a relay");
        relay.sequence = at.max(relay.sequence);
        let link = self.links_of(member).first().copied();
        self.command_on(member, link);
        if link.is_none() {
            self.dial(member, out);
        }
    }

    fn command_on(&mut self, member: MemberIndex, link: Option<LinkId>) {
        if let Some(contact) = self.contacts.get_mut(&member) {
            contact.route = Route::Delegated(link);
        }
        // What was said to the sponsor may not have reached the relay.
        self.overlay.estrange_all(member);
        self.say_again(member);
    }

    pub(super) fn dial(&mut self, member: MemberIndex, out: &mut Outbox) {
        self.last_dialled += 2;
        let link = LinkId(self.last_dialled);
        let info = self.overlay.member(member);
        let (peer, addresses) = (info.id, info.addresses.clone());
        self.dialled.insert(link, member);
        out.push(Output::Dial {
            link,
            peer,
            addresses,
        });
    }

    /// A link to a relay is up, whoever dialled.
    pub(super) fn on_relay_linked(&mut self, now: Instant, link: LinkId, member: MemberIndex) {
        self.dialled.remove(&link);
        self.heard_from(now, member);
        if self.contacts.get(&member).map(|contact| contact.route) == Some(Route::Delegated(None)) {
            self.command_on(member, Some(link));
        }
    }

    /// A link to a relay has ended. One that was commanded on it is dialled once more, unless it has had enough of us.
    pub(super) fn on_relay_unlinked(
        &mut self,
        now: Instant,
        link: LinkId,
        member: MemberIndex,
        why: LinkEnd,
        out: &mut Outbox,
    ) {
        if self.contacts.get(&member).map(|contact| contact.route) != Some(Route::Delegated(Some(link))) {
            return;
        }
        match why {
            LinkEnd::Closed(code) if code != CloseCode::Duplicate => {
                self.end_relay(now, member, "has closed its link", out);
            }
            _ => self.take_command(now, member, out),
        }
    }

    /// A dial came to nothing.
    pub(super) fn on_dial_failed(&mut self, now: Instant, link: LinkId, out: &mut Outbox) {
        let Some(member) = self.dialled.remove(&link) else {
            return;
        };
        if self.contacts.get(&member).map(|contact| contact.route) == Some(Route::Delegated(None)) {
            self.end_relay(now, member, "cannot be reached", out);
        }
    }
}

/// The order that says the same.
fn order_of(message: &Message) -> Option<Order> {
    match message {
        Message::Assign(assign) => Some(Order::Attach(assign.clone())),
        Message::Dial(introduction) => Some(Order::Dial(introduction.clone())),
        _ => None,
    }
}
