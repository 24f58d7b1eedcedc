//! The tickets that viewers were given.

use crate::keys::hashed_key;
use crate::net::{MILLISECOND, Micros, SECOND};
use crate::world::NodeIndex;
use banyan_protocol::id::{PeerId, PublicKey, Verify};
use banyan_protocol::media::StripeId;
use banyan_protocol::wire::amendments::Amendments;
use banyan_protocol::wire::codec::CodecError;
use banyan_protocol::wire::control::Message;
use banyan_protocol::wire::order::{Commanded, Numbered, Order};
use banyan_protocol::wire::ticket::{Class, Ticket, TicketLane};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A viewer may act by a former ticket for so long after the next: until it has moved, or has given up moving.
const FORMER: Micros = 20 * SECOND;

/// A ticket that was given is shown to a parent within so long: it travels to the child, and from there to the parent.
const SHOWN: Micros = 500 * MILLISECOND;

/// What viewers may do.
pub(crate) struct Tickets {
    channel: PublicKey,
    verify: Arc<dyn Verify>,
    viewers: BTreeMap<NodeIndex, PeerId>,
    given: BTreeMap<NodeIndex, Vec<(Micros, Ticket)>>,
    /// The newest of each viewer as it was signed: without the spares that it was told of since.
    signed: BTreeMap<NodeIndex, Ticket>,
    relays: BTreeSet<NodeIndex>,
    /// What the broadcaster sent each.
    lanes: BTreeMap<NodeIndex, TicketLane>,
}

impl Tickets {
    pub(crate) fn new(channel: PublicKey, verify: Arc<dyn Verify>) -> Self {
        Self {
            channel,
            verify,
            viewers: BTreeMap::new(),
            given: BTreeMap::new(),
            signed: BTreeMap::new(),
            relays: BTreeSet::new(),
            lanes: BTreeMap::new(),
        }
    }

    /// A viewer comes.
    pub(crate) fn expect(&mut self, node: NodeIndex, viewer: PeerId) {
        self.viewers.insert(node, viewer);
    }

    /// A relay boots.
    pub(crate) fn expect_relay(&mut self, node: NodeIndex, relay: PeerId) {
        self.expect(node, relay);
        self.relays.insert(node);
    }

    /// What the broadcaster says to a node, with the whole ticket if it brings one.
    pub(super) fn hear(&mut self, node: NodeIndex, message: Message) -> Result<Message, CodecError> {
        self.lanes.entry(node).or_default().receive(message)
    }

    /// The key of a viewer or relay.
    pub(super) fn key(&self, node: NodeIndex) -> Option<&PeerId> {
        self.viewers.get(&node)
    }

    /// Whether that is a relay.
    pub(super) fn is_relay(&self, node: NodeIndex) -> bool {
        self.relays.contains(&node)
    }

    /// A relay is given an order, by its sponsor or by the coordinator, which may bring a ticket.
    pub(super) fn order(
        &mut self,
        now: Micros,
        from: NodeIndex,
        relay: NodeIndex,
        commanded: &Commanded,
    ) -> Result<(), String> {
        let signer = self.viewers.get(&from).map_or(self.channel, hashed_key);
        let key = self.viewers.get(&relay).ok_or("is for no relay")?;
        let opened = Numbered::open(&commanded.order, &signer, key, &*self.verify);
        match opened.map_err(|error| error.to_string())?.order {
            Order::Attach(assign) => self.give(now, relay, &assign.ticket),
            _ => Ok(()),
        }
    }

    /// The ticket in `sealed`, as the viewer reads it.
    pub(super) fn read(&self, node: NodeIndex, sealed: &[u8]) -> Result<Ticket, String> {
        let viewer = self.viewers.get(&node).ok_or("is for no viewer")?;
        Ticket::open(sealed, viewer, &self.channel, &*self.verify).map_err(|error| error.to_string())
    }

    /// A viewer is given a ticket.
    pub(crate) fn give(&mut self, now: Micros, node: NodeIndex, sealed: &[u8]) -> Result<(), String> {
        let ticket = self.read(node, sealed)?;
        let given = self.given.entry(node).or_default();
        let older = given.last().filter(|(_, last)| last.epoch == ticket.epoch);
        if older.is_some_and(|(_, last)| last.serial >= ticket.serial) {
            return Err("is not newer than its last".into());
        }
        // All but the last were replaced when the one after them came.
        let replaced = given
            .iter()
            .skip(1)
            .take_while(|(at, _)| now - at > FORMER)
            .count();
        given.drain(..replaced);
        given.push((now, ticket.clone()));
        self.signed.insert(node, ticket);
        Ok(())
    }

    /// A viewer is told of other spares, which its ticket must name for some stripe.
    pub(crate) fn amend(
        &mut self,
        now: Micros,
        node: NodeIndex,
        amendments: &Amendments,
    ) -> Result<(), String> {
        let signed = self.signed.get(&node).ok_or("are for nobody with a ticket")?;
        let given = self.given.entry(node).or_default();
        let mut ticket = given.last().map_or(signed, |(_, last)| last).clone();
        for amendment in &amendments.list {
            let mut peers = [amendment.parent, amendment.spare].into_iter().flatten();
            if peers.any(|peer| !signed.names(peer)) {
                return Err("its ticket does not name".into());
            }
            if ticket.grant(amendment.stripe).is_none() {
                return Err("are for what its ticket does not grant".into());
            }
        }
        amendments.apply(&mut ticket.grants);
        given.push((now, ticket));
        Ok(())
    }

    /// Whether a ticket that the viewer has, or had until a moment ago, grants it `stripe`.
    pub(crate) fn grants(&self, now: Micros, node: NodeIndex, stripe: StripeId) -> bool {
        self.valid(now, node).any(|ticket| ticket.grant(stripe).is_some())
    }

    /// Whether such a ticket names `parent` for it.
    pub(crate) fn names(&self, now: Micros, node: NodeIndex, stripe: StripeId, parent: &PeerId) -> bool {
        let tag = parent.tag();
        let names = |ticket: &Ticket| ticket.grant(stripe).is_some_and(|grant| grant.names(tag));
        self.valid(now, node).any(names)
    }

    /// How a viewer is to be served by its newest ticket, or by the one before while that may not have been shown yet: the best and the
    /// worst of it; last, without one.
    pub(crate) fn classes(&self, now: Micros, node: NodeIndex) -> (Class, Class) {
        let newest = self.known(now, node, SHOWN).map(|ticket| ticket.class);
        let (best, worst) = (newest.clone().min(), newest.max());
        (best.unwrap_or(Class::WORST), worst.unwrap_or(Class::WORST))
    }

    fn valid(&self, now: Micros, node: NodeIndex) -> impl Iterator<Item = &Ticket> + Clone + '_ {
        self.known(now, node, FORMER)
    }

    /// The tickets that may be gone by where the next one takes `former` to be.
    fn known(
        &self,
        now: Micros,
        node: NodeIndex,
        former: Micros,
    ) -> impl Iterator<Item = &Ticket> + Clone + '_ {
        let given = self.given.get(&node).map(Vec::as_slice).unwrap_or_default();
        let replaced = given.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
        let pairs = given.iter().zip(replaced);
        let valid = pairs.filter(move |(_, replaced)| replaced.is_none_or(|at| now - at <= former));
        valid.map(|((_, ticket), _)| ticket)
    }
}
