//! Which tickets are good.

use crate::id::PeerId;
use crate::wire::close::CloseCode;
use crate::wire::codec::CodecError;
use crate::wire::signed::SignedError;
use crate::wire::ticket::Ticket;
use alloc::collections::BTreeMap;

/// The most peers whose serials are remembered. Only peers with a ticket of the broadcaster's count, so that strangers
/// cannot fill it; a peer feeds a few hundred at most.
const REMEMBERED: usize = 4096;

/// The newest ticket that each peer has shown, so that an older one is not taken for it, on whatever link it comes.
#[derive(Debug, Default)]
pub(super) struct Serials {
    newest: BTreeMap<PeerId, (u64, u32)>,
}

impl Serials {
    /// Whether `ticket` is not older than what its child has shown before; if so, it counts as shown.
    pub(super) fn admit(&mut self, ticket: &Ticket) -> bool {
        let age = (ticket.epoch, ticket.serial);
        if self.newest.len() >= REMEMBERED && !self.newest.contains_key(&ticket.child) {
            self.newest.pop_first();
        }
        let newest = self.newest.entry(ticket.child).or_insert(age);
        *newest = age.max(*newest);
        *newest == age
    }

    /// Forgets who showed nothing of `epoch` or later: such tickets are worthless by themselves.
    pub(super) fn forget_before(&mut self, epoch: u64) {
        self.newest.retain(|_, newest| newest.0 >= epoch);
    }
}

/// How a link is closed on which a ticket came that is none.
pub(super) fn fault(error: SignedError) -> CloseCode {
    match error {
        SignedError::Forged => CloseCode::Forged,
        SignedError::Short | SignedError::Codec(CodecError::TooLarge(_)) => CloseCode::Malformed,
        SignedError::Codec(CodecError::Malformed | CodecError::Trailing(_)) => CloseCode::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ChannelTime;
    use crate::wire::ticket::Class;
    use alloc::vec::Vec;

    fn ticket(child: u32, epoch: u64, serial: u32) -> Ticket {
        let mut id = [0; PeerId::LEN];
        id[..4].copy_from_slice(&child.to_be_bytes());
        Ticket {
            epoch,
            serial,
            child: PeerId(id),
            class: Class::Leaf,
            expires: ChannelTime::from_micros(0),
            grants: Vec::new(),
        }
    }

    #[test]
    fn an_older_ticket_is_not_taken_for_a_newer_one() {
        let mut serials = Serials::default();
        assert!(serials.admit(&ticket(1, 5, 3)));
        assert!(serials.admit(&ticket(1, 5, 3)), "the same again is no older one");
        assert!(!serials.admit(&ticket(1, 5, 2)));
        assert!(serials.admit(&ticket(2, 5, 1)), "each child has its own");
        assert!(serials.admit(&ticket(1, 6, 0)), "a new epoch counts anew");
        assert!(!serials.admit(&ticket(1, 5, 9)));
        serials.forget_before(7);
        assert!(serials.admit(&ticket(1, 5, 1)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut serials = Serials::default();
        for child in 0..2 * REMEMBERED as u32 {
            assert!(serials.admit(&ticket(child, 5, 1)));
        }
        assert_eq!(serials.newest.len(), REMEMBERED);
    }
}
