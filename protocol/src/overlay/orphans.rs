//! Orphans: who lost a parent on a stripe, and where it goes.

use crate::overlay::Overlay;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A place that lost its parent.
pub(crate) type Orphan = (MemberIndex, StripeIndex);

impl Overlay {
    /// The parent of `child` has failed: plans what the child does about it by itself, so that it need not be told. Whether its
    /// spare has room for it.
    pub(crate) fn fail_over(&mut self, child: MemberIndex, stripe: StripeIndex) -> bool {
        let Some(place) = self.member(child).place(stripe) else {
            return false;
        };
        let (Some(parent), Some(spare)) = (place.parent, place.spare) else {
            return false;
        };
        self.free_for(spare, stripe) >= self.stripes.slot(stripe)
            && self.may_be_spare(child, stripe, parent, spare)
            && self.moved(child, stripe, spare)
    }

    /// Finds seats for orphans, the well connected first: interior peers carry others. Where one with children finds none, for
    /// its rank must stay between its children's and a parent's, its children go elsewhere: childless it may hang below
    /// anybody, and below an orphan they would get nothing anyway. Returns those who found none.
    pub fn reseat(&mut self, now: Instant, mut orphans: Vec<Orphan>) -> Vec<MemberIndex> {
        loop {
            orphans = self.seat_all(now, orphans);
            let parent = orphans.iter().find(|orphan| self.children_of(**orphan) > 0);
            let Some((member, stripe)) = parent.copied() else {
                break;
            };
            orphans.extend(self.disband(now, member, stripe));
        }
        let mut left: Vec<MemberIndex> = orphans.into_iter().map(|(member, _)| member).collect();
        left.sort_unstable();
        left.dedup();
        left
    }

    /// Seats whom it can. Somebody who found his seat may be a parent to others, so it goes on while anybody does. Returns
    /// the rest.
    fn seat_all(&mut self, now: Instant, mut orphans: Vec<Orphan>) -> Vec<Orphan> {
        loop {
            orphans.sort_by_key(|orphan| (Reverse(self.children_of(*orphan)), *orphan));
            let before = orphans.len();
            orphans.retain(|(member, stripe)| {
                self.is_orphan(*member, *stripe) && !self.seat(now, *member, *stripe)
            });
            if orphans.len() == before {
                return orphans;
            }
        }
    }

    fn is_orphan(&self, member: MemberIndex, stripe: StripeIndex) -> bool {
        let info = self.member(member);
        info.is_present() && info.place(stripe).is_some() && !self.has_parent(member, stripe)
    }

    fn children_of(&self, (member, stripe): Orphan) -> usize {
        let place = self.member(member).place(stripe);
        place.map_or(0, |place| place.children.len())
    }

    /// Takes a member's children on one stripe from it. Returns those whose spares have no room for them.
    pub(super) fn disband(&mut self, now: Instant, member: MemberIndex, stripe: StripeIndex) -> Vec<Orphan> {
        let place = self.member(member).place(stripe);
        let children = place.map(|place| place.children.clone()).unwrap_or_default();
        let mut orphans = Vec::new();
        for child in children {
            if !self.fail_over(child, stripe) {
                self.detach(child, stripe, Some(now));
                orphans.push((child, stripe));
            }
            self.touch(child);
        }
        orphans
    }

    /// The places of a member that lack a parent.
    pub(crate) fn orphans_of(&self, member: MemberIndex) -> Vec<Orphan> {
        let stripes = self.stripes.all().map(|stripe| (member, stripe));
        stripes
            .filter(|(member, stripe)| self.is_orphan(*member, *stripe))
            .collect()
    }

    /// Tries to find a parent wherever a member lacks one.
    pub fn reseat_member(&mut self, now: Instant, member: MemberIndex) {
        for stripe in self.stripes.all().collect::<Vec<_>>() {
            let orphan = self
                .member(member)
                .place(stripe)
                .is_some_and(|place| place.parent.is_none());
            if orphan {
                self.seat(now, member, stripe);
            }
        }
    }
}
