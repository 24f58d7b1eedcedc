//! Orders to a relay, and the delegation by which a sponsor lets the coordinator give them (`docs/protocol.md` §11).
//!
//! An order counts by its signature, not by the link that brings it.

use crate::id::{Context, PeerId, PublicKey, Sign, Verify};
use crate::limits::ADDRESSES_MAX;
use crate::units::Bitrate;
use crate::wire::bounded;
use crate::wire::control::{Assign, Introduction};
use crate::wire::lease::{Lease, LeaseId};
use crate::wire::signed::{self, SignedError};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// What a relay is told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Receive these stripes from these parents, with these spares: all its places, which replace the last.
    Attach(Assign),
    /// Link up with this peer: it cannot dial the relay, or both ends are to try.
    Dial(Introduction),
    /// A standing rule: take whoever shows a ticket, up to so many peers, each in its ticket's class.
    Accept {
        /// The most peers fed at once.
        children: u16,
    },
    /// Send at most this much, in wire bits a second.
    Cap(Bitrate),
    /// Take nobody more; those who are fed are fed until they have moved.
    Drain,
    /// The lease is this one from now on.
    Extend(Lease),
    /// End now.
    Stop,
    /// Say how things are.
    Report,
    /// Delegations of an older generation than this one are void.
    Revoke {
        /// The generation.
        generation: u32,
    },
}

impl Order {
    /// Whether a delegate may give it too: nothing that costs more, or ends what the sponsor pays for.
    pub const fn may_be_delegated(&self) -> bool {
        match self {
            Self::Attach(_) | Self::Dial(_) | Self::Accept { .. } | Self::Drain | Self::Report => true,
            Self::Cap(_) | Self::Extend(_) | Self::Stop | Self::Revoke { .. } => false,
        }
    }

    /// Whether what it carries is within the limits.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Attach(assign) => assign.is_sound(),
            Self::Dial(introduction) => introduction.is_sound(),
            _ => true,
        }
    }
}

/// An order with what makes it good for one relay, one lease and one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// The relay's lease.
    pub lease: LeaseId,
    /// Grows with each order of the same signer for this lease: what came before is not obeyed again. A signer that may be
    /// started anew takes its clock's microseconds since 1970, or one more than its last.
    pub sequence: u64,
    /// The order.
    pub order: Order,
}

impl Numbered {
    /// Signs it for `relay`: `body ‖ signature`, where the signature is over `relay ‖ body`.
    pub fn seal(&self, signer: &dyn Sign, relay: &PeerId) -> Bytes {
        signed::seal_for(signer, Context::Order, &relay.0, self)
    }

    /// The order in `bytes`, if `signer` gave it to `relay`.
    ///
    /// # Errors
    /// If it is too short, signed by somebody else or for somebody else, or no order.
    pub fn open(
        bytes: &[u8],
        signer: &PublicKey,
        relay: &PeerId,
        verify: &dyn Verify,
    ) -> Result<Self, SignedError> {
        signed::open_for(verify, signer, Context::Order, &relay.0, bytes)
    }
}

/// A sponsor's word that somebody else may command its relay when the sponsor does not: narrow, and revocable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The channel that the relay may be used for.
    pub channel: PublicKey,
    /// The relay.
    pub relay: PeerId,
    /// Who may command it: the coordinator.
    pub delegate: PublicKey,
    /// The lease, as far as it is the delegate's to use.
    pub lease: Lease,
    /// Void as soon as the sponsor has named a greater one.
    pub generation: u32,
}

impl Delegation {
    /// Signs it: `body ‖ signature`.
    pub fn seal(&self, sponsor: &dyn Sign) -> Bytes {
        signed::seal(sponsor, Context::Delegation, self)
    }

    /// The delegation in `bytes`, if `sponsor` gave it.
    ///
    /// # Errors
    /// If it is too short, signed by somebody else, or no delegation.
    pub fn open(bytes: &[u8], sponsor: &PublicKey, verify: &dyn Verify) -> Result<Self, SignedError> {
        signed::open(verify, sponsor, Context::Delegation, bytes)
    }
}

/// A delegation as it is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedDelegation {
    /// Who signed it: a peer's key is no more known than its [`PeerId`].
    pub sponsor: PublicKey,
    /// The [`Delegation`] as [`Delegation::seal`] makes it.
    pub sealed: Bytes,
}

/// A relay that its sponsor lends the channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The round of the yes that it comes of; 0 if none.
    pub round: u64,
    /// The relay.
    pub relay: PeerId,
    /// Where viewers find it, best first.
    #[serde(deserialize_with = "bounded::list::<_, _, ADDRESSES_MAX>")]
    pub addresses: Vec<SocketAddr>,
    /// What it sends at most, in wire bits a second.
    pub uplink: Bitrate,
    /// How long it runs, and how much it may send.
    pub lease: Lease,
    /// A delegation to the coordinator, unless the sponsor keeps the relay to itself.
    pub delegation: Option<SealedDelegation>,
}

/// What a relay has used of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Wire bytes sent since it began.
    pub sent: u64,
    /// Wire bits a second that it sends, mean of the last second.
    pub sending: Bitrate,
    /// Distinct peers that it feeds.
    pub children: u16,
    /// The lease in force.
    pub lease: Lease,
}

/// An order as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commanded {
    /// A sealed [`Numbered`].
    pub order: Bytes,
    /// A sealed [`Delegation`], if the delegate signed the order.
    pub delegation: Option<Bytes>,
}
