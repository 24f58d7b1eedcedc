//! Edges: the only code that links and unlinks parent and child, keeps budgets, depths and ranks.

use crate::id::PeerId;
use crate::limits::DATA_IDLE;
use crate::media::StripeId;
use crate::overlay::Overlay;
use crate::overlay::member::{Lingering, MemberIndex};
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::wire::ticket::Rank;
use alloc::vec::Vec;

/// The depth of a place that no path connects to the source.
pub const UNROOTED: u16 = u16::MAX;

/// The room between a parent's rank and a new child's: 2⁴⁰, so that forty places fit between them, one after the other,
/// and sixteen million below each other.
const RANK_GAP: u64 = 1 << 40;

/// Slots beyond which nobody counts as stronger.
const STRONGEST: u64 = 255;

/// How long a given-up seat may still be sat on: the time in which a child's move succeeds or is repaired.
const LINGER: Duration = Duration::from_secs(4);

/// A member's place in one stripe's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who sends it the stripe; `None` for the source, and for an orphan.
    pub parent: Option<MemberIndex>,
    /// Who is to send it when the parent fails.
    pub spare: Option<MemberIndex>,
    /// Its rank; greater than its parent's.
    pub rank: Rank,
    /// Edges from the source.
    pub depth: u16,
    /// Whom it sends the stripe.
    pub children: Vec<MemberIndex>,
    /// Whose seat it takes at the parent.
    pub replaces: Option<Lingering>,
    /// Whether it has been told of the parent, or went there itself; until then it cannot sit there.
    pub told: bool,
}

impl Place {
    /// The source's.
    pub const fn root() -> Self {
        let children = Vec::new();
        Self {
            parent: None,
            spare: None,
            rank: Rank::SOURCE,
            depth: 0,
            children,
            replaces: None,
            told: false,
        }
    }

    /// A place that hangs nowhere yet.
    pub const fn orphan(rank: Rank) -> Self {
        Self {
            parent: None,
            spare: None,
            rank,
            depth: UNROOTED,
            children: Vec::new(),
            replaces: None,
            told: false,
        }
    }

    /// Whether a path connects it to the source.
    pub fn is_rooted(&self) -> bool {
        self.depth != UNROOTED
    }

    /// Whoever has the place knows of its parent.
    pub(super) fn note_told(&mut self) {
        self.told = self.parent.is_some();
    }
}

/// A rank for a child of a parent with rank `above` whose own children have ranks of at least `below`, if there is one.
pub fn rank_between(above: Rank, below: Option<Rank>) -> Option<Rank> {
    let roomy = above
        .0
        .checked_add(RANK_GAP)
        .expect("trees are less than sixteen million deep");
    match below {
        None => Some(Rank(roomy)),
        Some(below) if below.0 <= above.0 + 1 => None,
        Some(below) => Some(Rank(roomy.min(above.0 + (below.0 - above.0) / 2))),
    }
}

impl Overlay {
    /// The least rank among a place's children.
    pub(crate) fn least_child_rank(&self, member: MemberIndex, stripe: StripeIndex) -> Option<Rank> {
        let place = self.member(member).place(stripe)?;
        let ranks = place
            .children
            .iter()
            .filter_map(|child| self.member(*child).place(stripe));
        ranks.map(|place| place.rank).min()
    }

    /// Hangs `child` under `parent`. Its rank stays if it is greater than the parent's, else it is raised.
    ///
    /// # Panics
    /// If the child hangs somewhere already, the parent has no place, or no rank fits: the caller has checked.
    pub(crate) fn attach(&mut self, child: MemberIndex, stripe: StripeIndex, parent: MemberIndex) {
        let above = self
            .member(parent)
            .place(stripe)
            .expect("a parent has a place")
            .rank;
        let below = self.least_child_rank(child, stripe);
        let former = self
            .member(child)
            .place(stripe)
            .map(|place| place.rank)
            .filter(|rank| *rank > above);
        let rank = former.or_else(|| self.first_rank(child, above, below));
        let rank = rank.expect("the caller found a fitting rank");
        let replaces = self.take_seat(parent, stripe);
        let slot = self.stripes.slot(stripe);
        if !self.member(parent).is_interior() {
            // Its class is another one now, and its own parents are to know.
            self.touch_lightly(parent);
        }
        let above = self.member_mut(parent);
        above.used += slot;
        let seats = above.place_mut(stripe).expect("a parent has a place");
        seats.children.push(child);
        let depth = if seats.is_rooted() {
            seats.depth + 1
        } else {
            UNROOTED
        };
        let place = self.member_mut(child).places[stripe.get()].get_or_insert_with(|| Place::orphan(rank));
        assert!(place.parent.is_none(), "a child has one parent in a tree");
        place.parent = Some(parent);
        place.rank = rank;
        place.replaces = replaces;
        place.told = false;
        self.set_depth(child, stripe, depth);
        self.spareless.insert((child, stripe));
        self.touch(child);
    }

    /// A childless member's rank is by its strength, where the parent's allows: so the stronger may be spares to the weaker, and
    /// parents, without anybody's rank having to change. Relays count as stronger than everybody.
    fn first_rank(&self, child: MemberIndex, above: Rank, below: Option<Rank>) -> Option<Rank> {
        let least = rank_between(above, below)?;
        if below.is_some() || self.is_relay(child) {
            return Some(least);
        }
        let slots = self
            .member(child)
            .granted
            .slots(self.stripes.top_slot())
            .min(STRONGEST);
        Some(least.max(Rank((STRONGEST + 1 - slots) * RANK_GAP * 1024)))
    }

    /// Takes `child` from its parent; it stays an orphan with its children. If it may still sit there for a while
    /// (`lingers`, and it was told of that seat), the seat is handed over only by replacing it; if it was not told, whom it was to replace
    /// sits there still.
    pub(crate) fn detach(&mut self, child: MemberIndex, stripe: StripeIndex, lingers: Option<Instant>) {
        self.detach_until(child, stripe, lingers.map(|now| now + LINGER));
    }

    /// The same; it sits there for so long at most.
    fn detach_until(&mut self, child: MemberIndex, stripe: StripeIndex, until: Option<Instant>) {
        self.set_spare(child, stripe, None);
        let slot = self.stripes.slot(stripe);
        let id = self.member(child).id;
        let Some(place) = self.member_mut(child).place_mut(stripe) else {
            return;
        };
        let Some(parent) = place.parent.take() else { return };
        let until = until.filter(|_| place.told);
        let not_replaced = place.replaces.take().filter(|_| !place.told);
        let name = self.stripes.id(stripe);
        let above = self.member_mut(parent);
        above.used -= slot;
        let seats = above.place_mut(stripe).expect("a parent has a place");
        let position = seats.children.iter().position(|other| *other == child);
        seats.children.remove(position.expect("parent and child agree"));
        above.lingering.extend(not_replaced);
        if let Some(until) = until {
            above.lingering.push(Lingering {
                stripe: name,
                child: id,
                until,
            });
        }
        self.set_depth(child, stripe, UNROOTED);
        self.touch(child);
    }

    /// Gives up a place without children.
    pub(crate) fn vacate(&mut self, member: MemberIndex, stripe: StripeIndex, lingers: Option<Instant>) {
        self.detach(member, stripe, lingers);
        self.give_up(member, stripe);
    }

    /// Gives up a place, without children, of somebody who has failed. Its parent keeps the seat until their link ends, and whoever is given
    /// it takes it from the one that is gone, not from anybody else.
    pub(crate) fn bury(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) {
        self.detach_until(member, stripe, Some(now + DATA_IDLE));
        self.give_up(member, stripe);
    }

    fn give_up(&mut self, member: MemberIndex, stripe: StripeIndex) {
        let place = self.member_mut(member).places[stripe.get()].take();
        assert!(
            place.is_none_or(|place| place.children.is_empty()),
            "children are moved before"
        );
        self.member_mut(member).homes.remove(&stripe);
        self.spareless.remove(&(member, stripe));
        self.touch(member);
    }

    /// Notes who takes over when the parent fails.
    pub(crate) fn set_spare(&mut self, child: MemberIndex, stripe: StripeIndex, spare: Option<MemberIndex>) {
        let Some(place) = self.member(child).place(stripe) else {
            return;
        };
        if place.spare == spare {
            return;
        }
        let (parent, former) = (place.parent, place.spare);
        if let (Some(parent), Some(former)) = (parent, former) {
            let count = self
                .spare_load
                .get_mut(&(former, parent))
                .expect("every spare is counted");
            *count -= 1;
            if *count == 0 {
                self.spare_load.remove(&(former, parent));
            }
        }
        if let (Some(parent), Some(spare)) = (parent, spare) {
            *self.spare_load.entry((spare, parent)).or_default() += 1;
        }
        self.member_mut(child).place_mut(stripe).expect("just seen").spare = spare;
        self.touch_lightly(child);
    }

    /// The child has left a seat that the plan had given up.
    pub(crate) fn seat_left(&mut self, parent: MemberIndex, stripe: StripeId, child: PeerId) {
        let lingering = &mut self.member_mut(parent).lingering;
        lingering.retain(|seat| seat.stripe != stripe || seat.child != child);
    }

    /// Sits down at a parent: where its uplink has no room beside those who linger, one of them is replaced. A relay's sponsor is not, whose
    /// seat there is its own again.
    fn take_seat(&mut self, parent: MemberIndex, stripe: StripeIndex) -> Option<Lingering> {
        let slot = self.stripes.slot(stripe);
        let member = self.member(parent);
        let waiting = |seat: &Lingering| {
            self.stripes
                .find(seat.stripe)
                .map_or(slot, |s| self.stripes.slot(s))
        };
        let lingering = member.lingering.iter().map(waiting).sum();
        if member.used + lingering + slot <= member.granted {
            return None;
        }
        let name = self.stripes.id(stripe);
        let seats = member.lingering.iter().enumerate();
        let mut others = seats
            .filter(|(_, seat)| !self.is_promised_again(parent, seat))
            .peekable();
        let first = others.peek().map(|(position, _)| *position);
        let same = others.find(|(_, seat)| seat.stripe == name);
        let position = same.map(|(position, _)| position).or(first)?;
        Some(self.member_mut(parent).lingering.remove(position))
    }

    /// Whether a relay's sponsor has been given the seat again that it was to leave. A relay that loses a parent loses its children by the plan,
    /// until both have been seated anew: they hear of nothing.
    fn is_promised_again(&self, relay: MemberIndex, seat: &Lingering) -> bool {
        let sponsor = self
            .find(&seat.child)
            .filter(|child| self.is_promised(*child, relay));
        let place = sponsor
            .zip(self.stripes.find(seat.stripe))
            .and_then(|(sponsor, stripe)| self.member(sponsor).place(stripe));
        place.is_some_and(|place| place.parent == Some(relay))
    }

    fn set_depth(&mut self, member: MemberIndex, stripe: StripeIndex, depth: u16) {
        let mut below = alloc::vec![(member, depth)];
        while let Some((member, depth)) = below.pop() {
            let place = self
                .member_mut(member)
                .place_mut(stripe)
                .expect("a child has a place");
            place.depth = depth;
            let next = if depth == UNROOTED { UNROOTED } else { depth + 1 };
            below.extend(place.children.iter().map(|child| (*child, next)));
        }
    }

    /// Whether the path from `from` up to the source meets `member`.
    pub(crate) fn path_meets(&self, from: MemberIndex, stripe: StripeIndex, member: MemberIndex) -> bool {
        let mut at = Some(from);
        while let Some(here) = at {
            if here == member {
                return true;
            }
            at = self.member(here).place(stripe).and_then(|place| place.parent);
        }
        false
    }
}
