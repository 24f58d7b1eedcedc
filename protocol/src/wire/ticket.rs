//! Tickets: the broadcaster's signed permission to be a viewer (`docs/protocol.md` §7).

mod form;
mod lane;

use crate::id::{Context, PeerId, PeerTag, PublicKey, Sign, Verify};
use crate::media::StripeId;
use crate::time::ChannelTime;
use crate::wire::signed::{self, SignedError};
use alloc::vec::Vec;
use bytes::Bytes;
use form::Form;
pub use lane::TicketLane;
use serde::{Deserialize, Serialize};

/// In what order peers are served when there is not enough for all; first is best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The sponsor of this very relay.
    OwnSponsor,
    /// The sponsor of another relay.
    Sponsor,
    /// Has, or is granted, children in some tree.
    Interior,
    /// Has no children, though it could.
    #[default]
    Leaf,
    /// A leaf whose uplink is under one slot.
    FreeRider,
}

impl Class {
    /// Nobody is served after it.
    pub const WORST: Self = Self::FreeRider;
}

/// A peer's place in the order of one stripe's tree: a parent's rank is less than its child's. The source has rank 0.
///
/// On the wire its bits are in reverse: ranks are far apart, and so their low bits are zero as a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Rank(pub u64);

impl From<u64> for Rank {
    fn from(reversed: u64) -> Self {
        Self(reversed.reverse_bits())
    }
}

impl From<Rank> for u64 {
    fn from(rank: Rank) -> Self {
        rank.0.reverse_bits()
    }
}

impl Rank {
    /// The broadcaster's, on every stripe.
    pub const SOURCE: Self = Self(0);
}

/// What a ticket grants on one stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The stripe.
    pub stripe: StripeId,
    /// The child's rank on it.
    pub rank: Rank,
    /// Who is to send it.
    pub parent: PeerTag,
    /// Who may be asked at once when the parent falls silent.
    pub spare: Option<PeerTag>,
    /// Whose seat at the parent the child takes, if the parent's uplink has no room for both: the parent detaches that
    /// child from that stripe ([`DetachReason::Replaced`](crate::wire::control::DetachReason::Replaced)) and accepts this
    /// one in the same step. The one replaced has been told where to go before.
    pub replaces: Option<(StripeId, PeerTag)>,
}

/// Permission to be a viewer, for one key and ten minutes. Worthless under another TLS key.
///
/// Tickets are most of what the coordinator sends, so what both ends know does not travel: the child is signed, and left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The run of the broadcaster that gave it.
    pub epoch: u64,
    /// Grows with each ticket for the same child; a newer one replaces the older.
    pub serial: u32,
    /// Whose it is.
    pub child: PeerId,
    /// How it is served when there is not enough.
    pub class: Class,
    /// When it ends, in whole seconds: what is beyond them does not travel.
    pub expires: ChannelTime,
    /// The stripes it is good for, each once, in ascending order. They may include stripes of a tier that the child does not
    /// show: it carries those for others.
    pub grants: Vec<Grant>,
}

impl Grant {
    /// Whether it lets its child ask `parent`, as parent or as spare.
    pub fn names(&self, parent: PeerTag) -> bool {
        self.parent == parent || self.spare == Some(parent)
    }
}

impl Ticket {
    /// Signs it: `body ‖ signature`, where the signature is over `child ‖ body`.
    pub fn seal(&self, channel: &dyn Sign) -> Bytes {
        signed::seal_for(channel, Context::Ticket, &self.child.0, &Form::of(self))
    }

    /// The ticket in `bytes`, if `channel` signed it for `child`: shown by anybody else it is as good as forged.
    ///
    /// # Errors
    /// If it is too short, signed by somebody else or for somebody else, or no ticket.
    pub fn open(
        bytes: &[u8],
        child: &PeerId,
        channel: &PublicKey,
        verify: &dyn Verify,
    ) -> Result<Self, SignedError> {
        let form: Form = signed::open_for(verify, channel, Context::Ticket, &child.0, bytes)?;
        Ok(form.ticket_of(*child)?)
    }

    /// What it grants on `stripe`.
    pub fn grant(&self, stripe: StripeId) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.stripe == stripe)
    }

    /// Whether it lets its child ask `parent`: as parent or spare of the stripes for which it names it, and as a spare of the others, of
    /// which the child may be told without another ticket.
    pub fn names(&self, parent: PeerTag) -> bool {
        self.grants.iter().any(|grant| grant.names(parent))
    }
}

#[cfg(test)]
mod tests;
