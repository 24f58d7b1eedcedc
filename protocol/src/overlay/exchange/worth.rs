//! What an exchange is worth: levels, summed over all receivers below, and slots.

use super::{Aim, Step};
use crate::overlay::Overlay;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use alloc::vec::Vec;

/// What a move must bring at least, in levels summed over all receivers below: each costs a ticket or two.
const WORTH_LEAST: i64 = 4;

/// Trees no deeper than so many hundredths of the least are left alone.
const DEEP_PERCENT: u64 = 120;

/// What a slot is worth in the same measure: more than any move brings levels, for serving comes before depth.
const SLOT_WORTH: i64 = 100_000;

/// How many receive each stripe below each member, itself counted.
pub(super) struct Sizes(Vec<Vec<u32>>);

impl Sizes {
    pub(super) fn of(overlay: &Overlay) -> Self {
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

    pub(super) fn below(&self, member: MemberIndex, stripe: StripeIndex) -> i64 {
        self.0[stripe.get()][member.get()].into()
    }
}

/// What it is worth that a child goes from one parent to another on a stripe, whichever child it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edges {
    /// The levels by which each receiver below the child comes nearer to the source.
    pub(super) levels: i64,
    /// The slots that come free because fewer carry what they do not show, less those that are spent.
    pub(super) relief: i64,
}

impl Overlay {
    /// What an exchange for this must be worth; `None` if nothing is to be made better.
    pub(super) fn worth_least(&self, aim: Aim) -> Option<i64> {
        let carried = || self.others().any(|member| self.carries_any(member));
        match aim {
            Aim::Slots => carried().then_some(SLOT_WORTH / 100),
            Aim::Levels => self.is_deep().then_some(WORTH_LEAST),
        }
    }

    /// Whether the trees are deeper than need be.
    pub(in crate::overlay) fn is_deep(&self) -> bool {
        let (depth, least) = self.depths();
        depth * 100 > least * DEEP_PERCENT
    }

    /// The depths of all places summed up, and the least that the sum could be: below the source as many places as it has slots, the
    /// strongest there, below them as many as they have slots, and so on.
    fn depths(&self) -> (u64, u64) {
        let slot = self.stripes.top_slot();
        let places = self
            .others()
            .flat_map(|member| self.member(member).places.iter().flatten());
        let rooted = places.filter(|place| place.is_rooted());
        let (mut depths, mut places) = (0, 0);
        for place in rooted {
            depths += u64::from(place.depth);
            places += 1;
        }
        let mut slots: Vec<u64> = self
            .others()
            .map(|member| self.member(member).granted.slots(slot))
            .collect();
        slots.sort_unstable_by_key(|slots| core::cmp::Reverse(*slots));
        let mut strongest = slots.into_iter();
        let (mut level, mut depth, mut least) = (self.member(MemberIndex::SOURCE).granted.slots(slot), 1, 0);
        while level > 0 && places > 0 {
            let seated = level.min(places);
            places -= seated;
            least += seated * depth;
            level = strongest.by_ref().take(seated as usize).sum();
            depth += 1;
        }
        (depths, least + places * depth)
    }

    /// What steps are worth together: the levels that receivers come nearer to the source, and the slots that come free because
    /// fewer carry what they do not show.
    pub(super) fn worth(&self, sizes: &Sizes, steps: &[Step]) -> i64 {
        let back_in_the_same_tree = matches!(steps, [there, back] if there.stripe == back.stripe);
        let worth = |step: &Step| {
            let edges = self.edges_worth(step.stripe, step.from, step.to);
            let relieved = if back_in_the_same_tree { 0 } else { edges.relief };
            relieved + edges.levels * sizes.below(step.child, step.stripe)
        };
        steps.iter().map(worth).sum()
    }

    /// What it is worth that any child goes from one parent to another.
    pub(super) fn edges_worth(&self, stripe: StripeIndex, from: MemberIndex, to: MemberIndex) -> Edges {
        let depth = |member| {
            let place = self.member(member).place(stripe);
            place.map_or(0, |place| i64::from(place.depth))
        };
        Edges {
            levels: depth(from) - depth(to),
            relief: self.relief(from, stripe) - self.burden(to, stripe),
        }
    }

    /// What it is worth that a member has a child less on a stripe: something if it carries the stripe for others only, and the
    /// more the fewer they are, for the last one frees a slot.
    fn relief(&self, member: MemberIndex, stripe: StripeIndex) -> i64 {
        if !self.carries(member, stripe) {
            return 0;
        }
        let children = self.children(member, stripe).len() as i64;
        load(children) - load(children - 1)
    }

    /// What it costs that it has one more.
    fn burden(&self, member: MemberIndex, stripe: StripeIndex) -> i64 {
        if !self.carries(member, stripe) {
            return 0;
        }
        let children = self.children(member, stripe).len() as i64;
        load(children + 1) - load(children)
    }
}

/// What carrying a stripe for so many is reckoned as: less for each further one, so that few carry for many.
fn load(children: i64) -> i64 {
    SLOT_WORTH * 2 * children / (children + 1)
}
