//! Chunks that children asked for before they had come here: they are passed on when they do.
//!
//! Where many lack the same, they ask each other for it. One that has just asked for it itself need not be asked again.

use super::Forwarder;
use super::send::old_entry;
use crate::limits::PULL_PATIENCE;
use crate::media::schedule::Kind;
use crate::time::Instant;
use crate::wire::chunk::Chunk;
use crate::wire::control::Pull;
use alloc::vec::Vec;

/// Chunks that are awaited at most, for all children: what some of them lack of a second of all stripes.
const AWAITED_MAX: usize = 256;

/// A chunk that a child waits for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    child: u32,
    slot: u8,
    block: u64,
    until: Instant,
}

/// What children wait for.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    wishes: Vec<Wish>,
}

impl Awaited {
    /// A child has gone.
    pub(super) fn forget(&mut self, child: u32) {
        self.wishes.retain(|wish| wish.child != child);
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.wishes.len() <= AWAITED_MAX, "what is awaited is bounded");
    }
}

impl Forwarder {
    /// Keeps in mind what a child asks for and is not here yet.
    pub(super) fn await_chunks(&mut self, now: Instant, child: u32, slot: usize, pull: &Pull) {
        let wishes = &mut self.awaited.wishes;
        wishes.retain(|wish| now < wish.until);
        let lacking = pull
            .blocks
            .iter()
            .filter(|block| self.store.get(pull.stripe, **block).is_none());
        let (slot, until) = (slot as u8, now + PULL_PATIENCE);
        let room = AWAITED_MAX - wishes.len();
        wishes.extend(lacking.take(room).map(|block| Wish {
            child,
            slot,
            block: *block,
            until,
        }));
    }

    /// Passes a chunk that has come on to those who wait for it, and do not get it by their seats.
    pub(super) fn grant_wishes(&mut self, now: Instant, slot: usize, chunk: &Chunk) {
        let block = chunk.header.block;
        let is_it = |wish: &Wish| usize::from(wish.slot) == slot && wish.block == block;
        if !self.awaited.wishes.iter().any(is_it) {
            return;
        }
        let granted: Vec<Wish> = self.awaited.wishes.extract_if(.., |wish| is_it(wish)).collect();
        for wish in granted.into_iter().filter(|wish| now < wish.until) {
            let seat = self.children.seat(wish.child, slot);
            let comes = seat.is_some_and(|seat| block >= seat.from);
            if !comes && self.children.get_mut(wish.child).pulls.try_take(now) {
                let entry = old_entry(now, chunk, Kind::Pulled);
                self.schedule.pull(wish.child, core::iter::once(entry));
            }
        }
    }
}
