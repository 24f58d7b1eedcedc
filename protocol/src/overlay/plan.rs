//! What happens to the trees when members come, go, fail or change their quality. Each operation leaves the trees whole:
//! what found no seat is an orphan, to be served by [`Overlay::serve`].

use crate::media::TierId;
use crate::overlay::Overlay;
use crate::overlay::forest::{Place, rank_between};
use crate::overlay::member::{Member, MemberIndex, State};
use crate::overlay::placement::Takeover;
use crate::overlay::stripes::{StripeIndex, Stripes};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::ticket::Rank;
use alloc::vec::Vec;

impl Overlay {
    /// Takes in the stripes of a layout. If their number changed, all members lose their places, and `true` is returned:
    /// serve them again.
    pub fn set_stripes(&mut self, stripes: Stripes) -> bool {
        let same = self.stripes.same_shape(&stripes);
        if !same {
            self.clear_places();
        }
        self.stripes = stripes;
        for index in self.present().collect::<Vec<_>>() {
            if same {
                self.recount(index);
            } else {
                self.member_mut(index).places = alloc::vec![None; self.stripes.len()];
            }
        }
        if !same {
            let source = self.member_mut(MemberIndex::SOURCE);
            source
                .places
                .iter_mut()
                .for_each(|place| *place = Some(Place::root()));
        }
        !same
    }

    fn clear_places(&mut self) {
        for index in self.present().collect::<Vec<_>>() {
            let member = self.member_mut(index);
            member.places.clear();
            member.homes.clear();
            member.lingering.clear();
            member.used = Bitrate::ZERO;
            member.tier = None;
        }
        self.spare_load.clear();
        self.spareless.clear();
    }

    /// The slots may cost something else now.
    fn recount(&mut self, index: MemberIndex) {
        let places = self.member(index).places_with_index();
        let used = places
            .map(|(stripe, place)| self.stripes.slot(stripe) * place.children.len() as u64)
            .sum();
        self.member_mut(index).used = used;
    }

    /// Admits a member, without a place yet. Other trees are the best ones now, so everybody may move once for it.
    pub fn admit(&mut self, member: Member) -> MemberIndex {
        self.allow_moves();
        self.insert(member)
    }

    /// Gives a member the best quality that there are seats for, up to `tier`. Whether it got that one.
    pub fn serve(&mut self, now: Instant, member: MemberIndex, tier: TierId) -> bool {
        if self.seat_on(now, member, tier) {
            return true;
        }
        let lower: Vec<TierId> = self.stripes.tiers().rev().filter(|lower| *lower < tier).collect();
        let current = self.member(member).tier;
        for lower in lower {
            if current.is_some_and(|current| current > lower) {
                break;
            }
            if self.seat_on(now, member, lower) {
                break;
            }
        }
        false
    }

    /// Seats a member on all stripes of `tier`, or on none that it did not have. On success that is the tier it shows,
    /// and it gives up what it had of others and carries for nobody.
    fn seat_on(&mut self, now: Instant, member: MemberIndex, tier: TierId) -> bool {
        let stripes: Vec<StripeIndex> = self.stripes.of_tier(tier).collect();
        if stripes.is_empty() {
            return false;
        }
        if !self.may_suffice(member, &stripes) {
            return false;
        }
        self.choose_home(member, &stripes);
        let mut taken = Vec::new();
        for stripe in self.homes_first(member, &stripes) {
            if self.has_parent(member, stripe) {
                continue;
            }
            if !self.seat(now, member, stripe) {
                self.undo_seats(member, &taken);
                return false;
            }
            taken.push(stripe);
        }
        if self.member(member).tier != Some(tier) {
            self.member_mut(member).tier = Some(tier);
            self.touch(member);
            self.give_up_other_tiers(now, member, tier);
        }
        true
    }

    /// Whether there may be as many free slots as the member lacks; if not, nobody need be disturbed to find that out.
    fn may_suffice(&self, member: MemberIndex, stripes: &[StripeIndex]) -> bool {
        let lacking = |stripe: &&StripeIndex| !self.has_parent(member, **stripe);
        let lacks = stripes.iter().filter(lacking).count() as u64;
        let Some(stripe) = stripes.iter().find(lacking) else {
            return true;
        };
        let slot = self.stripes.slot(*stripe);
        let mut found = 0;
        self.present().any(|index| {
            found += self.member(index).free().slots(slot);
            found >= lacks
        })
    }

    pub(crate) fn has_parent(&self, member: MemberIndex, stripe: StripeIndex) -> bool {
        self.member(member)
            .place(stripe)
            .is_some_and(|place| place.parent.is_some())
    }

    fn undo_seats(&mut self, member: MemberIndex, taken: &[StripeIndex]) {
        for stripe in taken {
            self.detach(member, *stripe, None);
            self.drop_if_empty(member, *stripe);
        }
    }

    fn drop_if_empty(&mut self, member: MemberIndex, stripe: StripeIndex) {
        if self
            .member(member)
            .place(stripe)
            .is_some_and(|place| place.children.is_empty())
        {
            self.vacate(member, stripe, None);
        }
    }

    /// Lets go of the stripes of other tiers that nobody needs from this member.
    fn give_up_other_tiers(&mut self, now: Instant, member: MemberIndex, tier: TierId) {
        let others = |stripe: &StripeIndex| self.stripes.id(*stripe).tier != tier;
        for stripe in self.stripes.all().filter(others).collect::<Vec<_>>() {
            if self
                .member(member)
                .place(stripe)
                .is_some_and(|place| place.children.is_empty())
            {
                self.vacate(member, stripe, Some(now));
            }
        }
    }

    /// A member with uplink for several children is meant to be interior in the stripe that is served worst; one with
    /// much, in several.
    fn choose_home(&mut self, member: MemberIndex, stripes: &[StripeIndex]) {
        /// More children of one parent on one stripe shorten the tree little, and make its failure dear.
        const CHILDREN_A_HOME: u64 = 12;
        let Some(first) = stripes.first() else { return };
        let slots = self.member(member).granted.slots(self.stripes.slot(*first));
        let wanted = slots.div_ceil(CHILDREN_A_HOME).min(stripes.len() as u64) as usize;
        let has = self
            .member(member)
            .homes
            .iter()
            .filter(|home| stripes.contains(home))
            .count();
        for _ in has..wanted {
            let open = stripes
                .iter()
                .filter(|stripe| !self.member(member).homes.contains(stripe));
            let Some(worst) = open
                .min_by_key(|stripe| (self.supply(**stripe), **stripe))
                .copied()
            else {
                return;
            };
            self.member_mut(member).homes.insert(worst);
        }
    }

    /// The uplink of those who are meant to be interior in a stripe.
    fn supply(&self, stripe: StripeIndex) -> Bitrate {
        let at_home = |index: &MemberIndex| self.member(*index).homes.contains(&stripe);
        let share = |index: MemberIndex| {
            let member = self.member(index);
            Bitrate(member.granted.0 / member.homes.len() as u64)
        };
        self.others().filter(at_home).map(share).sum()
    }

    fn homes_first(&self, member: MemberIndex, stripes: &[StripeIndex]) -> Vec<StripeIndex> {
        let mut ordered = stripes.to_vec();
        ordered.sort_by_key(|stripe| !self.member(member).homes.contains(stripe));
        ordered
    }

    /// Finds a parent for an orphan, or a newcomer, on one stripe: a sponsor's is its relay, and a relay's near the source; else a free seat, or else that of a failed parent, or that of a
    /// leaf that finds another. Whether there was one.
    pub fn seat(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) -> bool {
        let is_relay = self.is_relay(member);
        if self.seat_at_own_relay(member, stripe) || (is_relay && self.seat_near_source(now, member, stripe))
        {
            return true;
        }
        if let Some(parent) = self.free_seat(member, stripe) {
            self.attach(member, stripe, parent);
            return true;
        }
        if let Some(seat) = self.failed_seat(member, stripe) {
            self.detach(seat.sitter, stripe, Some(now));
            self.attach(member, stripe, seat.parent);
            return true;
        }
        let way_out = self.leaf_seat(member, stripe);
        way_out.is_some_and(|seat| self.take_over(now, member, stripe, seat))
            || self.enlist(now, member, stripe)
    }

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
        self.detach(seat.sitter, stripe, Some(now));
        self.attach(newcomer, stripe, seat.parent);
        if adopts && !sitter_childless {
            self.fit_rank_between(newcomer, stripe, seat.parent, sitter_rank);
        }
        self.attach(seat.sitter, stripe, other);
        true
    }

    /// Where the sitter goes if `newcomer` takes its seat: below it, if it has room, else to a free seat.
    pub(crate) fn seat_for_sitter(
        &self,
        newcomer: MemberIndex,
        stripe: StripeIndex,
        seat: Takeover,
    ) -> Option<MemberIndex> {
        let room = self.member(newcomer).free() >= self.stripes.slot(stripe);
        if room && self.may_adopt(newcomer, stripe, seat) {
            return Some(newcomer);
        }
        self.free_seat(seat.sitter, stripe)
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

    fn may_adopt(&self, newcomer: MemberIndex, stripe: StripeIndex, seat: Takeover) -> bool {
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

    /// Nobody who receives `stripe` has room: somebody with room for two more is seated on it to carry it, though it
    /// shows another tier. Whether `member` found a seat that way.
    fn enlist(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) -> bool {
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

    /// Takes all places from a member that goes (`lingers`: it forwards until its children have moved) or has failed: then its
    /// children take their spares by themselves, and the plan follows them. Returns the places of its other former children:
    /// orphans, to be seated again.
    pub fn evacuate(
        &mut self,
        now: Instant,
        member: MemberIndex,
        lingers: bool,
    ) -> Vec<(MemberIndex, StripeIndex)> {
        let lingers = lingers.then_some(now);
        let mut orphans = Vec::new();
        for stripe in self.stripes.all().collect::<Vec<_>>() {
            let Some(place) = self.member(member).place(stripe) else {
                continue;
            };
            for child in place.children.clone() {
                if lingers.is_none() && self.fail_over(child, stripe) {
                    continue;
                }
                self.detach(child, stripe, lingers);
                orphans.push((child, stripe));
            }
            self.vacate(member, stripe, lingers);
        }
        self.member_mut(member).tier = None;
        self.release_spares_of(member);
        orphans
    }

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

    /// A member is gone: its places have been given up.
    pub fn forget(&mut self, member: MemberIndex) {
        self.remove(member);
    }

    /// Chooses spares for the places that lack one, and replaces those that are none any more.
    pub fn settle_spares(&mut self) {
        for (member, stripe) in core::mem::take(&mut self.spareless) {
            if !self.member(member).is_present() || !self.has_parent(member, stripe) {
                continue;
            }
            let spare = self.best_spare(member, stripe);
            if let Some(spare) = spare {
                self.rise_above_spare(member, stripe, spare);
            }
            self.set_spare(member, stripe, spare);
        }
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

    /// Looks at every spare once more: those that cannot stand in any more are replaced, and if `for_room`, those without
    /// room too where somebody else has it. Call once a second.
    pub fn review_spares(&mut self, for_room: bool) {
        for member in self.others().collect::<Vec<_>>() {
            for stripe in self.stripes.all() {
                self.review_spare(member, stripe, for_room);
            }
        }
        self.settle_spares();
    }

    fn review_spare(&mut self, member: MemberIndex, stripe: StripeIndex, for_room: bool) {
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
        if for_room && self.spare_is_short(parent, spare, stripe, 0) {
            let better = self.best_spare(member, stripe);
            if better.is_some_and(|better| !self.spare_is_short(parent, better, stripe, 1)) {
                self.spareless.insert((member, stripe));
                self.set_spare(member, stripe, None);
            }
        }
    }

    /// Forgets what has run out: seats sat on for too long, and pairs kept apart.
    pub fn expire(&mut self, now: Instant) {
        self.bad_pairs.expire(now);
        self.acquaintances.expire(now);
        for index in self.present().collect::<Vec<_>>() {
            let member = self.member_mut(index);
            member.lingering.retain(|seat| seat.until > now);
            member.full_until = member.full_until.filter(|until| *until > now);
        }
    }

    /// A member says that it has no room: it is given nobody for `time`.
    pub fn note_full(&mut self, now: Instant, index: MemberIndex, time: Duration) {
        self.member_mut(index).full_until = Some(now + time);
    }

    /// `a` and `b` did not get on: they are kept apart for `time`.
    pub fn keep_apart(&mut self, now: Instant, a: MemberIndex, b: MemberIndex, time: Duration) {
        self.bad_pairs.insert(a, b, now + time);
    }

    /// The child says that it receives `stripe` from `to` now. Returns `false` if the plan is another one.
    pub fn moved(&mut self, child: MemberIndex, stripe: StripeIndex, to: MemberIndex) -> bool {
        let Some(place) = self.member(child).place(stripe) else {
            return false;
        };
        if place.parent == Some(to) {
            return true;
        }
        let Some(rank) = self.member(to).place(stripe).map(|above| above.rank) else {
            return false;
        };
        if self.path_meets(to, stripe, child) || rank >= place.rank {
            return false;
        }
        let news = self.changed.contains(&child);
        self.detach(child, stripe, None);
        self.attach(child, stripe, to);
        if !news {
            // Its ticket names that parent already, as its spare; another spare can wait.
            self.changed.remove(&child);
            self.touch_lightly(child);
        }
        true
    }

    /// Marks a member by its state, and forgets it as a spare if it cannot be counted on.
    pub fn set_state(&mut self, member: MemberIndex, state: State) {
        let active = state == State::Active;
        match state {
            State::Suspect { .. } => self.suspects.insert(member),
            _ => self.suspects.remove(&member),
        };
        self.member_mut(member).state = state;
        if !active {
            self.release_spares_of(member);
        }
    }
}

enum CarrierSeat {
    Free(MemberIndex),
    Taken(Takeover),
}
