//! Tickets on a control lane: each but the first travels as what is new in it against the one before.

use crate::id::Signature;
use crate::wire::codec::CodecError;
use crate::wire::control::{Assign, Message, Reassign};
use crate::wire::patch;
use bytes::Bytes;

/// No ticket is larger: one for all stripes of a layout, each with other peers.
const SEALED_MAX: usize = 4096;

/// What has gone over one control lane, at either end of it: lanes keep the order.
#[derive(Debug, Default)]
pub struct TicketLane {
    last: Option<Bytes>,
    /// The last [`Assign::from_block`].
    from_block: u64,
}

impl TicketLane {
    /// What an `Assign` travels as.
    pub fn send(&mut self, assign: Assign) -> Message {
        let former = self.last.replace(assign.ticket.clone());
        let from_block = core::mem::replace(&mut self.from_block, assign.from_block);
        let patch = former.and_then(|former| between(&former, &assign.ticket));
        match patch.filter(|patch| patch.len() < assign.ticket.len()) {
            Some(patch) => Message::Reassign(Reassign {
                tier: assign.tier,
                why: assign.why,
                blocks_on: assign.from_block.wrapping_sub(from_block),
                patch,
                peers: assign.peers,
            }),
            None => Message::Assign(assign),
        }
    }

    /// A message that has come, with the whole ticket if it brings one.
    ///
    /// # Errors
    /// If it says what is new in a ticket that never came, or not soundly.
    pub fn receive(&mut self, message: Message) -> Result<Message, CodecError> {
        let assign = match message {
            Message::Assign(assign) => assign,
            Message::Reassign(reassign) => Assign {
                ticket: self.patched(&reassign.patch)?,
                tier: reassign.tier,
                why: reassign.why,
                from_block: self.from_block.wrapping_add(reassign.blocks_on),
                peers: reassign.peers,
            },
            other => return Ok(other),
        };
        self.last = Some(assign.ticket.clone());
        self.from_block = assign.from_block;
        Ok(Message::Assign(assign))
    }

    fn patched(&self, patch: &[u8]) -> Result<Bytes, CodecError> {
        let former = self.last.as_ref().and_then(|last| split(last));
        let ((former, _), (patch, signature)) = former.zip(split(patch)).ok_or(CodecError::Malformed)?;
        let mut sealed = patch::apply(former, patch, SEALED_MAX)?;
        sealed.extend_from_slice(signature);
        Ok(sealed.into())
    }
}

/// The signature of the new ticket is all new.
fn between(former: &[u8], sealed: &[u8]) -> Option<Bytes> {
    let ((former, _), (body, signature)) = (split(former)?, split(sealed)?);
    let mut patch = patch::between(former, body);
    patch.extend_from_slice(signature);
    Some(patch.into())
}

fn split(sealed: &[u8]) -> Option<(&[u8], &[u8; Signature::LEN])> {
    sealed.split_last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::TierId;
    use crate::wire::control::TierReason;
    use alloc::vec;
    use alloc::vec::Vec;

    /// A sealed ticket of `len` bytes, of which one is `odd`.
    fn assign(len: usize, odd: u8) -> Assign {
        let mut sealed: Vec<u8> = (0..len).map(|at| at as u8).collect();
        sealed[20] = odd;
        sealed.extend_from_slice(&[odd; Signature::LEN]);
        Assign {
            tier: TierId(1),
            why: TierReason::Full,
            from_block: u64::from(odd),
            ticket: sealed.into(),
            peers: vec![],
        }
    }

    #[test]
    fn each_arrives_whole_and_all_but_the_first_travel_as_what_is_new() {
        let (mut here, mut there) = (TicketLane::default(), TicketLane::default());
        for odd in 1..10 {
            let sent = here.send(assign(100, odd));
            match &sent {
                Message::Assign(_) => assert_eq!(odd, 1),
                Message::Reassign(reassign) => assert!(reassign.patch.len() < Signature::LEN + 10),
                other => panic!("{other:?}"),
            }
            assert_eq!(there.receive(sent), Ok(Message::Assign(assign(100, odd))));
        }
    }

    #[test]
    fn a_ticket_that_is_new_all_through_travels_whole() {
        let mut lane = TicketLane::default();
        lane.send(assign(100, 1));
        let mut other = assign(100, 2);
        other.ticket = other.ticket.iter().rev().copied().collect();
        assert_eq!(lane.send(other.clone()), Message::Assign(other));
    }

    #[test]
    fn what_is_new_means_nothing_to_another_lane() {
        let mut here = TicketLane::default();
        here.send(assign(100, 1));
        let sent = here.send(assign(100, 2));
        assert_eq!(
            TicketLane::default().receive(sent.clone()),
            Err(CodecError::Malformed)
        );
        let mut there = TicketLane::default();
        there.receive(Message::Assign(assign(40, 1))).unwrap();
        assert_eq!(there.receive(sent), Err(CodecError::Malformed));
    }

    #[test]
    fn a_ticket_larger_than_any_is_refused() {
        let mut lane = TicketLane::default();
        lane.receive(Message::Assign(assign(200, 1))).unwrap();
        let patch = [&[0x7f, 0][..].repeat(70), &[0; Signature::LEN][..]]
            .concat()
            .into();
        let Assign { tier, why, peers, .. } = assign(200, 1);
        let grown = Message::Reassign(Reassign {
            tier,
            why,
            blocks_on: 0,
            patch,
            peers,
        });
        assert_eq!(lane.receive(grown), Err(CodecError::Malformed));
    }
}
