//! Seats that change hands at a block. What waits for who leaves a seat and is older than that still goes there, and only then
//! the seat's share of the uplink is its successor's: nothing is lost on the way, and nothing is sent twice.
//!
//! A parent without uplink to spare sends a stripe just as fast as it comes. What waits for a child, because its seat began
//! behind the live edge, waits for as long as the child sits there, and nobody else has uplink for it either.

use super::Forwarder;
use crate::media::schedule::Kind;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::vec::Vec;

/// The share goes on to the successor after so long, whatever waits: a seat begins 1.3 s behind the live edge at most, and what
/// takes longer is not taken by the child.
const HANDOVER_MAX: Duration = Duration::from_secs(2);

/// A seat that was left, and for which something still waits.
#[derive(Clone, Copy, Debug)]
struct Handover {
    /// The stripe.
    slot: usize,
    /// Who sat there.
    giver: u32,
    /// Who sits there now, if anybody.
    taker: Option<u32>,
    /// What the seat costs.
    cost: Bitrate,
    until: Instant,
}

/// All of them; one a child and stripe at most.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    all: Vec<Handover>,
}

impl Handovers {
    /// What a child may be sent beyond its seats, and what less.
    pub(super) fn balance(&self, index: u32) -> (Bitrate, Bitrate) {
        let cost = |is_its: &dyn Fn(&Handover) -> bool| {
            let its = self.all.iter().filter(|handover| is_its(handover));
            its.map(|handover| handover.cost).sum()
        };
        let more = cost(&|handover| handover.giver == index);
        let less = cost(&|handover| handover.taker == Some(index));
        (more, less)
    }

    /// How many stripes a child is sent that it has no seat for any more.
    pub(super) fn given(&self, index: u32) -> u32 {
        let its = self.all.iter().filter(|handover| handover.giver == index);
        its.count() as u32
    }

    /// Whether none is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A child has a seat again, or wants nothing more of a stripe.
    pub(super) fn end(&mut self, giver: u32, slot: usize) {
        self.all
            .retain(|handover| (handover.giver, handover.slot) != (giver, slot));
    }

    /// Who took a seat has left it in its turn.
    pub(super) fn untake(&mut self, taker: u32, slot: usize) {
        let its = |handover: &&mut Handover| (handover.taker, handover.slot) == (Some(taker), slot);
        self.all
            .iter_mut()
            .filter(its)
            .for_each(|handover| handover.taker = None);
    }

    /// A link has ended.
    pub(super) fn forget(&mut self, index: u32) {
        self.all.retain(|handover| handover.giver != index);
        let its = |handover: &&mut Handover| handover.taker == Some(index);
        self.all
            .iter_mut()
            .filter(its)
            .for_each(|handover| handover.taker = None);
    }
}

impl Forwarder {
    /// A child has lost or left its seat on a stripe: what waits for it of blocks before `before` is sent all the same, on the
    /// seat's share of the uplink, which is `taker`'s after that.
    pub(super) fn hand_over(
        &mut self,
        now: Instant,
        (giver, slot): (u32, usize),
        before: u64,
        taker: Option<u32>,
        cost: Bitrate,
    ) {
        self.trim(giver, slot, before);
        if self.schedule.line(giver).awaits(slot) {
            self.handovers.all.push(Handover {
                slot,
                giver,
                taker,
                cost,
                until: now + HANDOVER_MAX,
            });
        }
        self.set_share(now, giver);
    }

    /// A child that has left its seat has what follows from `before` on from somebody else. What it asked for by number is soon
    /// sent or not at all.
    pub(super) fn trim(&mut self, giver: u32, slot: usize, before: u64) {
        self.schedule.retain(giver, |entry| {
            let pulled = entry.kind == Kind::Pulled && before > 0;
            usize::from(entry.stripe) != slot || entry.block < before || pulled
        });
    }

    /// Where nothing waits any more, the share goes on to who sits there now.
    pub(super) fn settle_handovers(&mut self, now: Instant) {
        if self.handovers.is_empty() {
            return;
        }
        let schedule = &self.schedule;
        let over = |handover: &mut Handover| {
            now >= handover.until || !schedule.line(handover.giver).awaits(handover.slot)
        };
        let over: Vec<Handover> = self.handovers.all.extract_if(.., over).collect();
        for handover in over {
            self.set_share(now, handover.giver);
            if let Some(taker) = handover.taker {
                self.set_share(now, taker);
            }
        }
    }

    /// Whether a child is still sent what waited for it when it left its seat.
    pub(super) fn is_giver(&self, index: u32) -> bool {
        self.handovers.given(index) > 0
    }

    pub(super) fn check_handovers(&self) {
        for handover in &self.handovers.all {
            let (giver, slot) = (handover.giver, handover.slot);
            assert!(
                !self.children.get(giver).has(slot),
                "who has a seat has not left it"
            );
            let taken = |taker| self.children.get(taker).has(slot);
            assert!(handover.taker.is_none_or(taken), "who takes a seat has it");
        }
    }
}
