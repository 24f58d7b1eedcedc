//! A member as the coordinator knows it.

use crate::id::{PeerId, PeerTag};
use crate::media::{StripeId, TierId};
use crate::overlay::forest::Place;
use crate::overlay::reach::{Prefix, Reach};
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::ticket::Class;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// A member's place in the overlay's table; used again after it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIndex(pub(crate) u32);

impl MemberIndex {
    /// The broadcaster.
    pub const SOURCE: Self = Self(0);

    pub(crate) const fn get(self) -> usize {
        self.0 as usize
    }
}

/// What a member is here for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// To see the channel.
    #[default]
    Viewer,
    /// To sponsor a relay without watching: it has no places.
    Sponsor,
    /// To carry the channel to others, for this sponsor.
    Relay {
        /// Who pays for it.
        sponsor: PeerId,
    },
}

/// Whether a member can be counted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As far as known.
    Active,
    /// Children say that it is silent; it has been asked for a sign of life.
    Suspect {
        /// Since when.
        since: Instant,
        /// Who says so.
        accusers: BTreeSet<MemberIndex>,
    },
    /// It lives, but children of different networks agreed that it does not forward: it is served, and given no children.
    Shunned {
        /// Until when.
        until: Instant,
    },
    /// It says goodbye, and forwards until its children have moved.
    Leaving,
    /// Its link is up, but it gave no sign of life: it has no place until it does.
    Absent,
    /// No member any more.
    Gone,
}

/// A child that still sits on a seat which the plan has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lingering {
    /// The stripe.
    pub stripe: StripeId,
    /// The child.
    pub child: PeerId,
    /// When it is gone at the latest.
    pub until: Instant,
}

impl Lingering {
    /// The seat, as a ticket names it ([`Grant::replaces`](crate::wire::ticket::Grant)).
    pub fn seat(&self) -> (StripeId, PeerTag) {
        (self.stripe, self.child.tag())
    }
}

/// A member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub id: PeerId,
    /// What it is here for.
    pub kind: Kind,
    /// When it joined.
    pub joined: Instant,
    /// When it was last moved to make the trees shorter.
    pub moved: Option<Instant>,
    /// How often it may still be: once for each viewer that has joined, but the chances of long ago do not pile up.
    pub moves_left: u8,
    /// Its network.
    pub prefix: Prefix,
    /// The addresses that others are told, best first.
    pub addresses: Vec<SocketAddr>,
    /// Whether others can dial it.
    pub reach: Reach,
    /// Whether its address is for relays and the broadcaster only.
    pub relay_only: bool,
    /// Whether its person may be asked to sponsor.
    pub may_sponsor: bool,
    /// How far behind capture it plays, in milliseconds.
    pub buffer_ms: u32,
    /// The most it gives; `None` if only measuring tells.
    pub cap: Option<Bitrate>,
    /// What it found its uplink to carry, where that is less than the cap.
    pub carries: Option<Bitrate>,
    /// What has been proven so far.
    pub granted: Bitrate,
    /// What its children cost.
    pub used: Bitrate,
    /// Until when it is given no child, because it said that it has no room though the plan says so.
    pub full_until: Option<Instant>,
    /// Whether it is a relay that has nothing yet for those who begin with the full stream.
    pub fills: bool,
    /// A relay whose lease ends soon: nobody else is given a seat below it.
    pub ends: bool,
    /// Whether it is a relay that gives less than half of what its sponsor promised.
    pub falls_short: bool,
    /// When its uplink last proved too weak.
    pub late: Option<Instant>,
    /// When its grant was cut last, and how often in a row.
    pub cuts: Option<(Instant, u32)>,
    /// The tier it shows; `None` while it has none.
    pub tier: Option<TierId>,
    /// Since when it has seats for a better tier than the one that it showed: it keeps both for a while.
    pub outgrows: Option<Instant>,
    /// Whether it can be counted on.
    pub state: State,
    /// Its place in each stripe's tree.
    pub places: Vec<Option<Place>>,
    /// The stripes that it is meant to be interior in.
    pub homes: BTreeSet<StripeIndex>,
    /// Seats that are not free yet, though the plan says so.
    pub lingering: Vec<Lingering>,
}

impl Member {
    /// A newcomer without a place.
    pub fn new(id: PeerId, joined: Instant, prefix: Prefix) -> Self {
        Self {
            id,
            kind: Kind::Viewer,
            joined,
            moved: None,
            moves_left: 1,
            prefix,
            addresses: Vec::new(),
            reach: Reach::Unknown,
            relay_only: false,
            may_sponsor: false,
            buffer_ms: 2000,
            cap: None,
            carries: None,
            granted: Bitrate::ZERO,
            used: Bitrate::ZERO,
            full_until: None,
            fills: false,
            ends: false,
            falls_short: false,
            late: None,
            cuts: None,
            tier: None,
            outgrows: None,
            state: State::Active,
            places: Vec::new(),
            homes: BTreeSet::new(),
            lingering: Vec::new(),
        }
    }

    /// Whether it is a member still.
    pub fn is_present(&self) -> bool {
        self.state != State::Gone
    }

    /// Whether it is here to see the channel.
    pub fn is_viewer(&self) -> bool {
        self.kind == Kind::Viewer
    }

    /// Who pays for it, if it is a relay.
    pub fn sponsor(&self) -> Option<PeerId> {
        match self.kind {
            Kind::Relay { sponsor } => Some(sponsor),
            Kind::Viewer | Kind::Sponsor => None,
        }
    }

    /// Whether it may be given new children.
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// Its place in a stripe's tree.
    pub fn place(&self, stripe: StripeIndex) -> Option<&Place> {
        self.places.get(stripe.get())?.as_ref()
    }

    pub(crate) fn place_mut(&mut self, stripe: StripeIndex) -> Option<&mut Place> {
        self.places.get_mut(stripe.get())?.as_mut()
    }

    /// Its places with their stripes.
    pub fn places_with_index(&self) -> impl Iterator<Item = (StripeIndex, &Place)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, place)| Some((StripeIndex(index as u8), place.as_ref()?)))
    }

    /// Proven uplink that nobody uses.
    pub fn free(&self) -> Bitrate {
        self.granted.saturating_sub(self.used)
    }

    /// What it is granted once it has proven what it is granted now: how strong it is held to be when seats near the source are
    /// given. Without that, a newcomer that never has children could never prove anything.
    pub fn promise(&self) -> Bitrate {
        self.limit()
            .map_or(self.granted, |limit| limit.min(self.granted * 2))
    }

    /// The most that it may be granted, as far as anything is known of it.
    pub fn limit(&self) -> Option<Bitrate> {
        match (self.cap, self.carries) {
            (Some(cap), Some(carries)) => Some(cap.min(carries)),
            (cap, carries) => cap.or(carries),
        }
    }

    /// Whether it has children on some stripe.
    pub fn is_interior(&self) -> bool {
        self.used > Bitrate::ZERO
    }

    /// How it is served when there is not enough, relays aside; `slot` is the full stream's.
    pub(super) fn class(&self, slot: Bitrate) -> Class {
        if self.is_interior() {
            Class::Interior
        } else if self.cap.is_some_and(|cap| cap < slot) || self.granted < slot {
            Class::FreeRider
        } else {
            Class::Leaf
        }
    }

    /// How many children it has on all stripes.
    pub fn child_edges(&self) -> usize {
        self.places
            .iter()
            .flatten()
            .map(|place| place.children.len())
            .sum()
    }
}
