//! How a ticket travels: each peer's tag once, and grants that name peers by their place among them.

use super::{Class, Grant, Rank, Ticket};
use crate::id::{PeerId, PeerTag};
use crate::limits::{STRIPES_MAX, TIERS_MAX};
use crate::media::{StripeId, TierId};
use crate::time::ChannelTime;
use crate::wire::codec::CodecError;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const MICROS: u64 = 1_000_000;

/// Bits of a stripe's index within its tier, beside those of the tier.
const INDEX_BITS: u32 = 5;
const _: () = assert!(STRIPES_MAX < 1 << INDEX_BITS && TIERS_MAX <= 1 << (u8::BITS - INDEX_BITS));

/// A ticket without its child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Form {
    epoch: u64,
    serial: u32,
    class: Class,
    /// Seconds from the epoch's number, which is a time as a rule, to the end; modulo 2⁶⁴.
    lasts_s: u64,
    peers: Vec<PeerTag>,
    lines: Vec<Line>,
    replaced: Vec<Replaced>,
}

/// A grant whose peers are places in [`Form::peers`].
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    stripe: Packed,
    rank: Rank,
    parent: u8,
    /// Its place and one; 0 for none.
    spare: u8,
}

/// The grant on `stripe` takes the seat of `child` on stripe `seat`.
#[derive(Debug, Serialize, Deserialize)]
struct Replaced {
    stripe: Packed,
    seat: Packed,
    child: u8,
}

/// A stripe in one byte: its tier above its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Packed(u8);

impl Packed {
    fn of(stripe: StripeId) -> Self {
        debug_assert!(stripe.index < 1 << INDEX_BITS, "a stripe of a layout");
        Self(stripe.tier.0 << INDEX_BITS | stripe.index)
    }

    const fn stripe(self) -> StripeId {
        StripeId {
            tier: TierId(self.0 >> INDEX_BITS),
            index: self.0 & ((1 << INDEX_BITS) - 1),
        }
    }
}

/// The peers that a ticket names, each once.
#[derive(Default)]
struct Peers(Vec<PeerTag>);

impl Peers {
    /// # Panics
    /// Beyond 255 peers: a ticket grants a few stripes, and each names three at most.
    fn place(&mut self, tag: PeerTag) -> u8 {
        let known = self.0.iter().position(|peer| *peer == tag);
        let place = known.unwrap_or_else(|| {
            self.0.push(tag);
            self.0.len() - 1
        });
        assert!(place < usize::from(u8::MAX), "a ticket names few peers");
        place as u8
    }
}

impl Form {
    pub(super) fn of(ticket: &Ticket) -> Self {
        let mut peers = Peers::default();
        let line = |grant: &Grant| Line {
            stripe: Packed::of(grant.stripe),
            rank: grant.rank,
            parent: peers.place(grant.parent),
            spare: grant.spare.map_or(0, |spare| peers.place(spare) + 1),
        };
        let lines = ticket.grants.iter().map(line).collect();
        let replaced = ticket.grants.iter().filter_map(|grant| {
            let (seat, child) = grant.replaces?;
            Some(Replaced {
                stripe: Packed::of(grant.stripe),
                seat: Packed::of(seat),
                child: peers.place(child),
            })
        });
        let replaced = replaced.collect();
        Self {
            epoch: ticket.epoch,
            serial: ticket.serial,
            class: ticket.class,
            lasts_s: (ticket.expires.as_micros() / MICROS).wrapping_sub(ticket.epoch),
            peers: peers.0,
            lines,
            replaced,
        }
    }

    #[cfg(test)]
    pub(super) fn forget_peers(&mut self) {
        self.peers.clear();
    }

    /// # Errors
    /// If a grant names a peer that is not listed, or the end is beyond all time.
    pub(super) fn ticket_of(self, child: PeerId) -> Result<Ticket, CodecError> {
        let grants: Result<Vec<Grant>, _> = self.lines.iter().map(|line| self.grant(line)).collect();
        let expires = self.lasts_s.wrapping_add(self.epoch).checked_mul(MICROS);
        Ok(Ticket {
            epoch: self.epoch,
            serial: self.serial,
            child,
            class: self.class,
            expires: ChannelTime::from_micros(expires.ok_or(CodecError::Malformed)?),
            grants: grants?,
        })
    }

    fn grant(&self, line: &Line) -> Result<Grant, CodecError> {
        let spare = line.spare.checked_sub(1);
        let replaces = self
            .replaced
            .iter()
            .find(|replaced| replaced.stripe == line.stripe);
        let replaces = replaces.map(|replaced| Ok((replaced.seat.stripe(), self.peer(replaced.child)?)));
        Ok(Grant {
            stripe: line.stripe.stripe(),
            rank: line.rank,
            parent: self.peer(line.parent)?,
            spare: spare.map(|place| self.peer(place)).transpose()?,
            replaces: replaces.transpose()?,
        })
    }

    fn peer(&self, place: u8) -> Result<PeerTag, CodecError> {
        let peer = self.peers.get(usize::from(place));
        peer.copied().ok_or(CodecError::Malformed)
    }
}
