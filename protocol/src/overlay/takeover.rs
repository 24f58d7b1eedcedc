//! Seats that change hands: who takes one adopts who sat there, or that one goes elsewhere.

use crate::overlay::Overlay;
use crate::overlay::forest::rank_between;
use crate::overlay::member::MemberIndex;
use crate::overlay::placement::Takeover;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use crate::wire::ticket::Rank;

impl Overlay {
    /// `newcomer` takes a seat and adopts its sitter, or the sitter goes to another free seat. Nothing changes if there
    /// is none for it.
    pub(crate) fn take_over(
        &mut self,
        now: Instant,
        newcomer: MemberIndex,
        stripe: StripeIndex,
        seat: Takeover,
    ) -> bool {
        let Some(other) = self.seat_for_sitter(newcomer, stripe, seat) else {
            return false;
        };
        let adopts = other == newcomer;
        let sitter_place = self
            .member(seat.sitter)
            .place(stripe)
            .expect("a sitter has a place");
        let (sitter_rank, sitter_childless) = (sitter_place.rank, sitter_place.children.is_empty());
        let displaced = self.displaced_by(newcomer, stripe, seat);
        self.displaced.push(displaced);
        self.detach(seat.sitter, stripe, Some(now));
        self.attach(newcomer, stripe, seat.parent);
        if adopts && !sitter_childless {
            self.fit_rank_between(newcomer, stripe, seat.parent, sitter_rank);
        }
        self.attach(seat.sitter, stripe, other);
        self.note_move(now, seat.sitter);
        true
    }

    /// Where the sitter goes if `newcomer` takes its seat: below it, if it has room, else to a free seat.
    pub(crate) fn seat_for_sitter(
        &self,
        newcomer: MemberIndex,
        stripe: StripeIndex,
        seat: Takeover,
    ) -> Option<MemberIndex> {
        self.seat_for_sitter_among(&self.with_room(stripe), newcomer, stripe, seat)
    }

    /// The same when it is known who has [room](Self::with_room).
    pub(super) fn seat_for_sitter_among(
        &self,
        roomy: &[MemberIndex],
        newcomer: MemberIndex,
        stripe: StripeIndex,
        seat: Takeover,
    ) -> Option<MemberIndex> {
        let room = self.member(newcomer).free() >= self.stripes.slot(stripe);
        if room && self.may_adopt(newcomer, stripe, seat) {
            return Some(newcomer);
        }
        self.free_seat_among(roomy, seat.sitter, stripe)
            .or_else(|| self.seat_below(newcomer, stripe, seat.sitter))
    }

    /// Somebody with room below an orphan, for a childless sitter whose seat the orphan takes.
    fn seat_below(
        &self,
        orphan: MemberIndex,
        stripe: StripeIndex,
        sitter: MemberIndex,
    ) -> Option<MemberIndex> {
        if !self.children(sitter, stripe).is_empty() {
            return None;
        }
        let mut below = self.children(orphan, stripe).to_vec();
        let mut next = 0;
        while let Some(parent) = below.get(next).copied() {
            next += 1;
            let member = self.member(parent);
            let roomy = member.is_active() && member.free() >= self.stripes.slot(stripe);
            if roomy && self.link_between(sitter, parent).is_some() {
                return Some(parent);
            }
            below.extend(self.children(parent, stripe));
        }
        None
    }

    /// Whether `newcomer` may be the parent of whoever's seat it takes, room aside.
    pub(super) fn may_adopt(&self, newcomer: MemberIndex, stripe: StripeIndex, seat: Takeover) -> bool {
        if self.link_between(seat.sitter, newcomer).is_none() || !self.may_meet(seat.sitter, newcomer) {
            return false;
        }
        let (Some(sitter), Some(parent)) = (
            self.member(seat.sitter).place(stripe),
            self.member(seat.parent).place(stripe),
        ) else {
            return false;
        };
        let own = self.member(newcomer).place(stripe);
        let newcomer_childless = own.is_none_or(|place| place.children.is_empty());
        let fits =
            own.is_some_and(|own| (parent.rank..sitter.rank).contains(&own.rank) && own.rank > parent.rank);
        let room = newcomer_childless && rank_between(parent.rank, Some(sitter.rank)).is_some();
        sitter.children.is_empty() || fits || room
    }

    /// A newcomer between a parent and an interior sitter has a rank between theirs.
    fn fit_rank_between(
        &mut self,
        newcomer: MemberIndex,
        stripe: StripeIndex,
        parent: MemberIndex,
        below: Rank,
    ) {
        let above = self
            .member(parent)
            .place(stripe)
            .expect("a parent has a place")
            .rank;
        let place = self
            .member_mut(newcomer)
            .place_mut(stripe)
            .expect("just attached");
        if place.rank >= below {
            place.rank = rank_between(above, Some(below)).expect("checked by may_adopt");
        }
    }
}
