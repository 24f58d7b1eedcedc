//! The forwarding engine: the data plane of every peer that feeds children.
//!
//! It keeps the newest chunks, knows which child has a seat on which stripe by which ticket, and has its schedule share
//! out the uplink among them.

mod admit;
mod awaited;
mod children;
mod handover;
mod layouts;
mod marks;
mod measure;
mod room;
mod send;
mod tickets;
mod window;

use crate::id::{PeerId, PeerTag, PublicKey, Verify};
use crate::io::{LinkId, Outbox};
use crate::limits::SPREAD;
use crate::media::StripeId;
use crate::media::schedule::{Entry, Kind, Schedule};
use crate::media::store::{STRIPES, Store, Stored, stripe_at, stripe_slot};
use crate::time::{ChannelTime, Duration, Instant, earliest};
use crate::units::Bitrate;
use crate::wire::chunk::{Chunk, Flags, Header};
use crate::wire::control::{DetachReason, Message};
use crate::wire::layout::Layout;
use crate::wire::ticket::Rank;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use children::Children;

/// How long tickets of the former epoch hold for children that have a seat: a broadcaster that restarts within a minute
/// finds its trees as they were.
const EPOCH_GRACE: Duration = Duration::from_secs(60);

/// How often at most those who have fallen behind are looked for. It means looking at all children, and is nothing for
/// each of the thousands of times a second that something happens; what it looks for takes longer to come about.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What an engine must be told when it is made.
#[derive(Clone)]
pub struct Config {
    /// Whose engine it is.
    pub me: PeerId,
    /// The channel: whose tickets count.
    pub channel: PublicKey,
    /// Checks tickets.
    pub verify: Arc<dyn Verify>,
    /// What may be sent, in wire bits; `None`: as much as the transport takes.
    pub uplink: Option<Bitrate>,
    /// Whether it is the broadcaster's, which has rank 0 on all stripes and a chunk for each in every tick.
    pub is_source: bool,
}

/// Feeds a peer's children.
///
/// Its owner tells it what happens, and calls [`poll`](Self::poll) at the end of every call of
/// [`Machine::handle`](crate::io::Machine::handle): only there is anything put on data lanes. Where a method returns
/// `Err(code)`, the peer did what it must not: the closing of its link is in the outbox, the engine has forgotten the
/// link, and the owner forgets it too.
///
/// What each event touches comes first, and close together. Calling it takes as long as that takes to come from memory.
#[repr(C)]
pub struct Forwarder {
    /// The latest time that we were told.
    now: Instant,
    /// Something changed that seats or held requests depend on.
    recheck: bool,
    leaving: bool,
    /// What the uplink carries in fact, if that is to be found out.
    measure: Option<Box<measure::Measure>>,
    /// Nobody is looked for who has fallen behind before this.
    look_after: Instant,
    /// No stripe is shed for overload before this.
    shed_after: Instant,
    /// Not after the first ticket of a seat ends, and when that is.
    ends: Option<(ChannelTime, Instant)>,
    /// Until when tickets of the former epoch hold.
    grace: Option<Instant>,
    held: Vec<admit::Held>,
    handovers: handover::Handovers,
    schedule: Schedule,
    marks: marks::Marks,
    children: Children,
    store: Store,
    me: PeerTag,
    channel: PublicKey,
    verify: Arc<dyn Verify>,
    uplink: Option<Bitrate>,
    layouts: layouts::Layouts,
    serials: tickets::Serials,
    awaited: awaited::Awaited,
    /// Our own rank on each stripe that we receive.
    ranks: [Option<Rank>; STRIPES],
    /// Who is served before everybody else, whatever its ticket says.
    favourite: Option<PeerId>,
    /// The most peers fed at once.
    children_max: usize,
}

impl Forwarder {
    /// An engine without children; it stores nothing until it knows its [`epoch`](Self::epoch).
    pub fn new(config: Config) -> Self {
        Self {
            me: config.me.tag(),
            channel: config.channel,
            verify: config.verify,
            uplink: config.uplink,
            store: Store::new(0),
            schedule: Schedule::new(config.uplink),
            children: Children::new(),
            layouts: layouts::Layouts::default(),
            marks: marks::Marks::new(config.is_source),
            serials: tickets::Serials::default(),
            held: Vec::new(),
            awaited: awaited::Awaited::default(),
            handovers: handover::Handovers::default(),
            ranks: [config.is_source.then_some(Rank::SOURCE); STRIPES],
            leaving: false,
            favourite: None,
            measure: None,
            children_max: usize::MAX,
            now: Instant::ZERO,
            grace: None,
            ends: None,
            recheck: false,
            shed_after: Instant::ZERO,
            look_after: Instant::ZERO,
        }
    }

    /// Begins an epoch; one that is not newer than the present one changes nothing. The store begins anew, and what waits
    /// for children is dropped. Children keep their seats by tickets of the former epoch for a minute.
    pub fn epoch(&mut self, now: Instant, epoch: u64) {
        self.now = now;
        let former = self.store.epoch();
        if epoch <= former {
            return;
        }
        self.store = Store::new(epoch);
        self.layouts.clear();
        self.serials.forget_before(former);
        self.begin_lanes_anew();
        self.grace = (former > 0).then(|| now + EPOCH_GRACE);
        self.recheck = true;
    }

    /// Takes in a verified layout, `sealed` as it came. One of another epoch is passed over. Every child gets it before
    /// the first chunk that was made by it.
    pub fn layout(&mut self, sealed: Bytes, layout: Arc<Layout>) {
        if layout.epoch != self.store.epoch() {
            return;
        }
        self.layouts.insert(&sealed, layout);
        self.recheck = true;
    }

    /// Changes what may be sent. If seats cost more than that, some are shed at the next [`poll`](Self::poll).
    pub fn set_uplink(&mut self, now: Instant, uplink: Option<Bitrate>) {
        self.uplink = uplink;
        self.note_said(uplink);
        self.schedule.set_uplink(now, uplink);
        self.recheck = true;
    }

    /// From now on `peer` is served before everybody else.
    pub fn favour(&mut self, peer: PeerId) {
        self.favourite = Some(peer);
    }

    /// Takes nobody more as soon as so many peers are fed.
    pub fn set_children_max(&mut self, most: usize) {
        self.children_max = most;
    }

    /// Our own rank on a stripe has changed; `None`: we do not receive it any more. Children whose rank is not greater are
    /// detached, the others are told.
    pub fn set_rank(&mut self, stripe: StripeId, rank: Option<Rank>, out: &mut Outbox) {
        let Some(slot) = stripe_slot(stripe).filter(|slot| self.ranks[*slot] != rank) else {
            return;
        };
        self.ranks[slot] = rank;
        self.recheck = true;
        let why = rank.map_or(DetachReason::NotReceived, |_| DetachReason::Rank);
        self.unseat_where(out, |seat_slot, seat| {
            let keeps = rank.is_some_and(|rank| seat.rank > rank);
            (seat_slot == slot && !keeps).then_some(why)
        });
        let Some(rank) = rank else { return };
        for seat in self.children.seats(slot) {
            let link = self.children.get(seat.child).link;
            out.tell(link, &Message::Ranked { stripe, rank });
        }
    }

    /// Whether late marks are sent, as they are at first: not any more when the channel has ended.
    pub fn set_marking(&mut self, on: bool) {
        self.marks.set(on);
    }

    /// A link is up. Only peers on such links may ask for anything.
    pub fn linked(&mut self, link: LinkId, peer: PeerId) {
        if self.children.find(link).is_none() {
            let index = self.children.add(link, peer);
            self.schedule.open(index);
        }
    }

    /// A link has ended, with all that its peer had here.
    pub fn unlinked(&mut self, now: Instant, link: LinkId) {
        self.now = now;
        if let Some(index) = self.children.find(link) {
            self.forget(index);
        }
    }

    /// A child answers nothing: its seats are for others. Its link stays, and it may ask again.
    pub fn take_back(&mut self, now: Instant, link: LinkId, out: &mut Outbox) {
        self.now = now;
        if let Some(index) = self.children.find(link) {
            self.unseat_where(out, |_, seat| (seat.child == index).then_some(DetachReason::Shed));
        }
    }

    /// The seat of a child on a stripe is for somebody else.
    pub fn replace(&mut self, now: Instant, peer: &PeerId, stripe: StripeId, out: &mut Outbox) {
        self.now = now;
        let sits = |seat: &children::Seat| self.children.get(seat.child).peer == *peer;
        let Some(slot) = stripe_slot(stripe) else { return };
        let seated: Vec<u32> = self
            .children
            .seats(slot)
            .iter()
            .filter(|seat| sits(seat))
            .map(|seat| seat.child)
            .collect();
        for index in seated {
            self.replace_seat(index, slot, u64::MAX, None, out);
        }
    }

    /// Takes in a verified chunk, to be stored and passed on to the children of its stripe. Whether it was new.
    pub fn chunk(&mut self, now: Instant, chunk: &Chunk) -> bool {
        self.now = now;
        let header = &chunk.header;
        let Some(slot) = stripe_slot(header.stripe).filter(|_| self.store.insert(chunk) == Stored::New)
        else {
            return false;
        };
        if header.flags.has(Flags::KEYFRAME) {
            self.resume(slot, header.block);
        }
        let entry = Entry {
            captured: header.captured,
            queued: now,
            block: header.block,
            stripe: slot as u8,
            kind: self.kind_of(header),
        };
        let mut reaches_all = true;
        for seat in self.children.seats(slot) {
            if header.block >= seat.from {
                self.schedule.push(seat.child, entry);
            } else {
                reaches_all = false;
            }
        }
        self.grant_wishes(now, slot, chunk);
        if reaches_all {
            // A child that has all that already hears nothing from who catches up, and is to know that it lives.
            self.marks.heard(slot, now);
        }
        true
    }

    /// What comes long after its like comes from a parent that catches up: children are owed no more of it than they are of a backlog.
    fn kind_of(&self, header: &Header) -> Kind {
        let newest = self.store.newest_of(header.stripe.tier);
        match newest {
            Some(newest) if newest > header.block + SPREAD => Kind::Backlog,
            _ => Kind::Live,
        }
    }

    /// Bytes wait no longer on a child's data lanes; see [`Input::Drained`](crate::io::Input::Drained).
    pub fn drained(&mut self, now: Instant, link: LinkId, bytes: u64) {
        self.now = now;
        if let Some(index) = self.children.find(link) {
            self.note_taken(bytes);
            self.schedule.drained(now, index, bytes);
        }
    }

    /// How long a link's round trips take; see [`Input::RoundTrip`](crate::io::Input::RoundTrip).
    pub fn round_trip(&mut self, now: Instant, link: LinkId, time: Duration) {
        self.now = now;
        if let Some(index) = self.children.find(link) {
            self.schedule.round_trip(now, index, time);
        }
    }

    /// The transport's total of wire bytes sent, which corrects the budget.
    pub fn wire_sent(&mut self, now: Instant, total: u64) {
        self.now = now;
        self.schedule.wire_sent(now, total);
    }

    /// Wire bytes sent beside what children are, since the start; nothing without an uplink that was named.
    pub fn sent_beside(&self) -> u64 {
        self.schedule.beside()
    }

    /// Does what is due, and sends what may be sent. `at` is the channel time now.
    pub fn poll(&mut self, now: Instant, at: ChannelTime, out: &mut Outbox) {
        self.now = now;
        self.end_tickets(now, at, out);
        if core::mem::take(&mut self.recheck) {
            self.recheck_seats(now, out);
            self.try_held(now, at, out);
        }
        self.give_up_held(now, out);
        self.mark(now, out);
        let looks = now >= self.look_after;
        if looks {
            self.look_after = now + LOOK_EVERY;
            self.look_at_uplink(now);
            self.bound_windows(out);
            self.skip_stale(now, out);
        }
        self.flush(now, out);
        self.settle_handovers(now);
        if looks {
            self.mark_behind(now, out);
        }
        self.shed_overload(now, out);
    }

    /// When to call [`poll`](Self::poll) at the latest; never if there is nothing to do.
    pub fn wake_at(&self) -> Option<Instant> {
        let held = self.held.iter().map(|held| held.until).min();
        earliest([
            self.recheck.then_some(self.now),
            self.schedule.wake_at(),
            self.marks.wake_at(&self.children),
            held,
            self.grace,
            self.ends.map(|(_, when)| when),
        ])
    }

    /// We leave: children are told, and are fed until they have gone; no others are taken.
    pub fn leave(&mut self, now: Instant, out: &mut Outbox) {
        self.now = now;
        self.leaving = true;
        for (slot, seat) in self.children.all() {
            let link = self.children.get(seat.child).link;
            let (stripe, why) = (stripe_at(slot), DetachReason::Leaving);
            out.tell(link, &Message::Detached { stripe, why });
        }
        self.refuse_held(DetachReason::Leaving, out);
    }

    /// Who is fed which stripe.
    pub fn children(&self) -> impl Iterator<Item = (PeerId, StripeId)> + '_ {
        let all = self.children.all();
        all.map(|(slot, seat)| (self.children.get(seat.child).peer, stripe_at(slot)))
    }

    /// The first block that a peer was given a stripe from, if it has a seat for it.
    pub fn seated_from(&self, peer: &PeerId, stripe: StripeId) -> Option<u64> {
        let seats = self.children.seats(stripe_slot(stripe)?);
        let its = seats
            .iter()
            .find(|seat| self.children.get(seat.child).peer == *peer);
        its.map(|seat| seat.from)
    }

    /// How many peers are fed, or still sent what waited for them when they left.
    pub fn child_count(&self) -> usize {
        let fed = |index: &u32| self.children.get(*index).stripes != 0 || self.is_giver(*index);
        let fed = self.children.indices().filter(fed);
        let mut peers: Vec<PeerId> = fed.map(|index| self.children.get(index).peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers.len()
    }

    /// Whether anybody is fed that stripe.
    pub fn is_interior(&self, stripe: StripeId) -> bool {
        stripe_slot(stripe).is_some_and(|slot| self.children.is_interior(slot))
    }

    /// What the children's slots cost together, in wire bits.
    pub fn budget_used(&self) -> Bitrate {
        self.children.used()
    }

    /// Whether the children got their chunks in time over the last second, as far as it was ours to do.
    pub fn in_time(&self) -> bool {
        self.schedule.in_time(self.now)
    }

    /// The chunks of the last ten seconds.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Panics if the engine contradicts itself.
    pub fn check_invariants(&self) {
        self.children.check_invariants();
        self.schedule.check_invariants();
        let fits = self.uplink.is_none_or(|uplink| self.budget_used() <= uplink);
        assert!(fits || self.recheck, "children's slots fit into the uplink");
        for (slot, seat) in self.children.all() {
            let below = self.ranks[slot].is_some_and(|rank| seat.rank > rank);
            assert!(
                below,
                "a child's rank on {} is greater than ours",
                stripe_at(slot)
            );
        }
        assert!(self.held.len() <= admit::HELD_MAX, "held requests are bounded");
        self.awaited.check_invariants();
        self.check_handovers();
    }
}

#[cfg(test)]
mod tests;
