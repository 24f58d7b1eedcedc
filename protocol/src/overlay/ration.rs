//! Who has the full stream when it does not reach everybody: the order in which it is given, and taken.
//!
//! Sponsors come first, then who carries others, then who could, free riders last; within a class the stronger, then who came earlier.
//! Everybody has something before anybody has more.

use crate::overlay::Overlay;
use crate::overlay::forest::Place;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::ticket::Class;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// How well a member is placed to have the full stream: the greater goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim(Reverse<Class>, Bitrate, Reverse<Instant>, Reverse<MemberIndex>);

impl Overlay {
    /// The claim of a member.
    pub fn claim(&self, index: MemberIndex) -> Claim {
        let member = self.member(index);
        Claim(
            Reverse(self.class(index)),
            member.granted,
            Reverse(member.joined),
            Reverse(index),
        )
    }

    /// Who is first to give up the full stream, of the viewers that have it and that `fits` allows; `None` if there is nobody. Who has it of
    /// a relay that it pays for does not: that is what it pays for, and it is the last whom that relay ceases to serve.
    pub fn weakest_full(&self, fits: impl Fn(MemberIndex) -> bool) -> Option<MemberIndex> {
        let top = self.stripes.top()?;
        let full = self.viewers().filter(|index| {
            self.member(*index).tier == Some(top) && !self.feeds_itself(*index) && fits(*index)
        });
        full.min_by_key(|index| self.claim(*index))
    }

    /// Whether a seat that `giver` would leave if it gave up what it shows is at somebody who could send `orphan` something that it lacks:
    /// uplink of those who do not receive that themselves is of no use to it.
    pub fn would_help(&self, giver: MemberIndex, orphan: MemberIndex) -> bool {
        let leaves = |place: &&Place| place.children.is_empty();
        let left: Vec<MemberIndex> = self
            .member(giver)
            .places
            .iter()
            .flatten()
            .filter(leaves)
            .filter_map(|place| place.parent)
            .collect();
        self.lacking(orphan, self.member(orphan).tier)
            .any(|stripe| left.iter().any(|parent| self.may_hang(orphan, stripe, *parent)))
    }

    /// Whether a member lacks something of a tier that the source sends to nobody, and has no room for.
    pub fn is_out_of_reach(&self, member: MemberIndex) -> bool {
        self.lacking(member, self.member(member).tier)
            .any(|stripe| !self.is_within_reach(self.stripes.id(stripe).tier))
    }

    /// Takes the tier that it shows from a member. It keeps the places at which it receives for others; from those that have lost
    /// their own parent its children are taken. Returns them: orphans, to be seated elsewhere.
    pub fn degrade(&mut self, now: Instant, member: MemberIndex) -> Vec<(MemberIndex, StripeIndex)> {
        self.member_mut(member).tier = None;
        let mut orphans = Vec::new();
        for stripe in self.stripes.all().collect::<Vec<_>>() {
            let Some(place) = self.member(member).place(stripe) else {
                continue;
            };
            if place.parent.is_some() && !place.children.is_empty() {
                continue;
            }
            for child in place.children.clone() {
                self.detach(child, stripe, Some(now));
                orphans.push((child, stripe));
            }
            self.vacate(member, stripe, Some(now));
        }
        orphans
    }

    /// Makes room at the source for a tier that nobody receives: of the viewers that it feeds and that `fits` allows, the one with
    /// the fewest children there gives up what it shows, and they look for another parent. Returns it, and whom it leaves without one; `None` if
    /// there is nobody. Who has it of a relay that it pays for does not, as in [`weakest_full`](Self::weakest_full).
    pub fn free_the_source(
        &mut self,
        now: Instant,
        fits: impl Fn(&Self, MemberIndex) -> bool,
    ) -> Option<(MemberIndex, Vec<(MemberIndex, StripeIndex)>)> {
        let source = self.member(MemberIndex::SOURCE);
        let seats = source
            .places_with_index()
            .flat_map(|(stripe, place)| place.children.iter().map(move |child| (stripe, *child)));
        let viewers = seats.filter(|(_, child)| {
            self.member(*child).is_viewer() && !self.feeds_itself(*child) && fits(self, *child)
        });
        let (stripe, member) = viewers.min_by_key(|(stripe, child)| {
            let place = self.member(*child).place(*stripe);
            (place.map_or(0, |place| place.children.len()), self.claim(*child))
        })?;
        let place = self.member(member).place(stripe);
        let children = place.map(|place| place.children.clone()).unwrap_or_default();
        let mut orphans = Vec::new();
        for child in children {
            self.detach(child, stripe, Some(now));
            orphans.push((child, stripe));
        }
        orphans.extend(self.degrade(now, member));
        Some((member, orphans))
    }

    /// Whether all that a member lacks on what it is to see is a parent that has turned somebody away a moment ago, and that may be asked
    /// again within `time`: somebody is about to leave the seat that the plan has given to it.
    pub fn seat_is_due(&self, now: Instant, member: MemberIndex, time: Duration) -> bool {
        let shown = self.member(member).tier.or(self.stripes.tiers().next());
        let mut lacking = self.lacking(member, shown).peekable();
        lacking.peek().is_some()
            && lacking.all(|stripe| {
                let slot = self.stripes.slot(stripe);
                let roomy = |parent: &MemberIndex| self.free_for(*parent, stripe) >= slot;
                let rooted = |parent: &MemberIndex| {
                    let place = self.member(*parent).place(stripe);
                    place.is_some_and(|place| place.is_rooted())
                };
                let soon = |parent: &MemberIndex| {
                    let full_until = self.member(*parent).full_until;
                    full_until.is_some_and(|until| until <= now + time)
                        || self.bad_pairs.ends_by(member, *parent, now + time)
                };
                self.present()
                    .any(|parent| roomy(&parent) && rooted(&parent) && soon(&parent))
            })
    }
}
