//! Relays: near the source, interior wherever they can be, their sponsors directly below them, and everybody else there only who
//! finds no room elsewhere, for each byte that a relay sends costs its sponsor money.

use crate::id::PeerId;
use crate::overlay::Overlay;
use crate::overlay::improve::SETTLED_AFTER;
use crate::overlay::member::{MemberIndex, State};
use crate::overlay::orphans::Orphan;
use crate::overlay::placement::{Takeover, least};
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::ticket::Class;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Overlay {
    /// The relays that are here.
    pub fn relays(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        self.relays.iter().copied()
    }

    /// The relays that somebody pays for.
    pub fn relays_of(&self, sponsor: PeerId) -> impl Iterator<Item = MemberIndex> + '_ {
        self.relays()
            .filter(move |relay| self.member(*relay).sponsor() == Some(sponsor))
    }

    /// Whether a member is a relay.
    pub(crate) fn is_relay(&self, index: MemberIndex) -> bool {
        self.relays.contains(&index)
    }

    /// How a member is served when there is not enough. Sponsors go first, as long as a relay of theirs does what it is there for.
    pub fn class(&self, index: MemberIndex) -> Class {
        let id = self.member(index).id;
        let serves = |relay: MemberIndex| {
            let relay = self.member(relay);
            matches!(relay.state, State::Active | State::Suspect { .. }) && !relay.falls_short
        };
        if self.relays_of(id).any(serves) && !self.standing.is_fallen(&id) {
            return Class::Sponsor;
        }
        if self.is_relay(index) {
            return Class::Interior;
        }
        self.member(index).class(self.stripes.top_slot())
    }

    /// How many members a relay serves that nobody promised it to, and that hold nothing against it.
    pub fn served_by(&self, relay: MemberIndex) -> usize {
        let places = self.member(relay).places_with_index();
        let children: BTreeSet<MemberIndex> = places
            .flat_map(|(_, place)| place.children.iter().copied())
            .collect();
        let content = |child: &&MemberIndex| {
            !self.is_promised(**child, relay) && !self.standing.has_charged(relay, **child)
        };
        children.iter().filter(content).count()
    }

    /// Whether a relay gives less than half of what its sponsor promised, and whether it gives no more than it takes.
    pub fn weigh_relay(&self, relay: MemberIndex) -> (bool, bool) {
        let member = self.member(relay);
        let promised = member.cap.unwrap_or(member.granted);
        let twice = self.stripes.top_copy() * 2;
        (
            member.granted * 2 < promised,
            member.granted < twice && promised >= twice,
        )
    }

    /// Notes whether a relay gives too little. Whether that is new.
    pub fn set_falling_short(&mut self, relay: MemberIndex, falls_short: bool) -> bool {
        let member = self.member_mut(relay);
        let former = core::mem::replace(&mut member.falls_short, falls_short);
        if former == falls_short {
            return false;
        }
        let sponsor = member.sponsor().and_then(|sponsor| self.find(&sponsor));
        if let Some(sponsor) = sponsor {
            self.touch(sponsor);
        }
        falls_short
    }

    /// Seats a relay wherever it lacks a parent on the full stream. Stripes of lower tiers it is enlisted for when somebody needs
    /// them. Whether it has all of the full stream then.
    pub fn seat_relay(&mut self, now: Instant, relay: MemberIndex) -> bool {
        let Some(top) = self.stripes.top() else {
            return false;
        };
        let stripes: Vec<StripeIndex> = self.stripes.of_tier(top).collect();
        self.member_mut(relay).homes.extend(stripes.iter().copied());
        if self.member(relay).tier != Some(top) {
            self.member_mut(relay).tier = Some(top);
            self.touch(relay);
        }
        let mut whole = true;
        for stripe in stripes {
            whole &= self.has_parent(relay, stripe) || self.seat(now, relay, stripe);
        }
        whole
    }

    /// Sees to it that the source has room for the stripes of the full stream that a relay lacks and that nobody is sent: those with the
    /// least claim leave the seats of lower tiers there. What a relay gives is many times that; and without it nobody could have the
    /// full stream. Returns them: orphans, to be seated elsewhere.
    pub fn make_way(&mut self, now: Instant, relay: MemberIndex) -> Vec<Orphan> {
        let needed = self.unsent_to(relay);
        if needed == Bitrate::ZERO || !self.member(relay).is_active() || self.member(relay).ends {
            return Vec::new();
        }
        let mut sitters = self.low_sitters();
        sitters.sort_by_key(|(child, stripe)| (self.claim(*child), *stripe));
        let mut orphans = Vec::new();
        for (child, stripe) in sitters {
            if self.member(MemberIndex::SOURCE).free() >= needed {
                break;
            }
            self.detach(child, stripe, Some(now));
            orphans.push((child, stripe));
        }
        orphans
    }

    /// What the stripes of the full stream cost that a relay lacks and that the source sends to nobody.
    fn unsent_to(&self, relay: MemberIndex) -> Bitrate {
        let lacks = |stripe: &StripeIndex| {
            let sent = self.member(MemberIndex::SOURCE).place(*stripe);
            sent.is_some_and(|place| place.children.is_empty()) && !self.has_parent(relay, *stripe)
        };
        let top = self
            .stripes
            .top()
            .map(|top| self.stripes.of_tier(top).filter(lacks));
        let lacking = top.into_iter().flatten();
        lacking.map(|stripe| self.stripes.slot(stripe)).sum()
    }

    /// Viewers that the source sends lower tiers.
    fn low_sitters(&self) -> Vec<(MemberIndex, StripeIndex)> {
        let places = self.member(MemberIndex::SOURCE).places_with_index();
        let low = places.filter(|(stripe, _)| Some(self.stripes.id(*stripe).tier) != self.stripes.top());
        let sitters =
            low.flat_map(|(stripe, place)| place.children.iter().map(move |child| (*child, stripe)));
        sitters
            .filter(|(child, _)| self.member(*child).is_viewer())
            .collect()
    }

    /// Seats a relay near the source: on a free seat there, else below a relay that has room, for that disturbs nobody; else on its
    /// sponsor's seat, or the weakest viewer's: who sat there comes below it, or goes elsewhere.
    pub(super) fn seat_near_source(&mut self, now: Instant, relay: MemberIndex, stripe: StripeIndex) -> bool {
        let slot = self.stripes.slot(stripe);
        let roomy = |parent: &MemberIndex| {
            let member = self.member(*parent);
            member.full_until.is_none() && self.serves(*parent) && self.free_for(*parent, stripe) >= slot
        };
        let depth = |parent: &MemberIndex| self.member(*parent).place(stripe).map(|place| place.depth);
        let fits = |parent: &MemberIndex| {
            self.may_hang(relay, stripe, *parent) && !self.path_meets(*parent, stripe, relay)
        };
        let near = core::iter::once(MemberIndex::SOURCE).chain(self.relays());
        if let Some(parent) = least(near.filter(roomy), depth, fits) {
            self.attach(relay, stripe, parent);
            return true;
        }
        let seat = self.seat_for_relay(now, relay, stripe);
        seat.is_some_and(|seat| self.take_over(now, relay, stripe, seat))
    }

    fn seat_for_relay(&self, now: Instant, relay: MemberIndex, stripe: StripeIndex) -> Option<Takeover> {
        let sponsor = self.member(relay).sponsor();
        let ends = |seat: &Takeover| self.member(seat.sitter).ends;
        let given_up = |seat: &Takeover| !self.is_relay(seat.sitter) || ends(seat);
        let key = |seat: &Takeover| {
            let is_sponsors = Some(self.member(seat.sitter).id) == sponsor;
            // Who has come just now still fetches what is behind the live edge, which the relay does not have.
            let catches_up = now.since(self.member(seat.sitter).joined) < SETTLED_AFTER;
            (
                !ends(seat),
                seat.depth,
                catches_up,
                !is_sponsors,
                self.takeover_key(stripe, seat),
            )
        };
        let roomy = self.with_room(stripe);
        let fits = |seat: &Takeover| {
            self.may_take(relay, stripe, seat)
                && self.seat_for_sitter_among(&roomy, relay, stripe, *seat).is_some()
        };
        least(self.seats(stripe).filter(given_up), key, fits)
    }

    /// The relay of a sponsor that it is to hang below on a stripe, room aside.
    fn own_relay(&self, sponsor: MemberIndex, stripe: StripeIndex) -> Option<MemberIndex> {
        let carries = |relay: &MemberIndex| {
            let place = self.member(*relay).place(stripe);
            self.member(*relay).is_active()
                && self.member(*relay).full_until.is_none()
                && self.serves(*relay)
                && place.is_some_and(|place| place.is_rooted())
                && self.may_meet(sponsor, *relay)
                && self.link_between(sponsor, *relay).is_some()
        };
        self.relays_of(self.member(sponsor).id).find(carries)
    }

    /// Whether a parent takes children. A relay that fills has nothing to send: only those come below it whose seats it takes, and they
    /// are fed from there until it has. One whose lease ends has it for who sits there already.
    pub(super) fn serves(&self, parent: MemberIndex) -> bool {
        let member = self.member(parent);
        !member.fills && !member.ends
    }

    /// The lease of a relay ends soon, or no longer.
    pub fn set_ending(&mut self, relay: MemberIndex, ends: bool) {
        self.member_mut(relay).ends = ends;
    }

    /// A relay has been given its places, and has nothing yet (`true`), or has what its children are to get.
    pub fn set_filling(&mut self, relay: MemberIndex, fills: bool) {
        self.member_mut(relay).fills = fills;
    }

    /// Whether a member sits below a relay of its own: it is not moved from there for the trees' sake.
    pub(super) fn is_promised(&self, member: MemberIndex, parent: MemberIndex) -> bool {
        self.is_relay(parent) && self.member(parent).sponsor() == Some(self.member(member).id)
    }

    /// Whether a member has the whole of the full stream from relays of its own.
    pub(super) fn feeds_itself(&self, member: MemberIndex) -> bool {
        let is_own = |stripe: StripeIndex| {
            let parent = self.member(member).place(stripe).and_then(|place| place.parent);
            parent.is_some_and(|parent| self.is_promised(member, parent))
        };
        let top = self.stripes.top();
        !self.relays.is_empty() && top.is_some_and(|top| self.stripes.of_tier(top).all(is_own))
    }

    /// Seats a sponsor below its own relay, if that has room for it.
    pub(super) fn seat_at_own_relay(&mut self, member: MemberIndex, stripe: StripeIndex) -> bool {
        if self.relays.is_empty() {
            return false;
        }
        let slot = self.stripes.slot(stripe);
        let relay = self.own_relay(member, stripe);
        let roomy =
            relay.filter(|relay| self.member(*relay).free() >= slot && self.may_hang(member, stripe, *relay));
        if let Some(relay) = roomy {
            self.attach(member, stripe, relay);
        }
        roomy.is_some()
    }

    /// Brings every sponsor directly below its relay, on each stripe that the relay carries; where that has no room, somebody else
    /// leaves it. Returns those who lost a parent by it: orphans, to be seated elsewhere.
    pub fn keep_promises(&mut self, now: Instant) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        let sponsors: Vec<PeerId> = self
            .relays()
            .filter_map(|relay| self.member(relay).sponsor())
            .collect();
        for sponsor in sponsors {
            let Some(sponsor) = self
                .find(&sponsor)
                .filter(|sponsor| self.member(*sponsor).is_active())
            else {
                continue;
            };
            for stripe in self.stripes.all().collect::<Vec<_>>() {
                orphans.extend(self.keep_promise(now, sponsor, stripe));
            }
        }
        orphans
    }

    fn keep_promise(&mut self, now: Instant, sponsor: MemberIndex, stripe: StripeIndex) -> Vec<Orphan> {
        let place = self.member(sponsor).place(stripe);
        let parent = place.and_then(|place| place.parent);
        let Some(parent) = parent.filter(|parent| !self.is_promised(sponsor, *parent)) else {
            return Vec::new();
        };
        let relay = self.own_relay(sponsor, stripe);
        let Some(relay) = relay.filter(|relay| !self.member(*relay).fills) else {
            return Vec::new();
        };
        if self.path_meets(relay, stripe, sponsor) {
            self.rise_above_sponsor(now, relay, stripe, sponsor);
            return Vec::new();
        }
        let Some(mut orphans) = self.make_room_at(now, relay, stripe) else {
            return Vec::new();
        };
        if !self.may_hang(sponsor, stripe, relay) {
            // Its rank must stay below its children's: they go elsewhere, and it may rise.
            orphans.extend(self.disband(now, sponsor, stripe));
        }
        if self.may_hang(sponsor, stripe, relay) {
            self.detach(sponsor, stripe, Some(now));
            self.attach(sponsor, stripe, relay);
        }
        debug_assert!(self.has_parent(sponsor, stripe), "it keeps {parent:?} otherwise");
        orphans
    }

    /// A relay that sits below its sponsor takes its seat.
    fn rise_above_sponsor(
        &mut self,
        now: Instant,
        relay: MemberIndex,
        stripe: StripeIndex,
        sponsor: MemberIndex,
    ) {
        let place = self.member(sponsor).place(stripe);
        let seat = place.and_then(|place| {
            Some(Takeover {
                sitter: sponsor,
                parent: place.parent?,
                depth: place.depth,
            })
        });
        if let Some(seat) = seat.filter(|seat| self.may_take(relay, stripe, seat)) {
            self.swap_up(now, relay, stripe, seat);
        }
    }

    /// Sees to it that a relay has room for its sponsor: if need be, the child with the least claim leaves it. Returns it;
    /// `None` if there is none that could leave.
    fn make_room_at(&mut self, now: Instant, relay: MemberIndex, stripe: StripeIndex) -> Option<Vec<Orphan>> {
        if self.member(relay).free() >= self.stripes.slot(stripe) {
            return Some(Vec::new());
        }
        let least = self
            .children(relay, stripe)
            .iter()
            .copied()
            .filter(|child| !self.is_promised(*child, relay))
            .min_by_key(|child| self.claim(*child))?;
        self.detach(least, stripe, Some(now));
        Some(alloc::vec![(least, stripe)])
    }

    /// Moves relays' children to free peers' seats, at most `moves`, so that what is paid for is used for what nobody gives. How
    /// many were moved.
    pub fn relieve_relays(&mut self, now: Instant, moves: usize) -> usize {
        let mut children = Vec::new();
        for relay in self.relays() {
            for (stripe, place) in self.member(relay).places_with_index() {
                let movable =
                    |child: &&MemberIndex| !self.is_promised(**child, relay) && !self.is_relay(**child);
                children.extend(
                    place
                        .children
                        .iter()
                        .filter(movable)
                        .map(|child| (*child, stripe)),
                );
            }
        }
        children.sort_by_key(|(child, stripe)| (self.children(*child, *stripe).len(), *child, *stripe));
        let mut moved = 0;
        for (child, stripe) in children {
            if moved == moves {
                break;
            }
            moved += usize::from(self.relieve(now, child, stripe));
        }
        moved
    }

    /// Only a seat that leaves its parent a reserve is worth a move: else the next failure brings the child back. Those who count
    /// on that parent as a spare are no reason to pay: most of them fear for the relay.
    fn relieve(&mut self, now: Instant, child: MemberIndex, stripe: StripeIndex) -> bool {
        let seat = self.free_seat(child, stripe);
        let better = seat.filter(|parent| {
            !self.is_relay(*parent)
                && !self.takes_the_reserve(*parent, stripe)
                && !self.path_meets(*parent, stripe, child)
        });
        let Some(parent) = better.filter(|_| self.is_rested(now, child)) else {
            return false;
        };
        self.detach(child, stripe, Some(now));
        self.attach(child, stripe, parent);
        self.note_move(now, child);
        true
    }
}
