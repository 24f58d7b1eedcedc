//! Who is fed: the links, what each child showed and holds, and the seats of each stripe.

use crate::id::PeerId;
use crate::io::LinkId;
use crate::limits::{LINK_BACKLOG_MAX, TIERS_MAX};
use crate::media::schedule::Tokens;
use crate::media::store::{STRIPES, stripe_at};
use crate::time::{ChannelTime, Duration, Instant};
use crate::units::Bitrate;
use crate::wire::ticket::{Class, Rank, Ticket};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

/// Requests a second that a child may make in the long run. A child whose parent fails pulls every tick, a stripe at a
/// time.
const REQUESTS: u64 = 100;

/// How long it may save them up.
const REQUESTS_SAVED: Duration = Duration::from_secs(5);

/// Requests beyond its due that are passed over before its link is closed.
const EXCESS_MAX: u32 = 2000;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It is answered.
    Fine,
    /// It is passed over.
    Short,
    /// It was one too many.
    Gone,
}

/// Chunks a second that a child may pull in the long run: a whole stripe's at ten times its pace.
const PULLED: u64 = 100;

/// How long it may save them up: as much as the stripes of one failed parent lacked for a second, three times over.
const PULLED_SAVED: Duration = Duration::from_secs(3);

/// A linked peer. Most never ask for anything.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) link: LinkId,
    pub(super) peer: PeerId,
    /// The newest ticket that it showed and that was good.
    pub(super) ticket: Option<Box<Shown>>,
    /// A bit for each stripe that it has a seat for.
    pub(super) stripes: u128,
    /// The layout last sent on each tier's lane; 0 for none.
    pub(super) layouts: [u32; TIERS_MAX],
    /// When it was last sent a chunk or a mark of each stripe.
    pub(super) heard: [Instant; STRIPES],
    /// Tiers whose lane was reset, and that go on at their next keyframe.
    pub(super) skipping: [bool; TIERS_MAX],
    /// What the transport was last told may be under way to it.
    pub(super) window: u64,
    requests: Tokens,
    /// Requests beyond its due, all of them.
    excess: u32,
    pub(super) pulls: Tokens,
}

/// A ticket, opened.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) sealed: Bytes,
    pub(super) ticket: Ticket,
}

impl Child {
    fn new(link: LinkId, peer: PeerId) -> Self {
        Self {
            link,
            peer,
            ticket: None,
            stripes: 0,
            layouts: [0; TIERS_MAX],
            heard: [Instant::ZERO; STRIPES],
            skipping: [false; TIERS_MAX],
            window: LINK_BACKLOG_MAX,
            requests: Tokens::new(REQUESTS, REQUESTS_SAVED),
            excess: 0,
            pulls: Tokens::new(PULLED, PULLED_SAVED),
        }
    }

    /// It asks for something: whether that is within its due.
    pub(super) fn patience(&mut self, now: Instant) -> Patience {
        if self.requests.try_take(now) {
            return Patience::Fine;
        }
        self.excess += 1;
        if self.excess > EXCESS_MAX {
            Patience::Gone
        } else {
            Patience::Short
        }
    }

    /// How it is served; without a ticket, last.
    pub(super) fn class(&self) -> Class {
        self.ticket
            .as_ref()
            .map_or(Class::FreeRider, |shown| shown.ticket.class)
    }

    pub(super) fn has(&self, slot: usize) -> bool {
        self.stripes & (1 << slot) != 0
    }
}

/// A child's right to one stripe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) child: u32,
    /// The first block that it wants.
    pub(super) from: u64,
    pub(super) rank: Rank,
    /// The epoch of the ticket that it is by.
    pub(super) epoch: u64,
    /// When that ticket ends.
    pub(super) until: ChannelTime,
    /// What it costs.
    pub(super) slot: Bitrate,
}

/// All links, by index and by name, and all seats, by stripe.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Children {
    /// All links, ascending: every acknowledgement is looked up here.
    links: Vec<LinkId>,
    /// Their indices, in the same order.
    indices: Vec<u32>,
    slab: Vec<Option<Child>>,
    /// A bit for each stripe that anybody has a seat for.
    interior: u128,
    /// What all seats cost.
    used: Bitrate,
    free: Vec<u32>,
    seats: [Vec<Seat>; STRIPES],
}

impl Children {
    pub(super) fn new() -> Self {
        Self {
            slab: Vec::new(),
            free: Vec::new(),
            links: Vec::new(),
            indices: Vec::new(),
            seats: core::array::from_fn(|_| Vec::new()),
            interior: 0,
            used: Bitrate::ZERO,
        }
    }

    /// Takes in a link and gives it an index.
    pub(super) fn add(&mut self, link: LinkId, peer: PeerId) -> u32 {
        let index = self.free.pop().unwrap_or(self.slab.len() as u32);
        if self.slab.len() == index as usize {
            self.slab.push(None);
        }
        self.slab[index as usize] = Some(Child::new(link, peer));
        if let Err(at) = self.place(link) {
            self.links.insert(at, link);
            self.indices.insert(at, index);
        }
        index
    }

    /// Forgets a link and its seats.
    pub(super) fn remove(&mut self, index: u32) {
        for slot in bits(self.get(index).stripes) {
            self.unseat(index, slot);
        }
        let child = self.slab[index as usize].take().expect("the child is there");
        if let Ok(at) = self.place(child.link) {
            self.links.remove(at);
            self.indices.remove(at);
        }
        self.free.push(index);
    }

    pub(super) fn find(&self, link: LinkId) -> Option<u32> {
        self.place(link).ok().map(|at| self.indices[at])
    }

    fn place(&self, link: LinkId) -> Result<usize, usize> {
        self.links.binary_search(&link)
    }

    pub(super) fn get(&self, index: u32) -> &Child {
        self.slab[index as usize].as_ref().expect("the child is there")
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Child {
        self.slab[index as usize].as_mut().expect("the child is there")
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.indices.iter().copied()
    }

    pub(super) fn seats(&self, slot: usize) -> &[Seat] {
        &self.seats[slot]
    }

    pub(super) fn seat(&self, index: u32, slot: usize) -> Option<&Seat> {
        self.seats[slot].iter().find(|seat| seat.child == index)
    }

    /// Changes seats of a stripe, but not whose they are.
    pub(super) fn change(&mut self, slot: usize, mut change: impl FnMut(&mut Seat)) {
        for seat in &mut self.seats[slot] {
            self.used -= seat.slot;
            change(seat);
            self.used += seat.slot;
        }
    }

    /// Gives a seat to a child that has none for this stripe.
    pub(super) fn take_seat(&mut self, slot: usize, seat: Seat) {
        self.get_mut(seat.child).stripes |= 1 << slot;
        self.interior |= 1 << slot;
        self.used += seat.slot;
        self.seats[slot].push(seat);
    }

    /// Takes a child's seat for a stripe away. Whether it had one.
    pub(super) fn unseat(&mut self, index: u32, slot: usize) -> bool {
        let Some(at) = self.seats[slot].iter().position(|seat| seat.child == index) else {
            return false;
        };
        let seat = self.seats[slot].remove(at);
        self.used -= seat.slot;
        self.get_mut(index).stripes &= !(1 << slot);
        if self.seats[slot].is_empty() {
            self.interior &= !(1 << slot);
        }
        true
    }

    /// What a child's seats cost together.
    pub(super) fn share(&self, index: u32) -> Bitrate {
        bits(self.get(index).stripes)
            .filter_map(|slot| self.seat(index, slot))
            .map(|seat| seat.slot)
            .sum()
    }

    /// The stripes that anybody has a seat for.
    pub(super) fn interior(&self) -> impl Iterator<Item = usize> + use<> {
        bits(self.interior)
    }

    pub(super) fn is_interior(&self, slot: usize) -> bool {
        self.interior & (1 << slot) != 0
    }

    /// All seats with their stripes.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Seat)> {
        self.interior()
            .flat_map(|slot| self.seats[slot].iter().map(move |seat| (slot, seat)))
    }

    pub(super) fn used(&self) -> Bitrate {
        self.used
    }

    pub(super) fn check_invariants(&self) {
        let costs = self.all().map(|(_, seat)| seat.slot).sum();
        assert_eq!(self.used, costs, "the budget is the sum of its seats");
        for index in self.indices() {
            let child = self.get(index);
            assert_eq!(self.find(child.link), Some(index), "a child is found by its link");
            let seated = |slot: &usize| {
                self.seats[*slot]
                    .iter()
                    .filter(|seat| seat.child == index)
                    .count()
            };
            assert!(
                bits(child.stripes).all(|slot| seated(&slot) == 1),
                "one seat a stripe"
            );
        }
        for (slot, seat) in self.all() {
            assert!(
                self.get(seat.child).has(slot),
                "a child knows of its seat for {}",
                stripe_at(slot)
            );
        }
        for slot in 0..STRIPES {
            assert_eq!(self.is_interior(slot), !self.seats[slot].is_empty());
        }
    }
}

/// The positions of the bits that are set, ascending.
pub(super) fn bits(mut set: u128) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lowest)
    })
}
