//! What the coordinator keeps of each member besides its places.

use super::routes::Route;
use crate::id::PeerTag;
use crate::media::{StripeId, TierId};
use crate::overlay::member::MemberIndex;
use crate::overlay::nearness::RoundTrips;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::control::TierReason;
use crate::wire::ticket::{Class, Grant, TicketLane};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What is known of where a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// It was never asked.
    #[default]
    Unknown,
    /// It has been asked.
    Asked,
    /// Regions are that far from it, as it says.
    Said(RoundTrips),
}

/// What the coordinator keeps of a member besides its places.
pub(super) struct Contact {
    pub(super) route: Route,
    pub(super) address: SocketAddr,
    /// When it last said anything.
    pub(super) heard: Instant,
    /// Of its newest ticket.
    pub(super) serial: u32,
    pub(super) expires: Option<Instant>,
    /// The tickets that it was sent on its link.
    pub(super) lane: TicketLane,
    /// What it was told last, so that it isn't told twice.
    pub(super) order: Option<Order>,
    /// Who sends it which stripe, as it has said last.
    pub(super) sits: BTreeMap<StripeIndex, MemberIndex>,
    /// Stripes that it has from somebody else than it was told last, as it has said since: told the same again, it is told something new.
    pub(super) astray: BTreeSet<StripeId>,
    pub(super) late_since: Option<Instant>,
    /// What it sent by its last report.
    pub(super) sending: Bitrate,
    /// Relays that it offered and that were none.
    pub(super) spurious_offers: u8,
    pub(super) whereabouts: Whereabouts,
}

impl Contact {
    pub(super) fn new(route: Route, address: SocketAddr, heard: Instant) -> Self {
        Self {
            route,
            address,
            heard,
            // A key that comes back gets greater serials than it had: parents take no older ticket.
            serial: (heard.as_micros() / 100_000) as u32,
            expires: None,
            lane: TicketLane::default(),
            order: None,
            sits: BTreeMap::new(),
            astray: BTreeSet::new(),
            late_since: None,
            sending: Bitrate::ZERO,
            spurious_offers: 0,
            whereabouts: Whereabouts::Unknown,
        }
    }
}

impl Contact {
    /// It is told this now.
    pub(super) fn note_told(&mut self, order: Order) {
        self.order = Some(order);
        self.astray.clear();
    }

    /// It has a stripe from this peer now, as it says.
    pub(super) fn note_parent(&mut self, stripe: StripeId, parent: PeerTag) {
        if self.told_parent(stripe) == Some(parent) {
            self.astray.remove(&stripe);
        } else {
            self.astray.insert(stripe);
        }
    }

    /// Whether `order` tells it of a parent again that it has left since.
    pub(super) fn is_called_back(&self, order: &Order) -> bool {
        let back = |stripe: &StripeId| {
            let told = self.told_parent(*stripe);
            told.is_some_and(|told| order.parent(*stripe) == Some(told))
        };
        self.astray.iter().any(back)
    }

    fn told_parent(&self, stripe: StripeId) -> Option<PeerTag> {
        self.order.as_ref()?.parent(stripe)
    }
}

/// The part of an `Assign` that counts.
#[derive(PartialEq, Eq)]
pub(super) struct Order {
    pub(super) tier: TierId,
    pub(super) why: TierReason,
    pub(super) class: Class,
    pub(super) grants: Vec<Grant>,
}

impl Order {
    fn parent(&self, stripe: StripeId) -> Option<PeerTag> {
        let grant = self.grants.iter().find(|grant| grant.stripe == stripe);
        grant.map(|grant| grant.parent)
    }
}
