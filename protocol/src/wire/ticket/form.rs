//! How a ticket travels: each peer's tag once, and grants that name peers by their place among them.

use super::{Class, Grant, Rank, Ticket};
use crate::id::{PeerId, PeerTag};
use crate::media::StripeId;
use crate::time::ChannelTime;
use crate::wire::codec::CodecError;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const MICROS: u64 = 1_000_000;

/// A ticket without its child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Form {
    epoch: u64,
    serial: u32,
    class: Class,
    expires_s: u64,
    peers: Vec<PeerTag>,
    lines: Vec<Line>,
}

/// A grant whose peers are places in [`Form::peers`].
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    stripe: StripeId,
    rank: Rank,
    parent: u8,
    spare: Option<u8>,
    replaces: Option<(StripeId, u8)>,
}

impl Form {
    /// # Panics
    /// If the ticket names more than 256 peers: it grants a few stripes, and each names three at most.
    pub(super) fn of(ticket: &Ticket) -> Self {
        let mut peers = Vec::new();
        let mut place = |tag: PeerTag| {
            let known = peers.iter().position(|peer| *peer == tag);
            let place = known.unwrap_or_else(|| {
                peers.push(tag);
                peers.len() - 1
            });
            u8::try_from(place).expect("a ticket names few peers")
        };
        let lines = ticket.grants.iter().map(|grant| Line {
            stripe: grant.stripe,
            rank: grant.rank,
            parent: place(grant.parent),
            spare: grant.spare.map(&mut place),
            replaces: grant.replaces.map(|(stripe, child)| (stripe, place(child))),
        });
        let lines = lines.collect();
        Self {
            epoch: ticket.epoch,
            serial: ticket.serial,
            class: ticket.class,
            expires_s: ticket.expires.as_micros() / MICROS,
            peers,
            lines,
        }
    }

    #[cfg(test)]
    pub(super) fn forget_peers(&mut self) {
        self.peers.clear();
    }

    /// # Errors
    /// If a grant names a peer that is not listed, or the end is beyond all time.
    pub(super) fn ticket_of(self, child: PeerId) -> Result<Ticket, CodecError> {
        let peers = &self.peers;
        let grants = self.lines.into_iter().map(|line| line.grant(peers));
        let expires = self.expires_s.checked_mul(MICROS).ok_or(CodecError::Malformed)?;
        Ok(Ticket {
            epoch: self.epoch,
            serial: self.serial,
            child,
            class: self.class,
            expires: ChannelTime::from_micros(expires),
            grants: grants.collect::<Result<_, _>>()?,
        })
    }
}

impl Line {
    fn grant(self, peers: &[PeerTag]) -> Result<Grant, CodecError> {
        let peer = |place: u8| {
            peers
                .get(usize::from(place))
                .copied()
                .ok_or(CodecError::Malformed)
        };
        let replaced = |(stripe, place)| peer(place).map(|child| (stripe, child));
        Ok(Grant {
            stripe: self.stripe,
            rank: self.rank,
            parent: peer(self.parent)?,
            spare: self.spare.map(peer).transpose()?,
            replaces: self.replaces.map(replaced).transpose()?,
        })
    }
}
