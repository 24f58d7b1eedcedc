//! Taking up again: places from before a restart, and members that hang only in part.

use crate::id::PeerTag;
use crate::media::TierId;
use crate::overlay::Overlay;
use crate::overlay::forest::Place;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::control::Resume;
use crate::wire::ticket::Class;
use alloc::vec::Vec;
use core::cmp::Reverse;

impl Overlay {
    /// Takes up the places that a member had before, as far as their parents are here, with the ranks of then. Whether
    /// any was taken up.
    pub fn adopt(&mut self, member: MemberIndex, resume: &Resume) -> bool {
        let mut progress = false;
        for place in &resume.places {
            let (Some(stripe), Some(parent)) = (self.stripes.find(place.stripe), self.find(&place.parent))
            else {
                continue;
            };
            if self.may_adopt_place(member, stripe, parent, place.rank) {
                let orphan = Place::orphan(place.rank);
                self.member_mut(member).places[stripe.get()].get_or_insert(orphan);
                self.attach(member, stripe, parent);
                self.member_mut(member)
                    .place_mut(stripe)
                    .expect("just attached")
                    .note_told();
                progress = true;
            }
        }
        if progress && self.is_whole(member, resume.tier) {
            self.member_mut(member).tier = Some(resume.tier);
        }
        progress
    }

    fn may_adopt_place(
        &self,
        member: MemberIndex,
        stripe: StripeIndex,
        parent: MemberIndex,
        rank: crate::wire::ticket::Rank,
    ) -> bool {
        let above = self.member(parent);
        let Some(place) = above.place(stripe) else {
            return false;
        };
        let taken = self
            .member(member)
            .place(stripe)
            .is_some_and(|own| own.parent.is_some());
        !taken
            && parent != member
            && above.is_active()
            && place.rank < rank
            && above.free() >= self.stripes.slot(stripe)
            && !self.path_meets(parent, stripe, member)
    }

    /// Whether a member has a parent on every stripe of a tier.
    pub fn is_whole(&self, member: MemberIndex, tier: TierId) -> bool {
        let mut stripes = self.stripes.of_tier(tier).peekable();
        let seated = |stripe| {
            self.member(member)
                .place(stripe)
                .is_some_and(|place| place.parent.is_some())
        };
        stripes.peek().is_some() && stripes.all(seated)
    }

    /// Whether none of a member's places is an orphan.
    pub fn is_seated(&self, member: MemberIndex) -> bool {
        self.member(member)
            .places
            .iter()
            .flatten()
            .all(|place| place.parent.is_some())
    }

    /// Takes all children from a member that fails them, and keeps its own places: they take their spares by themselves. Returns
    /// those whose spares have no room: orphans, to be seated elsewhere.
    pub fn release_children(&mut self, now: Instant, member: MemberIndex) -> Vec<(MemberIndex, StripeIndex)> {
        for stripe in self.stripes.all().collect::<Vec<_>>() {
            let place = self.member(member).place(stripe);
            for child in place.map(|place| place.children.clone()).unwrap_or_default() {
                self.fail_over(child, stripe);
            }
        }
        self.release_until(now, (member, Bitrate::ZERO), Some(now))
    }

    /// Takes so many children from a member that the rest fit its grant: first those who have no children themselves, then those who
    /// have, then those who have just been moved; from a relay the worst class first.
    pub fn shed_excess(&mut self, now: Instant, member: MemberIndex) -> Vec<(MemberIndex, StripeIndex)> {
        let granted = self.member(member).granted;
        self.release_until(now, (member, granted), Some(now))
    }

    /// Likewise for a member that has taken seats back itself, because it found its uplink to carry less than it was granted: the same
    /// ones, as far as is known, and nobody sits on them any more.
    pub fn note_shed(&mut self, now: Instant, member: MemberIndex) -> Vec<(MemberIndex, StripeIndex)> {
        let granted = self.member(member).granted;
        self.release_until(now, (member, granted), None)
    }

    /// Whose children do not linger has taken their seats back itself.
    fn release_until(
        &mut self,
        now: Instant,
        (member, granted): (MemberIndex, Bitrate),
        lingers: Option<Instant>,
    ) -> Vec<(MemberIndex, StripeIndex)> {
        let mut children: Vec<(MemberIndex, StripeIndex)> = Vec::new();
        for (stripe, place) in self.member(member).places_with_index() {
            children.extend(place.children.iter().map(|child| (*child, stripe)));
        }
        let by_class = self.is_relay(member) || lingers.is_none();
        children.sort_by_key(|(child, stripe)| {
            let below = self
                .member(*child)
                .place(*stripe)
                .map_or(0, |place| place.children.len());
            let restless = self.is_restless(now, *child);
            let turn = by_class.then(|| self.sheds(*child, *stripe, member));
            (turn, restless, below, *child, *stripe)
        });
        let mut released = Vec::new();
        for (child, stripe) in children {
            if self.member(member).used <= granted {
                break;
            }
            self.detach(child, stripe, lingers);
            self.rest(now, child);
            released.push((child, stripe));
        }
        released
    }

    /// When it is a child's turn to go if a forwarder has too many, as it has it itself: the sponsor of a relay last, the worst class
    /// first, and of that the highest tier, one child after the other.
    fn sheds(&self, child: MemberIndex, stripe: StripeIndex, parent: MemberIndex) -> Sheds {
        let promised = self.is_promised(child, parent);
        let (tag, stripe) = (self.member(child).id.tag(), self.stripes.id(stripe));
        let turn = (self.class(child), stripe.tier, tag, stripe.index);
        (promised, Reverse(turn))
    }
}

/// See [`Overlay::sheds`].
type Sheds = (bool, Reverse<(Class, TierId, PeerTag, u8)>);
