//! Reassembly: the chunks of one tier become blocks again, in a window of consecutive block numbers.

mod slot;

use super::block::Block;
use super::join::Join;
use super::record;
use super::stripe::{parity_len, shard_range};
use super::{StripeId, TierId};
use crate::limits::STRIPES_MAX;
use crate::time::{ChannelTime, TICK};
use crate::wire::chunk::{Chunk, Flags, Header, PAYLOAD_MAX};
use crate::wire::layout::Tier;
use alloc::collections::VecDeque;
use slot::Slot;

/// The most payload bytes that a window holds: 15 s of 70 Mbit/s. Beyond it chunks are refused.
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was taken in.
    New,
    /// It was there already.
    Duplicate,
    /// Its block was played, given up, or lies before what is wanted.
    TooOld,
    /// Its header disagrees with the layout, or with other chunks of its block.
    Refused,
    /// Its tier is neither shown nor about to be.
    Unwanted,
    /// It was made by a layout that is not known (yet).
    UnknownLayout,
}

/// How far a stripe has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The last block before the first that is missing; `None` if the first one wanted is.
    pub contiguous: Option<u64>,
    /// The newest block that came.
    pub seen: u64,
}

/// A block put together again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassembled {
    /// The block.
    pub block: Block,
    /// The number of the layout that it was made by.
    pub layout: u32,
}

/// Collects the chunks of one tier of one epoch.
#[derive(Debug)]
#[repr(C)]
pub struct Reassembler {
    tier: TierId,
    /// The number of the first slot: everything before is done with.
    first: u64,
    /// All blocks before it are complete, or done with.
    whole: u64,
    slots: VecDeque<Slot>,
    bytes: usize,
    newest: Option<u64>,
    window: u64,
    /// When the last block that is done with was captured, and its number.
    last: Option<(u64, ChannelTime)>,
    /// The newest block seen, by stripe index.
    seen: [Option<u64>; STRIPES_MAX as usize + 1],
}

impl Reassembler {
    /// For the blocks of `tier` from `first` on; holds `window` of them at most, the newest ones.
    pub fn new(tier: TierId, first: u64, window: u64) -> Self {
        Self {
            tier,
            first,
            slots: VecDeque::new(),
            whole: first,
            window,
            bytes: 0,
            seen: [None; STRIPES_MAX as usize + 1],
            newest: None,
            last: None,
        }
    }

    /// The tier.
    pub fn tier(&self) -> TierId {
        self.tier
    }

    /// The first block that is still wanted.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The newest block of which a chunk came.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Takes in a verified chunk; `tier` is what its layout says of it.
    pub fn insert(&mut self, chunk: &Chunk, tier: &Tier) -> Inserted {
        let header = &chunk.header;
        debug_assert_eq!(
            header.stripe.tier, self.tier,
            "chunks go to their tier's reassembler"
        );
        if header.block < self.first {
            return Inserted::TooOld;
        }
        let payload = chunk.payload();
        if !is_sound(header, payload.len(), tier) || self.bytes + payload.len() > BYTES_MAX {
            return Inserted::Refused;
        }
        self.make_room(header.block);
        let slot = &mut self.slots[(header.block - self.first) as usize];
        if !slot.agrees(header) {
            return Inserted::Refused;
        }
        if slot.has(header.stripe.index) {
            return Inserted::Duplicate;
        }
        self.bytes += payload.len();
        slot.put(header, payload);
        self.reckon_whole();
        let seen = &mut self.seen[usize::from(header.stripe.index)];
        *seen = (*seen).max(Some(header.block));
        self.newest = self.newest.max(Some(header.block));
        Inserted::New
    }

    /// Whether anything of `block` is there.
    pub fn is_begun(&self, block: u64) -> bool {
        self.slot(block).is_some_and(|slot| slot.header.is_some())
    }

    /// Whether all of `block` is there, or can be made of what is.
    pub fn is_complete(&self, block: u64) -> bool {
        self.slot(block).is_some_and(Slot::is_complete)
    }

    /// Whether `block` is complete and playing may begin at it.
    pub fn is_start(&self, block: u64) -> bool {
        self.is_keyframe(block) && self.is_complete(block)
    }

    /// Whether anything of `block` says that it begins a keyframe.
    pub fn is_keyframe(&self, block: u64) -> bool {
        let header = self.slot(block).and_then(|slot| slot.header);
        header.is_some_and(|header| header.flags.has(Flags::KEYFRAME))
    }

    /// How many blocks there are without a gap from `block` on.
    pub fn complete_from(&self, block: u64) -> u64 {
        let from = block.max(self.first);
        if from <= self.whole {
            return self.whole - from;
        }
        let later = self.slots.iter().skip((from - self.first) as usize);
        later.take_while(|slot| slot.is_complete()).count() as u64
    }

    /// When `block` was captured; as far as that is not known, what follows from its neighbours: a tick after the last
    /// known one before it, and not after the next known one. `None` if nothing is known.
    pub fn captured(&self, block: u64) -> Option<ChannelTime> {
        if let Some(header) = self.slot(block).and_then(|slot| slot.header) {
            return Some(header.captured);
        }
        let later = self.known_after(block).map(|(_, captured)| captured);
        let earlier = self.known_before(block).map(|(number, captured)| {
            let ticks = u32::try_from(block - number).unwrap_or(u32::MAX);
            captured + TICK * ticks.min(1 << 20)
        });
        match (earlier, later) {
            (Some(earlier), Some(later)) => Some(earlier.min(later)),
            (earlier, later) => earlier.or(later),
        }
    }

    /// When `block` was captured at the earliest: what is cut of one keyframe is all as old as the keyframe.
    pub fn captured_earliest(&self, block: u64) -> Option<ChannelTime> {
        match self.slot(block).and_then(|slot| slot.header) {
            Some(header) => Some(header.captured),
            None => self
                .known_before(block)
                .or_else(|| self.known_after(block))
                .map(|(_, captured)| captured),
        }
    }

    /// The block, if it is complete, put together by `join`. It stays.
    pub fn get(&self, block: u64, join: Join) -> Option<Reassembled> {
        let slot = self.slot(block).filter(|slot| slot.is_complete())?;
        let header = slot.header?;
        Some(Reassembled {
            block: Block {
                number: block,
                captured: header.captured,
                flags: header.flags,
                body: slot.body(&header, join),
            },
            layout: header.layout,
        })
    }

    /// When the first keyframe of a complete block is shown; `None` if there is none, or the block is not complete.
    pub fn keyframe_pts(&mut self, block: u64, join: Join) -> Option<i64> {
        let at = usize::try_from(block.checked_sub(self.first)?).ok()?;
        let slot = self.slots.get_mut(at).filter(|slot| slot.is_complete())?;
        let header = slot.header?;
        if slot.keyframe_pts.is_none() {
            let head = record::first_keyframe(&slot.body(&header, join));
            slot.keyframe_pts = Some(head.map(|head| head.pts));
        }
        slot.keyframe_pts?
    }

    /// Is done with all blocks before `first`; says how many of them were not complete.
    pub fn advance(&mut self, first: u64) -> u64 {
        let mut incomplete = 0;
        while self.first < first {
            let Some(slot) = self.slots.pop_front() else {
                incomplete += first - self.first;
                self.first = first;
                break;
            };
            incomplete += u64::from(!slot.is_complete());
            self.bytes -= slot.bytes;
            if let Some(header) = slot.header {
                self.last = Some((self.first, header.captured));
            }
            self.first += 1;
        }
        self.whole = self.whole.max(self.first);
        self.reckon_whole();
        incomplete
    }

    /// Whether `stripe`'s chunk of `block` is there, or is not needed any more.
    pub fn has(&self, stripe: StripeId, block: u64) -> bool {
        if block < self.first {
            return true;
        }
        self.slot(block).is_some_and(|slot| {
            let made = slot.header.is_none_or(|header| stripe.index <= header.shards);
            slot.has(stripe.index) || slot.is_complete() || !made
        })
    }

    /// The blocks up to the newest seen on any stripe, and in any case those before `until` within the window, that are
    /// wanted and lack `stripe`'s chunk, oldest first.
    pub fn missing(&self, stripe: StripeId, until: u64) -> impl Iterator<Item = u64> + '_ {
        let seen = self.first + self.slots.len() as u64;
        let end = seen.max(until.min(self.first.saturating_add(self.window)));
        (self.whole..end).filter(move |&block| !self.has(stripe, block))
    }

    /// How far `stripe` has come; `None` if nothing has.
    pub fn reached(&self, stripe: StripeId) -> Option<Newest> {
        let seen = (*self.seen.get(usize::from(stripe.index))?)?;
        let missing = (self.whole..=seen).find(|&block| !self.has(stripe, block));
        Some(Newest {
            contiguous: missing.unwrap_or(seen + 1).max(self.first).checked_sub(1),
            seen,
        })
    }

    /// Panics if the state contradicts itself.
    pub fn check_invariants(&self) {
        let bytes: usize = self.slots.iter().map(|slot| slot.bytes).sum();
        assert_eq!(self.bytes, bytes, "bytes held are counted");
        assert!(self.slots.len() as u64 <= self.window, "the window is bounded");
        assert!(self.whole >= self.first, "what is done with lacks nothing");
        assert!(
            (self.first..self.whole).all(|block| self.is_complete(block)) && !self.is_complete(self.whole),
            "the first block that is not complete is known"
        );
    }

    /// Finds the first block that is not complete.
    fn reckon_whole(&mut self) {
        while self.is_complete(self.whole) {
            self.whole += 1;
        }
    }

    fn slot(&self, block: u64) -> Option<&Slot> {
        let index = usize::try_from(block.checked_sub(self.first)?).ok()?;
        self.slots.get(index)
    }

    /// Makes the window reach `block`. What falls out of it at its far end is done with.
    fn make_room(&mut self, block: u64) {
        if block - self.first >= self.window {
            let first = if self.slots.is_empty() {
                block
            } else {
                block - self.window + 1
            };
            self.advance(first);
        }
        let len = (block - self.first) as usize + 1;
        if len > self.slots.len() {
            self.slots.resize_with(len, Slot::default);
        }
    }

    fn known_before(&self, block: u64) -> Option<(u64, ChannelTime)> {
        let ahead = block.saturating_sub(self.first).min(self.slots.len() as u64) as usize;
        let mut slots = self.slots.range(..ahead).enumerate().rev();
        let known = slots.find_map(|(index, slot)| {
            let captured = slot.header?.captured;
            Some((self.first + index as u64, captured))
        });
        known.or(self.last.filter(|(number, _)| *number < block))
    }

    fn known_after(&self, block: u64) -> Option<(u64, ChannelTime)> {
        let ahead = block.saturating_sub(self.first).min(self.slots.len() as u64) as usize;
        let mut numbered = (self.first + ahead as u64..).zip(self.slots.range(ahead..));
        numbered.find_map(|(number, slot)| slot.header.map(|header| (number, header.captured)))
    }
}

/// Whether a header says what its layout says, and the payload is as long as it must be.
fn is_sound(header: &Header, payload: usize, tier: &Tier) -> bool {
    let len = header.block_len as usize;
    let shards = header.shards;
    if shards != tier.stripes || len > usize::from(shards) * PAYLOAD_MAX {
        return false;
    }
    if header.is_parity() {
        tier.parity && payload == parity_len(len, shards)
    } else {
        header.stripe.index < shards && payload == shard_range(len, shards, header.stripe.index).len()
    }
}

#[cfg(test)]
mod tests;
