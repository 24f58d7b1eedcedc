//! Planned moves when uplinks are full: two parents exchange a child each.
//!
//! Where every slot is used nobody can move to a free seat, and yet the trees can be better: a strong member near the source
//! in one stripe carries leaves of another, in which it sits deep; a member carries a stripe that it does not show, and
//! spends a slot on that. If `X` goes from `Q` to `M` and `Y`, on whatever stripe, from `M` to `Q`, both uplinks stay as full
//! as they were. Either newcomer replaces the other ([`Grant::replaces`](crate::wire::ticket::Grant)). Where `M` has room,
//! `X` goes alone.
//!
//! What an exchange is worth is the sum of two edges' worth, so that the best of a pair of parents is the best child of each.
//! Every exchange makes that sum greater, so they come to an end; and levels count only while the trees are deeper than need
//! be, for each move costs tickets. For levels nobody is moved oftener than others join; for a slot everybody may be, for somebody
//! who sees less than the full stream waits for it.

mod worth;

use crate::overlay::Overlay;
use crate::overlay::forest::Place;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;
use worth::Sizes;

/// A newcomer has caught up with the live edge by then, and has proven that it stays.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Who was moved is left where it is for so long.
const REST: Duration = Duration::from_secs(10);

/// Parents that are looked at in one go, so that it takes milliseconds with thousands of viewers too. A quarter are those nearest to the
/// source, whose seats are worth most; a quarter those who have many receivers below a child and are far from it; the others take turns.
const PARENTS_MAX: usize = 256;

/// What exchanges are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    /// Slots that come free where fewer carry what they do not show.
    Slots,
    /// Whatever makes the trees better.
    Levels,
}

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

impl Exchange {
    const fn of(there: Step, back: Option<Step>) -> Self {
        Self {
            worth: 0,
            there,
            back,
        }
    }
}

impl Overlay {
    /// Makes the best exchanges, at most `moves` children being moved; how many were. `now` says who has settled and rested.
    pub fn exchange(&mut self, now: Instant, moves: usize) -> usize {
        let for_slots = self.exchange_for(now, Aim::Slots, moves);
        for_slots + self.exchange_for(now, Aim::Levels, moves - for_slots)
    }

    fn exchange_for(&mut self, now: Instant, aim: Aim, moves: usize) -> usize {
        let Some(worth_least) = self.worth_least(aim) else {
            return 0;
        };
        let mut sizes = Sizes::of(self);
        let mut found = self.exchanges(now, aim, &sizes, worth_least);
        found.sort_by_key(|exchange| Reverse(exchange.worth));
        let mut moved = 0;
        for exchange in found {
            let steps: Vec<Step> = [Some(exchange.there), exchange.back]
                .into_iter()
                .flatten()
                .collect();
            // What was made before may have changed what this one is worth.
            let holds = steps
                .iter()
                .all(|step| self.is_free(now, aim, step.child) && self.may_step(*step))
                && self.has_room(&exchange)
                && self.worth(&sizes, &steps) >= worth_least;
            if holds && moved + steps.len() <= moves {
                moved += steps.len();
                self.make(now, &steps);
                sizes = Sizes::of(self);
            }
        }
        moved
    }

    fn make(&mut self, now: Instant, steps: &[Step]) {
        for step in steps {
            self.detach(step.child, step.stripe, Some(now));
        }
        for step in steps {
            self.attach(step.child, step.stripe, step.to);
            self.note_move(now, step.child);
        }
        for step in steps {
            self.put_down(now, step.from, step.stripe);
        }
    }

    /// Who has carried a stripe for others only, and has nobody to carry it for any more, lets go of it.
    fn put_down(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) {
        let idle = self.children(member, stripe).is_empty();
        if idle && self.carries(member, stripe) && member != MemberIndex::SOURCE {
            self.vacate(member, stripe, Some(now));
        }
    }

    /// The best exchange of each parent, if it is worth its moves.
    fn exchanges(&self, now: Instant, aim: Aim, sizes: &Sizes, worth_least: i64) -> Vec<Exchange> {
        let free = |child: MemberIndex| self.is_free(now, aim, child);
        let parents: Vec<MemberIndex> = self.able_parents(now, sizes);
        // Each pair is looked at from either side.
        let between = |from| {
            move |to| {
                (from != to)
                    .then(|| self.best_step(&free, sizes, from, to))
                    .flatten()
            }
        };
        let steps = |from: &MemberIndex| parents.iter().copied().map(between(*from)).collect();
        let steps: Vec<Vec<Option<Step>>> = parents.iter().map(steps).collect();
        let best = |from: usize| {
            (0..parents.len())
                .filter_map(|to| self.best_between(sizes, steps[from][to]?, steps[to][from]))
                .filter(|exchange| exchange.worth >= worth_least)
                .max_by_key(|exchange| exchange.worth)
        };
        (0..parents.len()).filter_map(best).collect()
    }

    fn carries_any(&self, member: MemberIndex) -> bool {
        let mut places = self.member(member).places_with_index();
        places.any(|(stripe, _)| self.carries(member, stripe))
    }

    /// Parents in good order: all if they are few, else those between whom a step is worth most, and others each time.
    fn able_parents(&self, now: Instant, sizes: &Sizes) -> Vec<MemberIndex> {
        let able = |index: &MemberIndex| {
            let member = self.member(*index);
            let settled = *index == MemberIndex::SOURCE || now.since(member.joined) >= SETTLED_AFTER;
            settled && member.is_active() && member.granted >= self.stripes.top_slot()
        };
        let mut all: Vec<MemberIndex> = self.present().filter(able).collect();
        if all.len() <= PARENTS_MAX {
            return all;
        }
        let mut chosen = all.clone();
        chosen.sort_by_key(|parent| {
            (
                self.nearest(*parent),
                Reverse(self.member(*parent).granted),
                *parent,
            )
        });
        chosen.truncate(PARENTS_MAX / 4);
        let near: BTreeSet<MemberIndex> = chosen.iter().copied().collect();
        all.retain(|parent| !near.contains(parent));
        let mut burdened = all.clone();
        burdened.sort_by_key(|parent| (Reverse(self.levels_below(*parent, sizes)), *parent));
        burdened.truncate(PARENTS_MAX / 4);
        let turn = now.as_micros() as usize / 1_000_000 * PARENTS_MAX / 4;
        let start = turn % all.len();
        all.rotate_left(start);
        all.retain(|parent| !burdened.contains(parent));
        chosen.append(&mut burdened);
        chosen.extend(all.into_iter().take(PARENTS_MAX / 2));
        chosen
    }

    /// How many levels below the source a member is where it is nearest.
    fn nearest(&self, member: MemberIndex) -> u16 {
        let rooted = self
            .member(member)
            .places
            .iter()
            .flatten()
            .filter(|place| place.is_rooted());
        rooted.map(|place| place.depth).min().unwrap_or(u16::MAX)
    }

    /// What it would be worth at most that a child of a parent's went to the source.
    fn levels_below(&self, parent: MemberIndex, sizes: &Sizes) -> i64 {
        let places = self.member(parent).places_with_index();
        let most = |(stripe, place): (StripeIndex, &Place)| {
            let below = place.children.iter().map(|child| sizes.below(*child, stripe));
            below.max().unwrap_or(0) * i64::from(place.depth)
        };
        places.map(most).max().unwrap_or(0)
    }

    /// What two parents exchange, when the best steps one way and the other are these.
    fn best_between(&self, sizes: &Sizes, there: Step, back: Option<Step>) -> Option<Exchange> {
        let roomy = self.has_room(&Exchange::of(there, None));
        let back =
            back.filter(|back| back.child != there.child && (!roomy || self.worth(sizes, &[*back]) > 0));
        let mut exchange = Exchange::of(there, back);
        exchange.worth = match back {
            Some(back) => self.worth(sizes, &[there, back]),
            None => self.worth(sizes, &[there]),
        };
        (roomy || self.has_room(&exchange)).then_some(exchange)
    }

    /// Whether either side has uplink for what it gets, once it is rid of what it gives. Nobody goes to a relay for the trees' sake
    /// alone, unless somebody comes back.
    fn has_room(&self, exchange: &Exchange) -> bool {
        let there = exchange.there;
        if exchange.back.is_none() && self.is_relay(there.to) && !self.is_relay(there.from) {
            return false;
        }
        let fits = |member: MemberIndex, gets: StripeIndex, gives: Option<StripeIndex>| {
            let given = gives.map_or(Bitrate::ZERO, |stripe| self.stripes.slot(stripe));
            let free = self.member(member).free().min(self.free_for(member, gets)) + given;
            free >= self.stripes.slot(gets)
        };
        let back = exchange.back;
        fits(there.to, there.stripe, back.map(|back| back.stripe))
            && back.is_none_or(|back| fits(back.to, back.stripe, Some(there.stripe)))
    }

    /// The child of `from` whose going to `to` is worth most.
    fn best_step(
        &self,
        free: &impl Fn(MemberIndex) -> bool,
        sizes: &Sizes,
        from: MemberIndex,
        to: MemberIndex,
    ) -> Option<Step> {
        let mut best: Option<(i64, Step)> = None;
        for (stripe, place) in self.member(from).places_with_index() {
            if place.children.is_empty() || self.member(to).place(stripe).is_none() {
                continue;
            }
            let edges = self.edges_worth(stripe, from, to);
            for child in place.children.iter().copied() {
                let step = Step {
                    stripe,
                    child,
                    from,
                    to,
                };
                let worth = edges.relief + edges.levels * sizes.below(child, stripe);
                let better = best.is_none_or(|(most, _)| worth > most);
                if better && free(child) && self.may_step(step) {
                    best = Some((worth, step));
                }
            }
        }
        best.map(|(_, step)| step)
    }

    /// Whether a member may be moved to make the trees shorter.
    pub(super) fn is_rested(&self, now: Instant, member: MemberIndex) -> bool {
        self.is_free(now, Aim::Levels, member)
    }

    /// Whether a member may be moved for this.
    fn is_free(&self, now: Instant, aim: Aim, member: MemberIndex) -> bool {
        let info = self.member(member);
        let rested = info.moved.is_none_or(|at| now.since(at) >= REST);
        let has_chance = info.moves_left > 0 || aim == Aim::Slots;
        rested && has_chance && info.is_active() && now.since(info.joined) >= SETTLED_AFTER
    }

    fn may_step(&self, step: Step) -> bool {
        let Step {
            stripe,
            child,
            from,
            to,
        } = step;
        self.children(from, stripe).contains(&child)
            && !self.is_promised(child, from)
            && self.may_hang(child, stripe, to)
            && !self.path_meets(to, stripe, child)
    }

    /// Whether a member spends slots on a stripe that others could spend better: it receives it and does not show it. The source,
    /// whose slots are best for the full stream, carries the lower tiers.
    pub(crate) fn carries(&self, member: MemberIndex, stripe: StripeIndex) -> bool {
        let info = self.member(member);
        let shown = match member {
            MemberIndex::SOURCE => self.stripes.top(),
            _ => info.tier,
        };
        info.place(stripe).is_some() && shown != Some(self.stripes.id(stripe).tier)
    }

    pub(crate) fn children(&self, member: MemberIndex, stripe: StripeIndex) -> &[MemberIndex] {
        let place = self.member(member).place(stripe);
        place.map_or(&[], |place| place.children.as_slice())
    }
}
