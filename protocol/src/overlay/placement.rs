//! Choosing: a parent with a free seat, a seat to be taken over from a weaker member, a spare.
//!
//! Every choice is the least of a key, so that what counts before what is written down in one tuple each.

use crate::media::TierId;
use crate::overlay::Overlay;
use crate::overlay::forest::{Place, rank_between};
use crate::overlay::member::{Member, MemberIndex};
use crate::overlay::reach::{self, Dials};
use crate::overlay::stripes::StripeIndex;
use crate::units::Bitrate;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A seat that is taken, and would be given to somebody stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Who sits there.
    pub sitter: MemberIndex,
    /// The parent.
    pub parent: MemberIndex,
    /// The depth of the seat.
    pub depth: u16,
}

impl Overlay {
    /// Who dials if `child` is to hang from `parent`; `None` if they cannot be linked.
    pub fn link_between(&self, child: MemberIndex, parent: MemberIndex) -> Option<Dials> {
        if self.bad_pairs.contains(child, parent) {
            return None;
        }
        if parent == MemberIndex::SOURCE {
            return Some(Dials::Child);
        }
        let (below, above) = (self.member(child), self.member(parent));
        let hides = |member: &Member, from: MemberIndex| member.relay_only && !self.is_relay(from);
        if hides(below, parent) || hides(above, child) {
            return None;
        }
        reach::who_dials(below.reach, above.reach)
    }

    /// Uplink that a member has free for one more child on `stripe`. The source keeps a slot for every other stripe that it does not
    /// send yet: whatever happens, it must be able to send each stripe once, the full stream's first.
    pub(crate) fn free_for(&self, parent: MemberIndex, stripe: StripeIndex) -> Bitrate {
        let member = self.member(parent);
        if parent != MemberIndex::SOURCE {
            return member.free();
        }
        let copy = self.stripes.top_copy();
        if member.granted < copy {
            // It serves lower tiers only.
            return member.free();
        }
        let beyond = member.granted - copy;
        let (top, lower) = self.unsent_but(Some(stripe));
        if self.is_top(stripe) && !self.sends(stripe) {
            // Nobody has the full stream without it, so that it goes before what is kept for lower tiers.
            return member.free().saturating_sub(top);
        }
        member.free().saturating_sub(top + beyond.min(lower))
    }

    /// Uplink that a member has free for the full stream as a whole: of what the source keeps for stripes that it does not send yet,
    /// the full stream's own are free.
    pub(crate) fn free_for_full(&self, parent: MemberIndex) -> Bitrate {
        let member = self.member(parent);
        if parent != MemberIndex::SOURCE {
            return member.free();
        }
        let (_, lower) = self.unsent_but(None);
        let beyond = member.granted.saturating_sub(self.stripes.top_copy());
        member.free().saturating_sub(beyond.min(lower))
    }

    /// What the stripes cost that the source sends to nobody, `but` aside: the full stream's, and those of lower tiers.
    fn unsent_but(&self, but: Option<StripeIndex>) -> (Bitrate, Bitrate) {
        let (mut top, mut lower) = (Bitrate::ZERO, Bitrate::ZERO);
        for stripe in self.stripes.all().filter(|stripe| Some(*stripe) != but) {
            if self.sends(stripe) {
                continue;
            }
            if self.is_top(stripe) {
                top += self.stripes.slot(stripe);
            } else {
                lower += self.stripes.slot(stripe);
            }
        }
        (top, lower)
    }

    fn is_top(&self, stripe: StripeIndex) -> bool {
        Some(self.stripes.id(stripe).tier) == self.stripes.top()
    }

    /// Whether the source sends a stripe to anybody.
    fn sends(&self, stripe: StripeIndex) -> bool {
        !self.children(MemberIndex::SOURCE, stripe).is_empty()
    }

    /// Whether `parent` may take `child` on `stripe`, budgets aside.
    pub(crate) fn may_hang(&self, child: MemberIndex, stripe: StripeIndex, parent: MemberIndex) -> bool {
        self.could_hang(child, stripe, parent) && self.may_meet(child, parent)
    }

    /// The same if whoever dials may dial one more.
    fn could_hang(&self, child: MemberIndex, stripe: StripeIndex, parent: MemberIndex) -> bool {
        let above = self.member(parent);
        let Some(place) = above.place(stripe) else {
            return false;
        };
        child != parent
            && above.is_active()
            && place.is_rooted()
            && self.rank_allows(child, stripe, place)
            && self.relay_admits(parent, child, stripe)
            && self.link_between(child, parent).is_some()
    }

    /// Whether it is no room that a member lacks on a stripe on which it has no parent: there is room for it, but only where it, or
    /// who has it, would have to dial more new addresses within a minute than anybody may.
    pub fn lacks_introductions(&self, member: MemberIndex) -> bool {
        let shown = self.member(member).tier.or(self.stripes.top());
        self.lacking(member, shown).any(|stripe| {
            let roomy = self.with_room(stripe);
            let could_hang = |parent: &&MemberIndex| self.could_hang(member, stripe, **parent);
            let mut hosts = roomy.iter().filter(could_hang).peekable();
            hosts.peek().is_some() && hosts.all(|parent| !self.may_meet(member, *parent))
        })
    }

    /// The stripes on which a member has no parent: of those that it has a place on, and of all of `shown`.
    pub(super) fn lacking(
        &self,
        member: MemberIndex,
        shown: Option<TierId>,
    ) -> impl Iterator<Item = StripeIndex> + '_ {
        self.stripes.all().filter(move |stripe| {
            let place = self.member(member).place(*stripe);
            let is_wanted = place.is_some() || Some(self.stripes.id(*stripe).tier) == shown;
            is_wanted && place.is_none_or(|place| place.parent.is_none())
        })
    }

    /// Whether a tier reaches anybody besides the source, or could: else room that others have is of no use to it.
    pub fn is_within_reach(&self, tier: TierId) -> bool {
        self.stripes.of_tier(tier).all(|stripe| {
            self.sends(stripe) || self.free_for(MemberIndex::SOURCE, stripe) >= self.stripes.slot(stripe)
        })
    }

    fn rank_allows(&self, child: MemberIndex, stripe: StripeIndex, above: &Place) -> bool {
        let Some(place) = self.member(child).place(stripe) else {
            return true;
        };
        if place.rank > above.rank {
            return true;
        }
        let below = self.least_child_rank(child, stripe);
        rank_between(above.rank, below).is_some()
    }

    /// The best parent with room for `child` on `stripe`: no relay while a peer has room, for those cost money; the least deep, where one that is not meant to be interior there
    /// counts as a level deeper, and one that keeps no reserve as three; then the one with most room. Who is interior elsewhere comes last. `None` if
    /// nobody has room.
    pub fn free_seat(&self, child: MemberIndex, stripe: StripeIndex) -> Option<MemberIndex> {
        self.free_seat_among(&self.with_room(stripe), child, stripe)
    }

    /// Who has room for one more child on `stripe`.
    pub(super) fn with_room(&self, stripe: StripeIndex) -> Vec<MemberIndex> {
        let slot = self.stripes.slot(stripe);
        let has_room = |parent: &MemberIndex| {
            self.member(*parent).free() >= slot
                && self.member(*parent).full_until.is_none()
                && self.serves(*parent)
                && self.free_for(*parent, stripe) >= slot + self.expected(*parent, stripe)
        };
        self.present().filter(has_room).collect()
    }

    /// The same when it is known who has [room](Self::with_room): to look for many children's seats, the members are gone through once.
    pub(super) fn free_seat_among(
        &self,
        roomy: &[MemberIndex],
        child: MemberIndex,
        stripe: StripeIndex,
    ) -> Option<MemberIndex> {
        self.best_of(roomy, stripe, |parent| self.may_hang(child, stripe, *parent))
    }

    /// The best seat for an orphan to whom too many addresses were given within the last minute to be told of more in the ordinary way: the last
    /// dials of a minute are kept for this.
    pub(super) fn last_seat(&self, child: MemberIndex, stripe: StripeIndex) -> Option<MemberIndex> {
        self.best_of(&self.with_room(stripe), stripe, |parent| {
            self.could_hang(child, stripe, *parent) && self.may_yet_meet(child, *parent)
        })
    }

    fn best_of(
        &self,
        roomy: &[MemberIndex],
        stripe: StripeIndex,
        fits: impl Fn(&MemberIndex) -> bool,
    ) -> Option<MemberIndex> {
        let key = |parent: &MemberIndex| {
            let member = self.member(*parent);
            let depth = member.place(stripe).map_or(0, |place| place.depth);
            let opening = self.opening(member, *parent, stripe);
            let cost = depth.saturating_add(u16::from(opening) + 3 * u16::from(self.crowds(*parent, stripe)));
            let paid = self.is_relay(*parent);
            (paid, opening == 2, cost, Reverse(member.free()), *parent)
        };
        let receives = |parent: &MemberIndex| self.member(*parent).place(stripe).is_some();
        least(roomy.iter().copied().filter(receives), key, fits)
    }

    /// What the children of those who are held to have failed take of a member's uplink at this moment, as their spare, and
    /// have not said yet.
    fn expected(&self, spare: MemberIndex, stripe: StripeIndex) -> Bitrate {
        let loads = self
            .suspects
            .iter()
            .filter_map(|parent| self.spare_load.get(&(spare, *parent)));
        self.stripes.slot(stripe) * loads.map(|load| u64::from(*load)).sum::<u64>()
    }

    /// Whether one more child would leave less than a sixth of the parent's uplink, out of which a newcomer catches up, or too
    /// little for those who count on it as a spare.
    fn crowds(&self, parent: MemberIndex, stripe: StripeIndex) -> bool {
        let slot = self.stripes.slot(stripe);
        let rest = self.free_for(parent, stripe).saturating_sub(slot);
        self.takes_the_reserve(parent, stripe) || rest < slot * u64::from(self.most_counting_on(parent))
    }

    /// Whether one more child would leave less than a sixth of the parent's uplink.
    pub(super) fn takes_the_reserve(&self, parent: MemberIndex, stripe: StripeIndex) -> bool {
        let rest = self
            .free_for(parent, stripe)
            .saturating_sub(self.stripes.slot(stripe));
        rest * 6 < self.member(parent).granted
    }

    /// How many count on a spare for one and the same failure, at most.
    fn most_counting_on(&self, spare: MemberIndex) -> u32 {
        self.loads_of(spare).map(|(_, load)| load).max().unwrap_or(0)
    }

    /// The parents for whose failure somebody counts on a spare, and how many do.
    fn loads_of(&self, spare: MemberIndex) -> impl Iterator<Item = (MemberIndex, u32)> + '_ {
        let of_spare = (spare, MemberIndex(0))..=(spare, MemberIndex(u32::MAX));
        self.spare_load
            .range(of_spare)
            .map(|((_, parent), load)| (*parent, *load))
    }

    /// Whether somebody has a member as its spare on `stripe`: then its rank may not rise there.
    fn is_counted_on(&self, spare: MemberIndex, stripe: StripeIndex) -> bool {
        let children = |parent| {
            self.member(parent)
                .place(stripe)
                .map_or(&[][..], |place| &place.children)
        };
        let has = |child: &MemberIndex| {
            let place = self.member(*child).place(stripe);
            place.is_some_and(|place| place.spare == Some(spare))
        };
        self.loads_of(spare)
            .any(|(parent, _)| children(parent).iter().any(has))
    }

    /// How far a member strays from being interior in few trees by taking a child on `stripe`: 0 not at all, 1 if it has
    /// no children yet, 2 if it has some elsewhere.
    fn opening(&self, member: &Member, index: MemberIndex, stripe: StripeIndex) -> u8 {
        let at_home = member.homes.contains(&stripe)
            || member
                .place(stripe)
                .is_some_and(|place| !place.children.is_empty());
        match () {
            () if index == MemberIndex::SOURCE || at_home => 0,
            () if !member.is_interior() => 1,
            () => 2,
        }
    }

    /// The best seat on `stripe` that `newcomer` may take from somebody much weaker, nearer to the source than `depth`, and adopt who sat
    /// there: sent elsewhere, that one would be deeper by many levels, and all below it with it.
    pub fn weaker_seat(&self, newcomer: MemberIndex, stripe: StripeIndex, depth: u16) -> Option<Takeover> {
        let strength = self.member(newcomer).promise();
        let weaker = |seat: &Takeover| {
            let sitter = self.member(seat.sitter);
            seat.depth < depth && sitter.promise().percent(150) < strength
        };
        let key = |seat: &Takeover| self.takeover_key(stripe, seat);
        let fits = |seat: &Takeover| {
            self.may_take(newcomer, stripe, seat) && self.may_adopt(newcomer, stripe, *seat)
        };
        least(self.seats(stripe).filter(weaker), key, fits)
    }

    /// The best seat on `stripe` whose sitter has no children there and finds another: the way out for an orphan with
    /// children of its own, or for a newcomer whose uplink is all that is free.
    pub fn leaf_seat(&self, newcomer: MemberIndex, stripe: StripeIndex) -> Option<Takeover> {
        let childless = |seat: &Takeover| {
            let place = self.member(seat.sitter).place(stripe);
            place.is_some_and(|place| place.children.is_empty())
        };
        let key = |seat: &Takeover| {
            let again = self.is_displaced(seat.sitter);
            (again, self.takeover_key(stripe, seat))
        };
        let roomy = self.with_room(stripe);
        let fits = |seat: &Takeover| {
            self.may_take(newcomer, stripe, seat)
                && self
                    .seat_for_sitter_among(&roomy, newcomer, stripe, *seat)
                    .is_some()
        };
        least(self.seats(stripe).filter(childless), key, fits)
    }

    /// A seat whose sitter is held to have failed: the way out for an orphan with children of its own, whose rank fits few
    /// seats, before anybody else has to move.
    pub(crate) fn failed_seat(&self, orphan: MemberIndex, stripe: StripeIndex) -> Option<Takeover> {
        let seat = |sitter: &MemberIndex| {
            let place = self.member(*sitter).place(stripe)?;
            let (sitter, parent, depth) = (*sitter, place.parent.filter(|_| place.is_rooted())?, place.depth);
            Some(Takeover {
                sitter,
                parent,
                depth,
            })
        };
        let fits = |seat: &Takeover| {
            seat.sitter != orphan
                && self.least_child_rank(orphan, stripe).is_some()
                && !self.path_meets(seat.parent, stripe, orphan)
                && self.may_hang(orphan, stripe, seat.parent)
        };
        least(
            self.suspects.iter().filter_map(seat),
            |seat| self.takeover_key(stripe, seat),
            fits,
        )
    }

    pub(super) fn seats(&self, stripe: StripeIndex) -> impl Iterator<Item = Takeover> + '_ {
        self.others().filter_map(move |sitter| {
            let place = self.member(sitter).place(stripe)?;
            let parent = place.parent.filter(|_| place.is_rooted())?;
            Some(Takeover {
                sitter,
                parent,
                depth: place.depth,
            })
        })
    }

    pub(super) fn takeover_key(
        &self,
        stripe: StripeIndex,
        seat: &Takeover,
    ) -> (u16, usize, Bitrate, Reverse<MemberIndex>) {
        let sitter = self.member(seat.sitter);
        let children = sitter.place(stripe).map_or(0, |place| place.children.len());
        (seat.depth, children, sitter.granted, Reverse(seat.sitter))
    }

    pub(super) fn may_take(&self, newcomer: MemberIndex, stripe: StripeIndex, seat: &Takeover) -> bool {
        // Who hangs below a relay counts on it.
        let is_theirs = self.is_relay(seat.sitter) && !self.is_relay(newcomer);
        newcomer != seat.sitter
            && !is_theirs
            && !self.is_promised(seat.sitter, seat.parent)
            && self.member(seat.sitter).is_active()
            && !self.path_meets(seat.parent, stripe, newcomer)
            && self.may_hang(newcomer, stripe, seat.parent)
    }

    /// Who is to take over when the parent of `child` on `stripe` fails: somebody with room whose path to the source
    /// avoids that parent; a relay after peers, the source itself last, so that a failure doesn't storm it. Among them a neighbour of the child: it has a
    /// link to it, need not be told of it, and loses fewer neighbours the fewer it has. But one neighbour is not to send it all
    /// that a failure takes.
    pub fn best_spare(&self, child: MemberIndex, stripe: StripeIndex) -> Option<MemberIndex> {
        self.best_spare_among(child, stripe, self.present())
    }

    /// The same of `some`.
    pub(super) fn best_spare_among(
        &self,
        child: MemberIndex,
        stripe: StripeIndex,
        some: impl Iterator<Item = MemberIndex>,
    ) -> Option<MemberIndex> {
        let parent = self.member(child).place(stripe)?.parent?;
        let (handy, loads) = (self.handy(child, parent), self.spare_loads(parent));
        let slot = self.stripes.slot(stripe);
        let load_of = |spare: &MemberIndex| {
            let load = loads.iter().find(|(other, _)| other == spare);
            load.map_or(0, |(_, load)| *load)
        };
        let first = |spare: &MemberIndex| {
            (
                self.free_for(*spare, stripe) < slot * u64::from(load_of(spare) + 1),
                *spare == MemberIndex::SOURCE,
                self.is_relay(*spare),
                self.needs_rise(child, stripe, *spare),
                !handy.contains(spare),
            )
        };
        let then = |spare: &MemberIndex| {
            let member = self.member(*spare);
            let depth = member.place(stripe).map_or(0, |place| place.depth);
            (
                !self.has_met(child, *spare),
                self.opening(member, *spare, stripe),
                depth,
                load_of(spare),
                *spare,
            )
        };
        let receives = |spare: &MemberIndex| self.member(*spare).place(stripe).is_some();
        let fits = |spare: &MemberIndex| self.may_be_spare(child, stripe, parent, *spare);
        least_in_turn(some.filter(receives), first, then, fits)
    }

    /// The neighbours of `child` that it does not ask already when that `parent` fails.
    fn handy(&self, child: MemberIndex, parent: MemberIndex) -> Vec<MemberIndex> {
        let places = || self.member(child).places.iter().flatten();
        let asked = |spare: &MemberIndex| {
            places().any(|place| (place.parent, place.spare) == (Some(parent), Some(*spare)))
        };
        let neighbours = places().flat_map(|place| [place.parent, place.spare]).flatten();
        neighbours.filter(|spare| !asked(spare)).collect()
    }

    /// Who is asked how often when `parent` fails; the same as `spare_load`, of its children alone.
    fn spare_loads(&self, parent: MemberIndex) -> Vec<(MemberIndex, u32)> {
        let mut loads: Vec<(MemberIndex, u32)> = Vec::new();
        for stripe in self.stripes.all() {
            let place = self.member(parent).place(stripe);
            let children = place.into_iter().flat_map(|place| &place.children);
            let spares = children.filter_map(|child| self.member(*child).place(stripe)?.spare);
            for spare in spares {
                match loads.iter_mut().find(|(other, _)| *other == spare) {
                    Some((_, load)) => *load += 1,
                    None => loads.push((spare, 1)),
                }
            }
        }
        loads
    }

    /// Whether a spare could not seat all who count on it for the failure of `parent`, and `more`.
    pub(crate) fn spare_is_short(
        &self,
        parent: MemberIndex,
        spare: MemberIndex,
        stripe: StripeIndex,
        more: u32,
    ) -> bool {
        let load = self.spare_load.get(&(spare, parent)).copied().unwrap_or(0) + more;
        self.free_for(spare, stripe) < self.stripes.slot(stripe) * u64::from(load)
    }

    /// Whether `spare` can stand in for `parent`, room aside.
    pub(crate) fn may_be_spare(
        &self,
        child: MemberIndex,
        stripe: StripeIndex,
        parent: MemberIndex,
        spare: MemberIndex,
    ) -> bool {
        let avoids = parent == MemberIndex::SOURCE || !self.path_meets(spare, stripe, parent);
        spare != parent
            && avoids
            && self.may_hang(child, stripe, spare)
            && !self.path_meets(spare, stripe, child)
            && self.spare_rank_allows(child, stripe, spare)
    }

    /// Whether the child's rank would have to rise above this spare's: then it may be no spare to others any more.
    fn needs_rise(&self, child: MemberIndex, stripe: StripeIndex, spare: MemberIndex) -> bool {
        let rank = |member| self.member(member).place(stripe).map(|place| place.rank);
        rank(spare) >= rank(child)
    }

    /// A spare's rank is less than the child's. A childless child may rise above a spare that is stronger than it (and
    /// only such, so that two leaves never rise above each other in turn).
    fn spare_rank_allows(&self, child: MemberIndex, stripe: StripeIndex, spare: MemberIndex) -> bool {
        let (below, above) = (self.member(child), self.member(spare));
        let (Some(place), Some(over)) = (below.place(stripe), above.place(stripe)) else {
            return false;
        };
        let stronger =
            !over.children.is_empty() || (above.granted, Reverse(spare)) > (below.granted, Reverse(child));
        over.rank < place.rank
            || (place.children.is_empty() && stronger && !self.is_counted_on(child, stripe))
    }
}

/// The candidate with the least key among those that fit. Fitting costs more to find out than the key, so only who could win is
/// looked at.
pub(super) fn least<T, K: Ord>(
    candidates: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
    fits: impl Fn(&T) -> bool,
) -> Option<T> {
    let mut best: Option<(K, T)> = None;
    for candidate in candidates {
        let own = key(&candidate);
        if best.as_ref().is_none_or(|(least, _)| own < *least) && fits(&candidate) {
            best = Some((own, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The same with a key in two parts: the second costs more to find out than the first, and counts only among those whose first is the
/// same. With thousands of candidates that is few of them.
fn least_in_turn<T, A: Ord, B: Ord>(
    candidates: impl Iterator<Item = T>,
    first: impl Fn(&T) -> A,
    then: impl Fn(&T) -> B,
    fits: impl Fn(&T) -> bool,
) -> Option<T> {
    let mut best: Option<(A, B, T)> = None;
    for candidate in candidates {
        let own = first(&candidate);
        let wins = match &best {
            None => true,
            Some((least, rest, _)) => own < *least || (own == *least && then(&candidate) < *rest),
        };
        if wins && fits(&candidate) {
            best = Some((own, then(&candidate), candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate)
}
