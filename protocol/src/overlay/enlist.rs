//! Members that are seated on a stripe to carry it for others, though they show another tier.

use crate::overlay::Overlay;
use crate::overlay::member::MemberIndex;
use crate::overlay::placement::Takeover;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;

/// Where a carrier would sit.
enum CarrierSeat {
    Free(MemberIndex),
    Taken(Takeover),
}

impl Overlay {
    /// Nobody who receives `stripe` has room: somebody with room for two more is seated on it to carry it, though it
    /// shows another tier. Whether `member` found a seat that way.
    pub(super) fn enlist(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) -> bool {
        let tier = self.stripes.id(stripe).tier;
        // A carrier's rank is that of a newcomer: somebody with children of its own may stand above it.
        let childless = self
            .member(member)
            .place(stripe)
            .is_none_or(|place| place.children.is_empty());
        if Some(tier) == self.stripes.top() || !childless {
            return false;
        }
        let slot = self.stripes.slot(stripe);
        let fits = |index: &MemberIndex| {
            let carrier = self.member(*index);
            let receives = carrier.place(stripe).is_some();
            *index != member && !receives && carrier.is_active() && carrier.free() >= slot * 2
        };
        let reaches = |index: &MemberIndex| self.link_between(member, *index).is_some();
        let candidates = self.others().filter(|index| fits(index) && reaches(index));
        let Some(carrier) = candidates.max_by_key(|index| self.member(*index).free()) else {
            return false;
        };
        let Some(seat) = self.carrier_seat(carrier, stripe) else {
            return false;
        };
        match seat {
            CarrierSeat::Free(parent) => self.attach(carrier, stripe, parent),
            CarrierSeat::Taken(seat) => {
                if !self.take_over(now, carrier, stripe, seat) {
                    return false;
                }
            }
        }
        // A member with children of its own has no rank below a carrier that sits too deep.
        if !self.may_hang(member, stripe, carrier) {
            self.drop_if_empty(carrier, stripe);
            return false;
        }
        self.attach(member, stripe, carrier);
        true
    }

    fn carrier_seat(&self, carrier: MemberIndex, stripe: StripeIndex) -> Option<CarrierSeat> {
        let free = self.free_seat(carrier, stripe).map(CarrierSeat::Free);
        free.or_else(|| self.leaf_seat(carrier, stripe).map(CarrierSeat::Taken))
    }
}
