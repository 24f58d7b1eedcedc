//! Planned moves that make the trees shorter: strong members nearer to the source.
//!
//! A newcomer hangs wherever there is room. Once it has settled, it takes a seat near the source from somebody weaker in its
//! home stripe, and adopts who sat there. Both receive the stripe all the while: the newcomer from its former parent
//! until the new one sends, the sitter from the newcomer, who has it already.

use crate::overlay::Overlay;
use crate::overlay::member::MemberIndex;
use crate::overlay::placement::Takeover;
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// A newcomer has caught up with the live edge by then, and has proven that it stays.
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Who was moved is left where it is for so long.
const REST: Duration = Duration::from_secs(20);

/// Moves that a member may have saved up.
const MOVES_MAX: u8 = 8;

impl Overlay {
    /// Somebody joins: everybody may be moved once more.
    pub(crate) fn allow_moves(&mut self) {
        for index in self.others().collect::<Vec<_>>() {
            let member = self.member_mut(index);
            member.moves_left = (member.moves_left + 1).min(MOVES_MAX);
        }
    }

    fn may_move(&self, now: Instant, index: MemberIndex) -> bool {
        let member = self.member(index);
        member.moves_left > 0 && !self.is_restless(now, index)
    }

    /// Whether a member has just been moved.
    pub(super) fn is_restless(&self, now: Instant, index: MemberIndex) -> bool {
        self.member(index).moved.is_some_and(|at| now.since(at) < REST)
    }

    pub(super) fn note_move(&mut self, now: Instant, index: MemberIndex) {
        let member = self.member_mut(index);
        member.moves_left = member.moves_left.saturating_sub(1);
        self.rest(now, index);
    }

    /// Who has to find its way to a new parent is not moved for the trees' sake as well.
    pub(super) fn rest(&mut self, now: Instant, index: MemberIndex) {
        self.member_mut(index).moved = Some(now);
    }

    /// Moves one member in thirty nearer to the source, as long as the trees are deeper than need be, but nobody oftener than others
    /// join. Call every few seconds, while nobody waits for a seat and nobody has just failed: a wave of moves would make everybody's
    /// neighbours new at once.
    pub fn improve(&mut self, now: Instant) {
        let mut moves = self.other_count().div_ceil(30);
        if self.widen_root(now) {
            moves -= 1;
        }
        if !self.is_deep() {
            return;
        }
        for member in self.strongest_first(now) {
            let homes: Vec<StripeIndex> = self.member(member).homes.iter().copied().collect();
            if moves == 0 {
                return;
            }
            moves -= usize::from(homes.into_iter().any(|stripe| self.move_up(now, member, stripe)));
        }
    }

    /// Where a stripe has one child of the source only, everybody else hangs below it, and there is no path that avoids it: a
    /// second one is moved up. If the source has no room, a stripe with three children or more gives a seat up. Whether
    /// anything was moved.
    fn widen_root(&mut self, now: Instant) -> bool {
        let Some(top) = self.stripes.top() else {
            return false;
        };
        let rooted = |stripe: &StripeIndex| self.roots(*stripe).len();
        let stripes: Vec<StripeIndex> = self.stripes.of_tier(top).collect();
        let Some(narrow) = stripes.iter().copied().find(|stripe| rooted(stripe) == 1) else {
            return false;
        };
        let Some(riser) = self.riser(now, narrow) else {
            return false;
        };
        if self.free_for(MemberIndex::SOURCE, narrow) < self.stripes.slot(narrow) {
            let widest = stripes
                .into_iter()
                .max_by_key(rooted)
                .filter(|stripe| rooted(stripe) > 2);
            if !widest.is_some_and(|stripe| self.give_root_up(now, stripe)) {
                return false;
            }
        }
        self.detach(riser, narrow, Some(now));
        self.attach(riser, narrow, MemberIndex::SOURCE);
        self.note_move(now, riser);
        true
    }

    fn roots(&self, stripe: StripeIndex) -> &[MemberIndex] {
        let place = self.member(MemberIndex::SOURCE).place(stripe);
        place.map_or(&[], |place| place.children.as_slice())
    }

    /// The strongest member that may become a second child of the source.
    fn riser(&self, now: Instant, stripe: StripeIndex) -> Option<MemberIndex> {
        let below = |member: &MemberIndex| {
            let place = self.member(*member).place(stripe);
            let promised = |parent| self.is_promised(*member, parent);
            place.is_some_and(|place| {
                place.depth > 1 && place.is_rooted() && !place.parent.is_some_and(promised)
            })
        };
        self.strongest_first(now).into_iter().find(below)
    }

    /// A childless child of the source on this stripe goes to a free seat elsewhere.
    fn give_root_up(&mut self, now: Instant, stripe: StripeIndex) -> bool {
        let elsewhere = |member: &MemberIndex| {
            let childless = self
                .member(*member)
                .place(stripe)
                .is_some_and(|place| place.children.is_empty());
            let seat = self
                .free_seat(*member, stripe)
                .filter(|parent| *parent != MemberIndex::SOURCE);
            let may_go = childless && self.may_move(now, *member);
            may_go.then_some(seat?).map(|parent| (*member, parent))
        };
        let Some((member, parent)) = self.roots(stripe).iter().find_map(elsewhere) else {
            return false;
        };
        self.detach(member, stripe, Some(now));
        self.attach(member, stripe, parent);
        self.note_move(now, member);
        true
    }

    fn strongest_first(&self, now: Instant) -> Vec<MemberIndex> {
        let settled = |index: &MemberIndex| {
            let member = self.member(*index);
            now.since(member.joined) >= SETTLED_AFTER && member.is_active() && self.may_move(now, *index)
        };
        let mut strongest: Vec<MemberIndex> = self.others().filter(settled).collect();
        strongest.sort_by_key(|index| (core::cmp::Reverse(self.member(*index).granted), *index));
        strongest
    }

    fn move_up(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) -> bool {
        let Some(place) = self.member(member).place(stripe) else {
            return false;
        };
        if place.parent.is_none_or(|parent| self.is_promised(member, parent))
            || !place.is_rooted()
            || self.member(member).free() < self.stripes.slot(stripe)
        {
            return false;
        }
        let depth = place.depth;
        if let Some(parent) = self.free_seat_above(member, stripe, depth) {
            self.detach(member, stripe, Some(now));
            self.attach(member, stripe, parent);
            self.note_move(now, member);
            return true;
        }
        let seat = self.weaker_seat(member, stripe, depth);
        let Some(seat) = seat.filter(|seat| self.may_move(now, seat.sitter)) else {
            return false;
        };
        self.swap_up(now, member, stripe, seat)
    }

    /// A free seat at least one level nearer to the source.
    fn free_seat_above(&self, member: MemberIndex, stripe: StripeIndex, depth: u16) -> Option<MemberIndex> {
        let parent = self.free_seat(member, stripe)?;
        let above = self.member(parent).place(stripe)?;
        (above.depth + 1 < depth && !self.path_meets(parent, stripe, member)).then_some(parent)
    }

    pub(super) fn swap_up(
        &mut self,
        now: Instant,
        member: MemberIndex,
        stripe: StripeIndex,
        seat: Takeover,
    ) -> bool {
        let former = self
            .member(member)
            .place(stripe)
            .and_then(|place| place.parent)
            .expect("checked by the caller");
        self.detach(member, stripe, Some(now));
        if !self.take_over(now, member, stripe, seat) {
            self.attach(member, stripe, former);
            return false;
        }
        self.note_move(now, member);
        true
    }
}
