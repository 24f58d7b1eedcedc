//! Spares: chosen for every place, looked at again, and replaced when they cannot stand in.

use crate::overlay::Overlay;
use crate::overlay::forest::rank_between;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use alloc::vec::Vec;

impl Overlay {
    /// Nobody counts on `member` as a spare any more.
    pub(crate) fn release_spares_of(&mut self, member: MemberIndex) {
        if !self.spare_load.keys().any(|(spare, _)| *spare == member) {
            return;
        }
        for child in self.others().collect::<Vec<_>>() {
            for stripe in self.stripes.all() {
                if self
                    .member(child)
                    .place(stripe)
                    .is_some_and(|place| place.spare == Some(member))
                {
                    self.set_spare(child, stripe, None);
                    self.spareless.insert((child, stripe));
                }
            }
        }
    }

    /// Chooses spares for the places that lack one, and replaces those that are none any more.
    pub fn settle_spares(&mut self) {
        for (member, stripe) in core::mem::take(&mut self.spareless) {
            if !self.member(member).is_present() || !self.has_parent(member, stripe) {
                continue;
            }
            match self.best_spare(member, stripe) {
                Some(spare) => self.name_spare(member, stripe, spare),
                None => self.set_spare(member, stripe, None),
            }
        }
    }

    fn name_spare(&mut self, member: MemberIndex, stripe: StripeIndex, spare: MemberIndex) {
        self.rise_above_spare(member, stripe, spare);
        self.set_spare(member, stripe, Some(spare));
    }

    fn rise_above_spare(&mut self, member: MemberIndex, stripe: StripeIndex, spare: MemberIndex) {
        let above = self
            .member(spare)
            .place(stripe)
            .expect("a spare has a place")
            .rank;
        let own = self
            .member(member)
            .place(stripe)
            .expect("checked by the caller")
            .rank;
        if own <= above {
            let rank = rank_between(above, None).expect("a childless place rises freely");
            self.member_mut(member).place_mut(stripe).expect("just seen").rank = rank;
            self.touch_lightly(member);
        }
    }

    /// Looks at every spare once more: those that cannot stand in any more are replaced, and those without room too where their members
    /// may ask somebody else who has it. Call every few seconds: in a crowd what has room is seldom the same a second later.
    pub fn review_spares(&mut self) {
        for member in self.others().collect::<Vec<_>>() {
            for stripe in self.stripes.all() {
                self.review_spare(member, stripe);
            }
        }
        self.settle_spares();
    }

    fn review_spare(&mut self, member: MemberIndex, stripe: StripeIndex) {
        let Some(place) = self.member(member).place(stripe) else {
            return;
        };
        let (Some(parent), spare) = (place.parent, place.spare) else {
            return;
        };
        let rank = place.rank;
        let stands = spare.is_some_and(|spare| {
            let below = self
                .member(spare)
                .place(stripe)
                .is_some_and(|over| over.rank < rank);
            below && self.may_be_spare(member, stripe, parent, spare)
        });
        if !stands {
            self.set_spare(member, stripe, None);
            self.spareless.insert((member, stripe));
            return;
        }
        let spare = spare.expect("it stands");
        if self.spare_is_short(parent, spare, stripe, 0) {
            self.find_roomier(member, stripe, parent);
        }
    }

    /// Replaces a spare without room by somebody who has room and whom the member's ticket names for another stripe. It is done at once, so
    /// that the next one does not count on the same room; and nobody gets a ticket for that: where uplinks are full, room is now here and
    /// now there, and a ticket, or an introduction with its handshake, costs more than such a spare is worth.
    fn find_roomier(&mut self, member: MemberIndex, stripe: StripeIndex, parent: MemberIndex) {
        let named = self.named(member).iter().copied();
        let has_room = |peer: &MemberIndex| {
            self.member(*peer).is_present() && !self.spare_is_short(parent, *peer, stripe, 1)
        };
        if let Some(better) = self.best_spare_among(member, stripe, named.filter(has_room)) {
            self.name_spare(member, stripe, better);
        }
    }
}
