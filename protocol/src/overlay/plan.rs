//! What happens to the trees when members come, go, fail or change their quality. Each operation leaves the trees whole:
//! what found no seat is an orphan, to be served by [`Overlay::serve`].

use crate::media::TierId;
use crate::overlay::Overlay;
use crate::overlay::member::{Member, MemberIndex, State};
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::vec::Vec;

impl Overlay {
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
        self.displaced.clear();
        let lingerers = self.lingerers();
        let mut taken = Vec::new();
        for stripe in self.homes_first(member, &stripes) {
            if self.has_parent(member, stripe) {
                continue;
            }
            if !self.seat(now, member, stripe) {
                self.undo_seats(member, &taken);
                self.restore_lingerers(lingerers);
                return false;
            }
            taken.push(stripe);
        }
        let former = self.member(member).tier;
        if former != Some(tier) {
            self.member_mut(member).tier = Some(tier);
            self.touch(member);
            if former.is_some() {
                self.member_mut(member).outgrows = Some(now);
            } else {
                self.give_up_other_tiers(now, member, tier);
            }
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
        for stripe in taken.iter().rev() {
            let mut others = core::mem::take(&mut self.displaced);
            let theirs = others.extract_if(.., |one| one.newcomer == member && one.stripe == *stripe);
            let displaced = theirs.last();
            self.displaced = others;
            match displaced {
                Some(displaced) => self.undo_takeover(displaced),
                None => self.detach(member, *stripe, None),
            }
            self.drop_if_empty(member, *stripe);
        }
    }

    pub(super) fn drop_if_empty(&mut self, member: MemberIndex, stripe: StripeIndex) {
        if self
            .member(member)
            .place(stripe)
            .is_some_and(|place| place.children.is_empty())
        {
            self.vacate(member, stripe, None);
        }
    }

    /// Has everybody let go of what it neither shows nor carries for others any more: a slot each, which somebody else may wait for.
    fn put_down_idle(&mut self, now: Instant) {
        /// A free rider has five handshakes to make before it shows the full stream, on an uplink that takes a second for them, and begins at
        /// a keyframe: without the lower tier it would see nothing meanwhile.
        const OUTGROWN_AFTER: Duration = Duration::from_secs(5);
        for index in self.viewers().collect::<Vec<_>>() {
            let member = self.member(index);
            let needs = member
                .outgrows
                .is_some_and(|since| now.since(since) < OUTGROWN_AFTER);
            if let Some(tier) = member.tier.filter(|_| !needs) {
                self.give_up_other_tiers(now, index, tier);
            }
        }
    }

    /// Lets go of the stripes of other tiers that nobody needs from this member; of those of a lower one, only when those have left who were
    /// told to, for they may show it until they have something better. In a crowd each slot is waited for, and nobody has that time.
    fn give_up_other_tiers(&mut self, now: Instant, member: MemberIndex, tier: TierId) {
        self.member_mut(member).outgrows = None;
        let others = |stripe: &StripeIndex| self.stripes.id(*stripe).tier != tier;
        for stripe in self.stripes.all().filter(others).collect::<Vec<_>>() {
            let place = self.member(member).place(stripe);
            let is_childless = place.is_some_and(|place| place.children.is_empty());
            let is_lower = self.stripes.id(stripe).tier < tier;
            let waits = is_lower && self.is_sat_on(member, stripe) && !self.is_filling(now);
            if is_childless && !waits {
                self.vacate(member, stripe, Some(now));
            }
        }
    }

    /// Whether a quarter of all viewers came a moment ago.
    fn is_filling(&self, now: Instant) -> bool {
        const A_MOMENT: Duration = Duration::from_secs(10);
        let recent = |index: &MemberIndex| now.since(self.member(*index).joined) < A_MOMENT;
        4 * self.viewers().filter(recent).count() > self.viewer_count()
    }

    /// Whether somebody who was told to leave it may still be fed by this member.
    fn is_sat_on(&self, member: MemberIndex, stripe: StripeIndex) -> bool {
        let name = self.stripes.id(stripe);
        let mut lingering = self.member(member).lingering.iter();
        lingering.any(|seat| seat.stripe == name)
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
    /// leaf that finds another, or one that it hears of beyond what is planned for a minute. Whether there was one.
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
        if way_out.is_some_and(|seat| self.take_over(now, member, stripe, seat))
            || self.enlist(now, member, stripe)
        {
            return true;
        }
        let last = self.last_seat(member, stripe);
        last.is_some_and(|parent| {
            self.attach(member, stripe, parent);
            true
        })
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
                self.rest(now, child);
                orphans.push((child, stripe));
            }
            match lingers {
                Some(_) => self.vacate(member, stripe, lingers),
                None => self.bury(now, member, stripe),
            }
        }
        self.member_mut(member).tier = None;
        self.release_spares_of(member);
        orphans
    }

    /// A member is gone: its places have been given up.
    pub fn forget(&mut self, member: MemberIndex) {
        self.remove(member);
    }

    /// Forgets what has run out: seats sat on for too long, seats of no use any more, and pairs kept apart. Call once a second.
    pub fn expire(&mut self, now: Instant) {
        self.bad_pairs.expire(now);
        self.acquaintances.expire(now);
        self.put_down_idle(now);
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
        self.member_mut(child)
            .place_mut(stripe)
            .expect("just attached")
            .note_told();
        if !news {
            // Its ticket names that parent already, as its spare; another spare can wait.
            self.changed.remove(&child);
            self.touch_lightly(child);
        }
        true
    }

    /// Marks a member by its state, and forgets it as a spare if it cannot be counted on.
    pub fn set_state(&mut self, member: MemberIndex, state: State) {
        if state == State::Absent {
            self.standing.settle(member);
        }
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
