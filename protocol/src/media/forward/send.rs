//! What is put on children's data lanes.

use super::Forwarder;
use super::children::{Child, bits};
use super::layouts::Layouts;
use super::marks::{BEHIND_AFTER, MARK_AFTER};
use crate::io::{Lane, LinkId, Outbox, Output};
use crate::limits::{LINK_BACKLOG_MAX, TIERS_MAX};
use crate::media::TierId;
use crate::media::schedule::{Entry, Kind, Schedule};
use crate::media::store::{stripe_at, stripe_slot};
use crate::time::Instant;
use crate::wire::chunk::{self, Chunk};
use alloc::vec::Vec;
use bytes::Bytes;

/// A child that skips begins at the newest keyframe, unless that is older than so many blocks, as far as viewers play
/// behind: then it waits for the next.
const SKIP_BACK_MAX: u64 = 20;

impl Forwarder {
    /// Sends what the schedule lets go.
    pub(super) fn flush(&mut self, now: Instant, out: &mut Outbox) {
        let (children, layouts) = (&mut self.children, &self.layouts);
        self.schedule
            .poll(now, &self.store, &mut |schedule, index, chunk| {
                let child = children.get_mut(index);
                introduce(child, layouts, schedule, (now, index), chunk, out);
                child.heard
                    [stripe_slot(chunk.header.stripe).expect("stored chunks are of possible stripes")] = now;
                send(child.link, chunk.header.stripe.tier, chunk.frame().clone(), out);
            });
    }

    /// Tells the children of stripes for which nothing came that we live.
    pub(super) fn mark(&mut self, now: Instant, out: &mut Outbox) {
        if !self.marks.is_due(&self.children, now) {
            return;
        }
        for slot in bits(self.marks.due(&self.children, now)) {
            let frame = self.late_frame(slot);
            let seats: Vec<u32> = self.children.seats(slot).iter().map(|seat| seat.child).collect();
            for index in seats {
                self.send_mark(now, index, slot, &frame, out);
            }
        }
    }

    /// Tells children for which chunks wait, for want of uplink, that we live.
    pub(super) fn mark_behind(&mut self, now: Instant, out: &mut Outbox) {
        if !self.marks.is_on() {
            return;
        }
        let behind: Vec<u32> = self.schedule.behind(now, BEHIND_AFTER).collect();
        self.marks.look_again(now, !behind.is_empty());
        for index in behind {
            let child = self.children.get(index);
            let silent = bits(child.stripes).filter(|slot| now >= child.heard[*slot] + MARK_AFTER);
            for slot in silent.collect::<Vec<_>>() {
                let frame = self.late_frame(slot);
                self.send_mark(now, index, slot, &frame, out);
            }
        }
    }

    fn late_frame(&self, slot: usize) -> Bytes {
        let stripe = stripe_at(slot);
        let next = self
            .store
            .newest(stripe)
            .map_or(0, |newest| newest.saturating_add(1));
        chunk::late_frame(stripe, next)
    }

    /// A child that takes nothing gets no marks either: they would pile up.
    fn send_mark(&mut self, now: Instant, index: u32, slot: usize, frame: &Bytes, out: &mut Outbox) {
        if self.schedule.line(index).outstanding() < LINK_BACKLOG_MAX {
            self.schedule.sent_beside(now, index, frame.len() as u64);
            let child = self.children.get_mut(index);
            child.heard[slot] = now;
            send(child.link, stripe_at(slot).tier, frame.clone(), out);
        }
    }

    /// Lets children that have fallen too far behind skip to the live edge.
    pub(super) fn skip_stale(&mut self, now: Instant, out: &mut Outbox) {
        let stale: Vec<u32> = self.schedule.stale(now).collect();
        for index in stale {
            let tiers = self.tiers_in_use(index);
            self.schedule.skip(now, index);
            for tier in (0..TIERS_MAX as u8)
                .filter(|tier| tiers[usize::from(*tier)])
                .map(TierId)
            {
                let (link, lane) = (self.children.get(index).link, Lane::Data(tier));
                out.push(Output::Reset { link, lane });
                self.skip(now, index, tier);
            }
        }
    }

    /// Goes on with a tier at the newest keyframe, or waits for the next.
    fn skip(&mut self, now: Instant, index: u32, tier: TierId) {
        let edge = self.store.newest_of(tier).unwrap_or_default();
        let keyframe = self.store.newest_keyframe(tier, edge);
        let begin = keyframe.filter(|keyframe| edge - keyframe <= SKIP_BACK_MAX);
        let child = self.children.get_mut(index);
        child.layouts[usize::from(tier.0)] = 0;
        child.skipping[usize::from(tier.0)] = begin.is_none();
        for slot in self.seats_of(index, tier) {
            self.begin_at(index, slot, begin.unwrap_or(u64::MAX));
            self.queue_backlog(now, index, slot, begin.unwrap_or(u64::MAX));
        }
    }

    /// A keyframe of a tier has come, in this block of this stripe: children that waited for it go on.
    pub(super) fn resume(&mut self, slot: usize, block: u64) {
        let tier = stripe_at(slot).tier;
        let waits = |child: &u32| self.children.get(*child).skipping[usize::from(tier.0)];
        let seats = self.children.seats(slot).iter();
        let waiting: Vec<u32> = seats.map(|seat| seat.child).filter(waits).collect();
        for index in waiting {
            self.children.get_mut(index).skipping[usize::from(tier.0)] = false;
            for slot in self.seats_of(index, tier) {
                self.begin_at(index, slot, block);
            }
        }
    }

    /// Queues for a child what the store has of a stripe from a block on.
    pub(super) fn queue_backlog(&mut self, now: Instant, index: u32, slot: usize, from: u64) {
        let chunks = self.store.from(stripe_at(slot), from);
        let entries = chunks.map(|chunk| old_entry(now, chunk, Kind::Backlog));
        self.schedule.backlog(now, index, entries);
    }

    /// A new epoch: nothing that was sent or waits counts any more.
    pub(super) fn begin_lanes_anew(&mut self) {
        let indices: Vec<u32> = self.children.indices().collect();
        for index in indices {
            self.schedule.retain(index, |_| false);
            let child = self.children.get_mut(index);
            child.layouts = [0; TIERS_MAX];
            child.skipping = [false; TIERS_MAX];
        }
        let interior: Vec<usize> = self.children.interior().collect();
        for slot in interior {
            self.children.change(slot, |seat| seat.from = 0);
        }
    }

    fn begin_at(&mut self, index: u32, slot: usize, block: u64) {
        self.children.change(slot, |seat| {
            if seat.child == index {
                seat.from = block;
            }
        });
    }

    /// The stripes of a tier that a child has seats for.
    fn seats_of(&self, index: u32, tier: TierId) -> Vec<usize> {
        let stripes = bits(self.children.get(index).stripes);
        stripes.filter(|slot| stripe_at(*slot).tier == tier).collect()
    }

    /// The tiers that a child has seats in, or that something waits of.
    fn tiers_in_use(&self, index: u32) -> [bool; TIERS_MAX] {
        let mut tiers = [false; TIERS_MAX];
        let waiting = self
            .schedule
            .line(index)
            .entries()
            .map(|entry| usize::from(entry.stripe));
        for slot in bits(self.children.get(index).stripes).chain(waiting) {
            tiers[usize::from(stripe_at(slot).tier.0)] = true;
        }
        tiers
    }
}

/// What waits for a child that lacks an old chunk.
pub(super) fn old_entry(now: Instant, chunk: &Chunk, kind: Kind) -> Entry {
    let slot = stripe_slot(chunk.header.stripe).expect("stored chunks are of possible stripes");
    Entry {
        captured: chunk.header.captured,
        queued: now,
        block: chunk.header.block,
        stripe: slot as u8,
        kind,
    }
}

/// Sends the layout that a chunk was made by, unless it was the last sent on that lane.
fn introduce(
    child: &mut Child,
    layouts: &Layouts,
    schedule: &mut Schedule,
    (now, index): (Instant, u32),
    chunk: &Chunk,
    out: &mut Outbox,
) {
    let tier = chunk.header.stripe.tier;
    let sent = &mut child.layouts[usize::from(tier.0)];
    if *sent == chunk.header.layout {
        return;
    }
    if let Some(frame) = layouts.frame(chunk.header.layout) {
        *sent = chunk.header.layout;
        schedule.sent_beside(now, index, frame.len() as u64);
        send(child.link, tier, frame.clone(), out);
    }
}

fn send(link: LinkId, tier: TierId, frame: Bytes, out: &mut Outbox) {
    let lane = Lane::Data(tier);
    out.push(Output::Send { link, lane, frame });
}
