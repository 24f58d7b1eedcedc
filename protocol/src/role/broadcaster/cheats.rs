//! Members that do what they must not: what is held against them is weighed, and relays that cheat lose their seats
//! (`overlay/standing`).

use super::Broadcaster;
use crate::io::Outbox;
use crate::overlay::forest::Place;
use crate::overlay::member::{MemberIndex, State};
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::wire::control::{Accusation, DetachReason, Moved};
use alloc::vec::Vec;

/// A relay gives less than it should for so long before it counts: its children are late for a moment whenever many come at once.
const LESS_FOR: Duration = Duration::from_secs(5);

/// A relay that owns to be overloaded has so long to have fewer children.
const EXCUSED: Duration = Duration::from_secs(5);

/// A relay that says that its own parent failed is believed once in so long.
const ORPHANED_AGAIN: Duration = Duration::from_secs(30);

/// A relay should have what it was sent for so many blocks: it does not only just begin.
const SENT_FOR: u64 = 20;

impl Broadcaster {
    /// Whether a member's word against another counts: it was put below it, and has not slandered others.
    pub(super) fn may_accuse(&self, now: Instant, accused: MemberIndex, by: MemberIndex) -> bool {
        let (overlay, names) = (&self.overlay, |other| other == Some(accused));
        let mut places = overlay.member(by).places.iter().flatten();
        accused != MemberIndex::SOURCE
            && accused != by
            && places.any(|place| names(place.parent) || names(place.spare))
            && overlay.standing().is_believed(now, by)
    }

    /// What an accusation comes to. That a parent lacks a stripe is nothing against it, unless it is a relay that we have sent it for long, with all
    /// else that it passes on to who says so.
    pub(super) fn proven(
        &self,
        accused: MemberIndex,
        by: MemberIndex,
        what: Accusation,
    ) -> Option<Accusation> {
        let Accusation::Lacks(stripe) = what else {
            return Some(what);
        };
        let id = self.overlay.member(accused).id;
        let newest = self.forwarder.store().newest(stripe)?;
        let seated = self.forwarder.seated_from(&id, stripe);
        let long = seated.is_some_and(|from| from + SENT_FOR <= newest);
        let is_from = |place: &Place, parent| place.parent == Some(parent);
        let mut passed_on = self.overlay.member(by).places_with_index();
        let ours = passed_on.all(|(stripe, place)| {
            let upper = self.overlay.member(accused).place(stripe);
            !is_from(place, accused) || upper.is_some_and(|upper| is_from(upper, MemberIndex::SOURCE))
        });
        (long && ours && self.overlay.is_relay(accused)).then_some(Accusation::Late)
    }

    /// Keeps what a member holds against another; a relay against which enough is held loses its seats.
    pub(super) fn charge(
        &mut self,
        now: Instant,
        accused: MemberIndex,
        by: MemberIndex,
        what: Accusation,
        out: &mut Outbox,
    ) {
        if self.is_excused(now, accused, what) {
            return;
        }
        let prefix = self.overlay.member(by).prefix;
        self.overlay
            .standing_mut()
            .charge(now, (accused, by), prefix, what);
        if self.overlay.is_relay(accused) {
            self.judge_relay(now, accused, by, out);
        }
    }

    fn judge_relay(&mut self, now: Instant, relay: MemberIndex, by: MemberIndex, out: &mut Outbox) {
        let state = &self.overlay.member(relay).state;
        if !matches!(
            state,
            State::Active | State::Suspect { .. } | State::Shunned { .. }
        ) {
            return;
        }
        let served = self.overlay.served_by(relay);
        let verdict = self.overlay.standing().verdict(now, relay, served);
        // That it is silent may have other reasons, and is found out in another way.
        if let Some(what) = verdict.filter(|what| *what != Accusation::Silent) {
            self.convict(now, relay, sentence(what), by, out);
        }
    }

    /// A relay does not serve a child that it was given: it turned it away, which is held against it, or nothing came of a stripe. Then it
    /// keeps that back if it lives, has not lost its own parent, and others say the same.
    pub(super) fn note_unserved(
        &mut self,
        now: Instant,
        relay: MemberIndex,
        child: MemberIndex,
        why: DetachReason,
        out: &mut Outbox,
    ) {
        if !self.overlay.is_relay(relay) {
            return;
        }
        match why {
            DetachReason::Full | DetachReason::NoTicket | DetachReason::Shed => {
                self.charge(now, relay, child, Accusation::Refused, out);
            }
            DetachReason::Silent if !self.is_excused(now, relay, Accusation::Late) => {
                let prefix = self.overlay.member(child).prefix;
                self.overlay.standing_mut().starves(now, (relay, child), prefix);
            }
            _ => {}
        }
    }

    /// A child has taken its spare though its parent, a relay, has not failed: then that has turned it out.
    pub(super) fn note_way_out(
        &mut self,
        now: Instant,
        child: MemberIndex,
        stripe: StripeIndex,
        moved: &Moved,
        out: &mut Outbox,
    ) {
        let place = self.overlay.member(child).place(stripe);
        let parent = place.and_then(|place| place.parent);
        let left = parent.filter(|parent| self.overlay.find(&moved.to) != Some(*parent));
        let turned_out = !moved.planned && moved.from.is_none();
        if let Some(relay) = left.filter(|parent| turned_out && self.overlay.is_relay(*parent)) {
            self.charge(now, relay, child, Accusation::Refused, out);
        }
    }

    /// A relay says that it cannot serve all that it has been given: that is believed, and what its children lack until it has fewer is
    /// not held against it.
    pub(super) fn excuse(&mut self, now: Instant, relay: MemberIndex) {
        if let Some(record) = self.relays.get_mut(&relay) {
            record.excused_until = now + EXCUSED;
            self.overlay.standing_mut().excuse(relay);
        }
    }

    /// A relay has lost a parent: what its children lack until it has another is not held against it; not again and again, though.
    pub(super) fn excuse_orphan(&mut self, now: Instant, relay: MemberIndex) {
        let Some(record) = self.relays.get_mut(&relay) else {
            return;
        };
        if record
            .orphaned_at
            .is_none_or(|at| now.since(at) >= ORPHANED_AGAIN)
        {
            record.orphaned_at = Some(now);
            self.excuse(now, relay);
        }
    }

    /// Whether an accusation may be for want of uplink, which the accused has owned to.
    fn is_excused(&self, now: Instant, accused: MemberIndex, what: Accusation) -> bool {
        let says_so = self
            .relays
            .get(&accused)
            .is_some_and(|relay| now < relay.excused_until);
        says_so && what != Accusation::Forged
    }

    /// A relay cheats: it is named, loses its seats and gets none again, and its sponsor is served as if it lent nothing.
    fn convict(
        &mut self,
        now: Instant,
        relay: MemberIndex,
        what: &'static str,
        by: MemberIndex,
        out: &mut Outbox,
    ) {
        self.blame(relay, what, by, out);
        let info = self.overlay.member(relay);
        let (id, sponsor) = (info.id, info.sponsor().expect("the caller has a relay"));
        self.overlay.standing_mut().fall(id, sponsor);
        self.part_with_relay(now, relay, what);
        if let Some(sponsor) = self.overlay.find(&sponsor) {
            self.overlay.touch(sponsor);
        }
    }

    /// Looks at what relays give of what their sponsors promised: less than half of it is no reason to be served first, and who gives no
    /// more than it takes is of no use.
    pub(super) fn weigh_relays(&mut self, now: Instant, out: &mut Outbox) {
        for relay in self.overlay.relays().collect::<Vec<_>>() {
            let left = self.overlay.keep_crowds_off(now, relay);
            self.reseat(now, left);
            self.judge_relay(now, relay, MemberIndex::SOURCE, out);
            let (falls_short, is_useless) = self.overlay.weigh_relay(relay);
            let Some(record) = self.relays.get_mut(&relay) else {
                continue;
            };
            record.less_since = falls_short.then(|| record.less_since.unwrap_or(now));
            let long = record
                .less_since
                .is_some_and(|since| now.since(since) >= LESS_FOR);
            if self.overlay.set_falling_short(relay, long) {
                let what = "gives less than half of what its sponsor promised";
                self.blame(relay, what, MemberIndex::SOURCE, out);
            }
            if long && is_useless && self.overlay.member(relay).is_active() {
                let what = "gives no more than it takes";
                self.convict(now, relay, what, MemberIndex::SOURCE, out);
            }
        }
    }

    /// Names those with whose accusations nobody agrees. Call once a second.
    pub(super) fn name_slanderers(&mut self, now: Instant, out: &mut Outbox) {
        for liar in self.overlay.standing_mut().review(now) {
            let what = "accuses parents against whom nobody else holds anything";
            self.blame(liar, what, MemberIndex::SOURCE, out);
        }
    }
}

/// What somebody did, as its children agree.
pub(super) const fn sentence(what: Accusation) -> &'static str {
    match what {
        Accusation::Forged => "alters chunks",
        Accusation::Late | Accusation::Lacks(_) => "withholds what others have",
        Accusation::Silent => "does not forward",
        Accusation::Refused => "turns away those whom it is to serve",
    }
}
