//! Planned moves when uplinks are full: two parents exchange a child each.
//!
//! Where every slot is used nobody can move to a free seat, and yet the trees can be better: a strong member near the source
//! in one stripe carries leaves of another, in which it sits deep; a member carries a stripe that it does not show, and
//! spends a slot on that. If `X` goes from `Q` to `M` and `Y`, on whatever stripe, from `M` to `Q`, both uplinks stay as full
//! as they were. Either newcomer replaces the other ([`Grant::replaces`](crate::wire::ticket::Grant)). Where `M` has room,
//! `X` goes alone.
//!
//! What an exchange is worth is the sum of two edges' worth, so that the best of a pair of parents is the best child of each.

use crate::overlay::Overlay;
use crate::overlay::forest::Place;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// A newcomer has caught up with the live edge by then, and has proven that it stays.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Who was moved is left where it is for so long.
const REST: Duration = Duration::from_secs(10);

/// What a move must bring at least, in levels summed over all receivers below: each costs a ticket or two.
const WORTH_LEAST: i64 = 4;

/// What a slot is worth in the same measure: more than any move brings levels, for serving comes before depth.
const SLOT_WORTH: i64 = 100_000;

/// Parents that are looked at in one go, so that it takes milliseconds with thousands of viewers too.
const PARENTS_MAX: usize = 256;

/// A child that goes from one parent to another on a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    stripe: StripeIndex,
    child: MemberIndex,
    from: MemberIndex,
    to: MemberIndex,
}

/// One step, or two that make room for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exchange {
    worth: i64,
    there: Step,
    back: Option<Step>,
}

/// How many receive each stripe below each member, itself counted.
struct Sizes(Vec<Vec<u32>>);

impl Sizes {
    fn of(overlay: &Overlay) -> Self {
        let mut sizes = alloc::vec![Vec::new(); overlay.stripes.len()];
        for stripe in overlay.stripes.all() {
            let mut below = alloc::vec![0; overlay.members.len()];
            let mut order = alloc::vec![MemberIndex::SOURCE];
            let mut next = 0;
            while let Some(member) = order.get(next).copied() {
                next += 1;
                order.extend(overlay.children(member, stripe));
            }
            for member in order.into_iter().rev() {
                let children = overlay.children(member, stripe).iter();
                below[member.get()] = 1 + children.map(|child| below[child.get()]).sum::<u32>();
            }
            sizes[stripe.get()] = below;
        }
        Self(sizes)
    }

    fn below(&self, member: MemberIndex, stripe: StripeIndex) -> i64 {
        self.0[stripe.get()][member.get()].into()
    }
}

impl Overlay {
    /// Makes the best exchanges, at most `moves` children being moved; how many were. `now` says who has settled and rested.
    pub fn exchange(&mut self, now: Instant, moves: usize) -> usize {
        let mut found = self.exchanges(now);
        found.sort_by_key(|exchange| core::cmp::Reverse(exchange.worth));
        let mut touched = BTreeSet::new();
        let mut moved = 0;
        for exchange in found {
            let steps = [Some(exchange.there), exchange.back].into_iter().flatten();
            let parties: Vec<MemberIndex> = steps
                .clone()
                .flat_map(|step| [step.child, step.from, step.to])
                .collect();
            let again = parties.iter().any(|party| touched.contains(party));
            if again
                || moved + steps.clone().count() > moves
                || !steps.clone().all(|step| self.may_step(step))
            {
                continue;
            }
            moved += steps.clone().count();
            touched.extend(parties.into_iter().filter(|party| *party != MemberIndex::SOURCE));
            self.make(now, steps.collect());
        }
        moved
    }

    fn make(&mut self, now: Instant, steps: Vec<Step>) {
        for step in &steps {
            self.detach(step.child, step.stripe, Some(now));
        }
        for step in &steps {
            self.attach(step.child, step.stripe, step.to);
            self.member_mut(step.child).moved = Some(now);
        }
        for step in steps {
            self.put_down(now, step.from, step.stripe);
        }
    }

    /// Who has carried a stripe for others only, and has nobody to carry it for any more, lets go of it.
    fn put_down(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) {
        let idle = self.children(member, stripe).is_empty();
        if idle && self.carries(member, stripe) {
            self.vacate(member, stripe, Some(now));
        }
    }

    /// The best exchange of each pair of parents, if it is worth its moves.
    fn exchanges(&self, now: Instant) -> Vec<Exchange> {
        let sizes = Sizes::of(self);
        let parents: Vec<MemberIndex> = self.able_parents(now);
        let mut found = Vec::new();
        for from in &parents {
            let best = parents
                .iter()
                .filter(|to| *to != from)
                .filter_map(|to| self.best_between(now, &sizes, *from, *to))
                .max_by_key(|exchange| exchange.worth);
            found.extend(best);
        }
        found
    }

    /// Parents in good order, the source first: all if they are few, else others each second.
    fn able_parents(&self, now: Instant) -> Vec<MemberIndex> {
        let able = |index: &MemberIndex| {
            let member = self.member(*index);
            let settled = *index == MemberIndex::SOURCE || now.since(member.joined) >= SETTLED_AFTER;
            settled && member.is_active() && member.granted >= self.stripes.top_slot()
        };
        let mut all: Vec<MemberIndex> = self.present().filter(able).collect();
        let turn = now.as_micros() as usize / 1_000_000 * PARENTS_MAX / 2;
        let start = turn % all.len().max(1);
        if all.len() > PARENTS_MAX {
            all.rotate_left(start);
            all.truncate(PARENTS_MAX);
        }
        all
    }

    fn best_between(
        &self,
        now: Instant,
        sizes: &Sizes,
        from: MemberIndex,
        to: MemberIndex,
    ) -> Option<Exchange> {
        let (worth, there) = self.best_step(now, sizes, from, to)?;
        let slot = self.stripes.slot(there.stripe);
        let roomy = self.member(to).free() >= slot && self.free_for(to, there.stripe) >= slot;
        let back = self
            .best_step(now, sizes, to, from)
            .filter(|(back, step)| step.child != there.child && (!roomy || *back > 0));
        if back.is_none() && !roomy {
            return None;
        }
        let exchange = Exchange {
            worth: worth + back.map_or(0, |(back, _)| back),
            there,
            back: back.map(|(_, step)| step),
        };
        (exchange.worth >= WORTH_LEAST).then_some(exchange)
    }

    /// The child of `from` whose going to `to` is worth most.
    fn best_step(
        &self,
        now: Instant,
        sizes: &Sizes,
        from: MemberIndex,
        to: MemberIndex,
    ) -> Option<(i64, Step)> {
        let mut best: Option<(i64, Step)> = None;
        for (stripe, place) in self.member(from).places_with_index() {
            let Some(target) = self.member(to).place(stripe) else {
                continue;
            };
            let relief = self.relief(from, stripe, place) - self.burden(to, stripe, target);
            let levels = i64::from(place.depth) - i64::from(target.depth);
            for child in &place.children {
                let worth = relief + levels * sizes.below(*child, stripe);
                let step = Step {
                    stripe,
                    child: *child,
                    from,
                    to,
                };
                let better = best.is_none_or(|(most, _)| worth > most);
                if better && self.is_rested(now, *child) && self.may_step(step) {
                    best = Some((worth, step));
                }
            }
        }
        best
    }

    fn is_rested(&self, now: Instant, member: MemberIndex) -> bool {
        let info = self.member(member);
        let rested = info.moved.is_none_or(|at| now.since(at) >= REST);
        rested && info.is_active() && now.since(info.joined) >= SETTLED_AFTER
    }

    fn may_step(&self, step: Step) -> bool {
        let Step {
            stripe,
            child,
            from,
            to,
        } = step;
        self.children(from, stripe).contains(&child)
            && self.may_hang(child, stripe, to)
            && !self.path_meets(to, stripe, child)
    }

    /// What it is worth that a member has a child less on a stripe: something if it carries the stripe for others only, and the
    /// more the fewer they are, for the last one frees a slot.
    fn relief(&self, member: MemberIndex, stripe: StripeIndex, place: &Place) -> i64 {
        match place.children.len() as i64 {
            children if children > 0 && self.carries(member, stripe) => load(children) - load(children - 1),
            _ => 0,
        }
    }

    /// What it costs that it has one more.
    fn burden(&self, member: MemberIndex, stripe: StripeIndex, place: &Place) -> i64 {
        let children = place.children.len() as i64;
        if self.carries(member, stripe) {
            load(children + 1) - load(children)
        } else {
            0
        }
    }

    /// Whether a member receives a stripe that it does not show.
    pub(crate) fn carries(&self, member: MemberIndex, stripe: StripeIndex) -> bool {
        let info = self.member(member);
        let shows = info.tier == Some(self.stripes.id(stripe).tier);
        member != MemberIndex::SOURCE && info.place(stripe).is_some() && !shows
    }

    fn children(&self, member: MemberIndex, stripe: StripeIndex) -> &[MemberIndex] {
        let place = self.member(member).place(stripe);
        place.map_or(&[], |place| place.children.as_slice())
    }
}

/// What carrying a stripe for so many is reckoned as: less for each further one, so that few carry for many.
fn load(children: i64) -> i64 {
    SLOT_WORTH * 2 * children / (children + 1)
}
