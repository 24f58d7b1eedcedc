//! Seats that were taken in vain: who finds no seat on all stripes of a tier gives back those that it took, and whoever had to make
//! way for it sits where it sat.

use crate::overlay::Overlay;
use crate::overlay::member::{Lingering, MemberIndex};
use crate::overlay::placement::Takeover;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use crate::wire::ticket::Rank;
use alloc::vec::Vec;

/// What a takeover has changed.
#[derive(Clone, Debug)]
pub(super) struct Displaced {
    pub(super) newcomer: MemberIndex,
    pub(super) stripe: StripeIndex,
    seat: Takeover,
    rank: Rank,
    spare: Option<MemberIndex>,
    replaces: Option<Lingering>,
    told: bool,
    /// How often it may still be moved, and when it was last.
    moves_left: u8,
    moved: Option<Instant>,
}

/// Who sits on seats that the plan has given up, by whose seats they are.
pub(super) type Lingerers = Vec<(MemberIndex, Vec<Lingering>)>;

impl Overlay {
    /// Who sits on given-up seats now.
    pub(super) fn lingerers(&self) -> Lingerers {
        let has = |index: &MemberIndex| !self.member(*index).lingering.is_empty();
        let those = self.present().filter(has);
        those
            .map(|index| (index, self.member(index).lingering.clone()))
            .collect()
    }

    /// Nobody has taken, or given up, a seat since.
    pub(super) fn restore_lingerers(&mut self, then: Lingerers) {
        for index in self.present().collect::<Vec<_>>() {
            self.member_mut(index).lingering.clear();
        }
        for (index, lingering) in then {
            self.member_mut(index).lingering = lingering;
        }
    }

    /// What is to be remembered of a takeover.
    pub(super) fn displaced_by(
        &self,
        newcomer: MemberIndex,
        stripe: StripeIndex,
        seat: Takeover,
    ) -> Displaced {
        let place = self.member(seat.sitter).place(stripe);
        let place = place.expect("a sitter has a place");
        Displaced {
            newcomer,
            stripe,
            seat,
            rank: place.rank,
            spare: place.spare,
            replaces: place.replaces,
            told: place.told,
            moves_left: self.member(seat.sitter).moves_left,
            moved: self.member(seat.sitter).moved,
        }
    }

    /// Whether somebody has made way for this newcomer on another stripe already.
    pub(super) fn is_displaced(&self, sitter: MemberIndex) -> bool {
        let mut sitters = self.displaced.iter().map(|displaced| displaced.seat.sitter);
        sitters.any(|other| other == sitter)
    }

    /// Everybody sits as before a takeover.
    pub(super) fn undo_takeover(&mut self, displaced: Displaced) {
        let (stripe, sitter) = (displaced.stripe, displaced.seat.sitter);
        self.detach(sitter, stripe, None);
        self.detach(displaced.newcomer, stripe, None);
        self.attach(sitter, stripe, displaced.seat.parent);
        let place = self.member_mut(sitter).place_mut(stripe);
        let place = place.expect("a sitter has a place");
        (place.rank, place.replaces, place.told) = (displaced.rank, displaced.replaces, displaced.told);
        let member = self.member_mut(sitter);
        (member.moves_left, member.moved) = (displaced.moves_left, displaced.moved);
        self.set_spare(sitter, stripe, displaced.spare);
        if displaced.spare.is_some() {
            self.spareless.remove(&(sitter, stripe));
        }
    }
}
