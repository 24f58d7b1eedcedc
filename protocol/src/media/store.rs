//! The chunks of the last ten seconds, for joiners and for repair.

use crate::limits;
use crate::media::{StripeId, TierId};
use crate::time::TICK;
use crate::wire::chunk::{Chunk, Flags};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How many blocks are kept of each stripe.
pub const BLOCKS_KEPT: u64 = (limits::STORE_KEPT.as_millis() / TICK.as_millis()) as u64;

/// Stripe indices of a tier: its data stripes and the parity stripe.
const PER_TIER: usize = limits::STRIPES_MAX as usize + 1;

/// How many stripes there can be over all tiers; [`stripe_slot`] is below it.
pub const STRIPES: usize = PER_TIER * limits::TIERS_MAX;

/// A stripe's place in a table of [`STRIPES`], or `None` if there can be no such stripe.
pub const fn stripe_slot(stripe: StripeId) -> Option<usize> {
    let (tier, index) = (stripe.tier.0 as usize, stripe.index as usize);
    if tier < limits::TIERS_MAX && index < PER_TIER {
        Some(tier * PER_TIER + index)
    } else {
        None
    }
}

/// The stripe at a place below [`STRIPES`]: the inverse of [`stripe_slot`].
pub const fn stripe_at(slot: usize) -> StripeId {
    StripeId {
        tier: TierId((slot / PER_TIER) as u8),
        index: (slot % PER_TIER) as u8,
    }
}

/// What became of a chunk that was put into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is kept.
    New,
    /// It was there already.
    Duplicate,
    /// It is older than what is kept.
    Old,
    /// It is of another epoch, or of no possible stripe.
    Foreign,
}

/// The chunks of the present epoch's last [`limits::STORE_KEPT`], by stripe and block.
///
/// At most [`BLOCKS_KEPT`] chunks of each stripe, so at most that many times [`limits::DATA_FRAME_MAX`] bytes a stripe;
/// the broadcaster's smoothing keeps it to ten seconds of the stream.
#[derive(Debug)]
#[repr(C)]
pub struct Store {
    epoch: u64,
    /// The newest block of any stripe of each tier.
    newest: [Option<u64>; limits::TIERS_MAX],
    rings: [Ring; STRIPES],
    keyframes: [VecDeque<u64>; limits::TIERS_MAX],
}

/// The newest chunks of one stripe; block `b` lies at `b % BLOCKS_KEPT`. Empty until the first chunk comes.
#[derive(Debug, Default)]
struct Ring {
    chunks: Vec<Option<Chunk>>,
    newest: u64,
}

impl Store {
    /// An empty one, for chunks of `epoch`.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            rings: core::array::from_fn(|_| Ring::default()),
            newest: [None; limits::TIERS_MAX],
            keyframes: core::array::from_fn(|_| VecDeque::new()),
        }
    }

    /// The epoch whose chunks it keeps.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Keeps a verified chunk, and forgets what is now too old.
    pub fn insert(&mut self, chunk: &Chunk) -> Stored {
        let header = &chunk.header;
        let Some(slot) = stripe_slot(header.stripe).filter(|_| header.epoch == self.epoch) else {
            return Stored::Foreign;
        };
        let stored = self.rings[slot].insert(chunk);
        if stored == Stored::New {
            let tier = slot / PER_TIER;
            self.newest[tier] = self.newest[tier].max(Some(header.block));
            if header.flags.has(Flags::KEYFRAME) {
                note_keyframe(&mut self.keyframes[tier], header.block);
            }
        }
        stored
    }

    /// A chunk, if it is kept.
    pub fn get(&self, stripe: StripeId, block: u64) -> Option<&Chunk> {
        self.ring(stripe)?.get(block)
    }

    /// The newest block kept of a stripe.
    pub fn newest(&self, stripe: StripeId) -> Option<u64> {
        let ring = self.ring(stripe)?;
        (!ring.chunks.is_empty()).then_some(ring.newest)
    }

    /// The oldest block kept of a stripe.
    pub fn oldest(&self, stripe: StripeId) -> Option<u64> {
        self.from(stripe, 0).next().map(|chunk| chunk.header.block)
    }

    /// The newest block kept of any stripe of a tier: as much of its live edge as has arrived.
    pub fn newest_of(&self, tier: TierId) -> Option<u64> {
        *self.newest.get(usize::from(tier.0))?
    }

    /// What is kept of a stripe from block `from` on, in order; where a chunk is missing, it is passed over.
    pub fn from(&self, stripe: StripeId, from: u64) -> impl Iterator<Item = &Chunk> + use<'_> {
        let ring = self.ring(stripe).filter(|ring| !ring.chunks.is_empty());
        ring.into_iter()
            .flat_map(move |ring| ring.blocks(from).filter_map(|block| ring.get(block)))
    }

    /// The last block of the unbroken run that begins with `from`; `None` if `from` itself is missing.
    pub fn contiguous(&self, stripe: StripeId, from: u64) -> Option<u64> {
        let blocks = self.from(stripe, from).map(|chunk| chunk.header.block);
        blocks.fold(None, |last: Option<u64>, block| {
            let next = last.map_or(from, |last| last.saturating_add(1));
            if block == next { Some(block) } else { last }
        })
    }

    /// The newest block of a tier that playing may begin at and that is not after `at_or_before`, as far as any chunk
    /// of it was kept.
    pub fn newest_keyframe(&self, tier: TierId, at_or_before: u64) -> Option<u64> {
        let blocks = self.keyframes.get(usize::from(tier.0))?;
        blocks.iter().rev().find(|block| **block <= at_or_before).copied()
    }

    fn ring(&self, stripe: StripeId) -> Option<&Ring> {
        stripe_slot(stripe).map(|slot| &self.rings[slot])
    }
}

impl Ring {
    fn insert(&mut self, chunk: &Chunk) -> Stored {
        let block = chunk.header.block;
        if self.chunks.is_empty() {
            self.chunks.resize(BLOCKS_KEPT as usize, None);
            self.newest = block;
        }
        if block.saturating_add(BLOCKS_KEPT) <= self.newest {
            return Stored::Old;
        }
        if self.get(block).is_some() {
            return Stored::Duplicate;
        }
        self.advance(block);
        self.chunks[(block % BLOCKS_KEPT) as usize] = Some(chunk.clone());
        Stored::New
    }

    /// Moves the newest block up to `block` and forgets what falls out.
    fn advance(&mut self, block: u64) {
        let steps = block.saturating_sub(self.newest).min(BLOCKS_KEPT);
        for passed in 0..steps {
            self.chunks[((block - passed) % BLOCKS_KEPT) as usize] = None;
        }
        self.newest = self.newest.max(block);
    }

    fn get(&self, block: u64) -> Option<&Chunk> {
        let kept = self.chunks.get((block % BLOCKS_KEPT) as usize)?.as_ref();
        kept.filter(|chunk| chunk.header.block == block)
    }

    fn blocks(&self, from: u64) -> core::ops::RangeInclusive<u64> {
        from.max(self.newest.saturating_sub(BLOCKS_KEPT - 1))..=self.newest
    }
}

/// Keeps the keyframes of a tier in ascending order, none older than what the store keeps.
fn note_keyframe(blocks: &mut VecDeque<u64>, block: u64) {
    if let Err(at) = blocks.binary_search(&block) {
        blocks.insert(at, block);
    }
    let newest = blocks.back().copied().unwrap_or_default();
    while blocks
        .front()
        .is_some_and(|oldest| oldest.saturating_add(BLOCKS_KEPT) <= newest)
    {
        blocks.pop_front();
    }
}

#[cfg(test)]
mod tests;
