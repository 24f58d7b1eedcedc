//! When something goes wrong: parents that fall silent, children that find no seat, uplinks that do not suffice.

use super::Broadcaster;
use super::cheats::sentence;
use crate::id::PeerId;
use crate::io::Outbox;
use crate::media::StripeId;
use crate::overlay::member::{MemberIndex, State};
use crate::overlay::reach::BadPairs;
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::wire::control::{Accusation, DetachReason, Message, Moved, Orphaned, Report};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// A member that its children call silent has so long to answer before its children are moved: they have waited for it already, and have
/// what is left of a buffer of two seconds to get over it. Who was only slow is taken back with its next word.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// A relay that children of different networks call silent has only so long. Its machine is gone, or else it answers at once; and what it was sent
/// itself is what there is for its children.
const SIGN_OF_LIFE_AGREED: Duration = Duration::from_millis(200);

/// A relay whose sponsor is content with it has so long. Its uplink is too small for all, and a word of it waits in the same queue as what it sends;
/// who calls it silent has gone elsewhere.
const SIGN_OF_LIFE_CONTENT: Duration = Duration::from_millis(1500);

/// A member that two children of different networks accused is given no children for so long.
const SHUNNED: Duration = Duration::from_secs(30);

/// A pair that did not come about for a reason of the moment is tried again after so long.
const APART_FOR_NOW: Duration = Duration::from_secs(10);

/// A parent whose seats are all sat on is asked again after so long: those who have moved away have left by then.
pub(super) const FULL_FOR_NOW: Duration = Duration::from_secs(2);

/// After a failure nobody is moved for the trees' sake for so long: its children find new parents, and nobody else is to notice.
/// Where many watch somebody always fails, and it is less.
const CALM: Duration = Duration::from_secs(10);
const CALM_VIEWERS: u32 = 30;

impl Broadcaster {
    /// Whether the last failure is long enough ago to move others.
    pub(super) fn is_calm(&self, now: Instant) -> bool {
        let viewers = self.overlay.viewer_count() as u32;
        let calm = CALM * CALM_VIEWERS / viewers.max(CALM_VIEWERS);
        self.missed_at.is_none_or(|at| now.since(at) >= calm)
    }

    pub(super) fn on_moved(&mut self, now: Instant, child: MemberIndex, moved: &Moved, out: &mut Outbox) {
        let Some(stripe) = self.overlay.stripes().find(moved.stripe) else {
            return;
        };
        self.note_way_out(now, child, stripe, moved, out);
        if !moved.planned {
            self.excuse_orphan(now, child);
        }
        let former = moved.from.and_then(|from| self.overlay.find(&from));
        if let Some(former) = former {
            let id = self.overlay.member(child).id;
            self.overlay.seat_left(former, moved.stripe, id);
        }
        let to = self.overlay.find(&moved.to);
        if let Some(to) = to {
            let contact = self.contacts.get_mut(&child).expect("every member has a contact");
            contact.sits.insert(stripe, to);
            contact.note_parent(moved.stripe, moved.to.tag());
            self.overlay.standing_mut().withdraw_refusal(to, child);
        }
        if moved.planned {
            // The plan has changed while it moved: a ticket that comes in the midst of that is easily passed over.
            let place = self.overlay.member(child).place(stripe);
            if place.is_some_and(|place| place.parent != to) {
                self.say_again(child);
            }
            return;
        }
        if !to.is_some_and(|to| self.overlay.moved(child, stripe, to)) {
            // It hangs where it may not stay, and could not go where it was to go.
            self.replan(now, child, stripe);
        }
    }

    /// The plan for a stripe did not work out: the two are kept apart for a while, and the child is told of another parent.
    fn replan(&mut self, now: Instant, child: MemberIndex, stripe: StripeIndex) {
        let planned = self
            .overlay
            .member(child)
            .place(stripe)
            .and_then(|place| place.parent);
        if let Some(parent) = planned.filter(|parent| *parent != MemberIndex::SOURCE) {
            self.overlay.keep_apart(now, child, parent, APART_FOR_NOW);
        }
        self.overlay.detach(child, stripe, None);
        self.reseat(now, alloc::vec![(child, stripe)]);
        self.say_again(child);
    }

    pub(super) fn on_orphaned(
        &mut self,
        now: Instant,
        child: MemberIndex,
        orphaned: &Orphaned,
        out: &mut Outbox,
    ) {
        let Some(stripe) = self.overlay.stripes().find(orphaned.stripe) else {
            return;
        };
        self.excuse_orphan(now, child);
        let Some(place) = self.overlay.member(child).place(stripe) else {
            return;
        };
        let planned = place.parent;
        let parent = self.overlay.find(&orphaned.parent);
        let is_ours = parent == Some(MemberIndex::SOURCE) && planned == parent;
        if is_ours && orphaned.why == DetachReason::Full && self.has_room_by_now(now, stripe, out) {
            self.say_again(child);
            return;
        }
        if let Some(relay) = parent.filter(|parent| planned == Some(*parent)) {
            self.note_unserved(now, relay, child, orphaned.why, out);
        }
        if let Some(parent) = parent {
            self.note_failure(now, child, parent, orphaned.why);
        }
        let elsewhere = planned.filter(|planned| Some(*planned) != parent);
        if elsewhere.is_some_and(|planned| self.overlay.link_between(child, planned).is_some()) {
            // The plan has changed since; say it again in case the child asked in between.
            self.say_again(child);
            return;
        }
        self.overlay.detach(child, stripe, None);
        self.reseat(now, alloc::vec![(child, stripe)]);
        self.say_again(child);
    }

    /// Whether who was turned away by us may ask again at once: it asked while messages crossed.
    fn has_room_by_now(&mut self, now: Instant, stripe: StripeIndex, out: &mut Outbox) -> bool {
        let slot = self.overlay.stripes().slot(stripe);
        self.clear_seats(now, out) || self.forwarder.has_room(slot)
    }

    /// Takes our own seats from those who by the plan sit elsewhere: they lost them while messages crossed, and whoever the plan
    /// gives them to finds them taken. Whether there were any.
    fn clear_seats(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let is_planned = |(peer, stripe): &(PeerId, StripeId)| {
            let member = self.overlay.find(peer).map(|index| self.overlay.member(index));
            let stripe = self.overlay.stripes().find(*stripe);
            let place = member
                .zip(stripe)
                .and_then(|(member, stripe)| member.place(stripe));
            place.is_some_and(|place| place.parent == Some(MemberIndex::SOURCE))
        };
        let stale: Vec<(PeerId, StripeId)> = self
            .forwarder
            .children()
            .filter(|seat| !is_planned(seat))
            .collect();
        for (peer, stripe) in &stale {
            self.forwarder.replace(now, peer, *stripe, out);
        }
        !stale.is_empty()
    }

    pub(super) fn say_again(&mut self, member: MemberIndex) {
        if let Some(contact) = self.contacts.get_mut(&member) {
            contact.order = None;
        }
        self.overlay.touch(member);
    }

    fn note_failure(&mut self, now: Instant, child: MemberIndex, parent: MemberIndex, why: DetachReason) {
        self.overlay.estrange(child, parent);
        match why {
            DetachReason::Replaced | DetachReason::Leaving => {}
            DetachReason::Full if parent == MemberIndex::SOURCE => {
                self.overlay.keep_apart(now, child, parent, FULL_FOR_NOW);
            }
            // A viewer has a link to us; a relay has yet to reach us, and is not told to at once again.
            DetachReason::Unreachable if parent == MemberIndex::SOURCE && self.overlay.is_relay(child) => {
                self.overlay.keep_apart(now, child, parent, FULL_FOR_NOW);
            }
            _ if parent == MemberIndex::SOURCE => {}
            DetachReason::Full => self.overlay.note_full(now, parent, FULL_FOR_NOW),
            DetachReason::Silent | DetachReason::Unreachable => {
                self.overlay.keep_apart(now, child, parent, BadPairs::KEPT)
            }
            _ => self.overlay.keep_apart(now, child, parent, APART_FOR_NOW),
        }
    }

    pub(super) fn on_unreachable(&mut self, now: Instant, member: MemberIndex, peer: MemberIndex) {
        self.overlay.keep_apart(now, member, peer, BadPairs::KEPT);
        self.overlay.estrange(member, peer);
        let hangs = |(_, place): &(StripeIndex, &crate::overlay::forest::Place)| place.parent == Some(peer);
        let stripes: Vec<_> = self
            .overlay
            .member(member)
            .places_with_index()
            .filter(hangs)
            .map(|(s, _)| s)
            .collect();
        for stripe in &stripes {
            self.overlay.detach(member, *stripe, None);
        }
        self.reseat(now, stripes.into_iter().map(|stripe| (member, stripe)).collect());
    }

    pub(super) fn on_report(&mut self, now: Instant, member: MemberIndex, report: &Report, out: &mut Outbox) {
        let contact = self
            .contacts
            .get_mut(&member)
            .expect("every member has a contact");
        contact.late_since = match (report.children_in_time, contact.late_since) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
        contact.sending = report.sending;
        if self.overlay.member(member).carries != report.carries {
            // That is dealt with at once, and what was late until then says nothing of what comes.
            if let Some(contact) = self.contacts.get_mut(&member) {
                contact.late_since = None;
            }
            self.excuse(now, member);
            if self.overlay.note_carries(member, report.carries) {
                let orphans = self.overlay.note_shed(now, member);
                self.reseat(now, orphans);
            }
        }
        for (peer, what) in &report.accusations {
            let accused = self.overlay.find(peer);
            let what = accused.and_then(|accused| self.proven(accused, member, *what));
            if let Some((accused, what)) = accused.zip(what) {
                self.accuse(now, accused, member, what, out);
            }
        }
    }

    /// One accusation only moves the accuser; but a silent member is asked for a sign of life.
    pub(super) fn accuse(
        &mut self,
        now: Instant,
        accused: MemberIndex,
        by: MemberIndex,
        what: Accusation,
        out: &mut Outbox,
    ) {
        if !self.may_accuse(now, accused, by) {
            return;
        }
        self.charge(now, accused, by, what, out);
        if what != Accusation::Silent && self.overlay.is_relay(accused) {
            return;
        }
        match &mut self.overlay.member_mut(accused).state {
            State::Suspect { accusers, since } => {
                accusers.insert(by);
                let since = *since;
                if self.overlay.is_relay(accused) {
                    self.judge_suspect(now, accused, since, out);
                }
            }
            State::Active => {
                self.missed_at = Some(now);
                let accusers = BTreeSet::from([by]);
                self.overlay
                    .set_state(accused, State::Suspect { since: now, accusers });
                self.ask_for_life(now, accused, out);
            }
            _ => {}
        }
    }

    pub(super) fn ask_for_life(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        let sent_us = now.as_micros();
        match self.links_of(member).first() {
            Some(link) => out.tell(*link, &Message::Echo { sent_us }),
            // A relay that is not our child: that it answers is sign enough.
            None => self.dial(member, out),
        }
    }

    /// Any frame is a sign of life.
    pub(super) fn heard_from(&mut self, now: Instant, member: MemberIndex) {
        let Some(contact) = self.contacts.get_mut(&member) else {
            return;
        };
        contact.heard = now;
        match &self.overlay.member(member).state {
            State::Suspect { accusers, .. } if self.is_agreed(accusers) => {}
            State::Suspect { .. } => {
                self.overlay.set_state(member, State::Active);
                self.reseat(now, self.overlay.orphans_of(member));
            }
            State::Absent => {
                self.overlay.set_state(member, State::Active);
                self.serve(now, member);
            }
            _ => {}
        }
    }

    /// Whether accusers of two different networks agree.
    fn is_agreed(&self, accusers: &BTreeSet<MemberIndex>) -> bool {
        let prefixes: BTreeSet<_> = accusers
            .iter()
            .map(|accuser| self.overlay.member(*accuser).prefix)
            .collect();
        prefixes.len() >= 2
    }

    /// Moves the children of those who gave no sign of life, and of those whom several agree upon. Call at least once a second.
    pub(super) fn judge_suspects(&mut self, now: Instant, out: &mut Outbox) {
        for member in self.overlay.others().collect::<Vec<_>>() {
            match self.overlay.member(member).state {
                State::Suspect { since, .. } => self.judge_suspect(now, member, since, out),
                State::Shunned { until } if now >= until => self.overlay.set_state(member, State::Active),
                _ => {}
            }
        }
    }

    fn judge_suspect(&mut self, now: Instant, member: MemberIndex, since: Instant, out: &mut Outbox) {
        let lives = self.contacts[&member].heard > since;
        let (is_relay, agreed) = (self.overlay.is_relay(member), self.agreed_by(member));
        let contents = self.contents_its_sponsor(member);
        let patience = match agreed {
            _ if contents => SIGN_OF_LIFE_CONTENT,
            Some(_) if is_relay => SIGN_OF_LIFE_AGREED,
            _ => SIGN_OF_LIFE,
        };
        if !lives && now.since(since) >= patience {
            self.missed_at = Some(now);
            let orphans = self.overlay.evacuate(now, member, false);
            self.overlay.set_state(member, State::Absent);
            // The plan gives its seats to others; it cannot give them back itself.
            for link in self.links_of(member) {
                self.forwarder.take_back(now, link, out);
            }
            self.relieve_sponsor(now, member, out);
            self.reseat(now, orphans);
        } else if lives && contents && agreed.is_some() {
            self.overlay.note_full(now, member, SHUNNED);
            self.overlay.set_state(member, State::Active);
        } else if let Some(by) = agreed.filter(|_| lives || !is_relay) {
            if self.overlay.member(member).is_interior() {
                let what = self.overlay.standing().verdict(now, member, usize::MAX);
                self.blame(member, sentence(what.unwrap_or(Accusation::Silent)), by, out);
            }
            let mut orphans = self.overlay.release_children(now, member);
            if lives {
                let until = since + SHUNNED;
                self.overlay.set_state(member, State::Shunned { until });
                // Others may have been given its own seats, for it seemed to be dead.
                orphans.extend(self.overlay.orphans_of(member));
            }
            self.reseat(now, orphans);
        }
    }

    /// Whether a suspect is a relay that serves its sponsor as before: it serves it first, and has too little for all others.
    fn contents_its_sponsor(&self, member: MemberIndex) -> bool {
        let State::Suspect { accusers, .. } = &self.overlay.member(member).state else {
            return false;
        };
        let sponsor = self.overlay.member(member).sponsor();
        let sponsor = sponsor.and_then(|id| self.overlay.find(&id));
        let sits_there = |sponsor: &MemberIndex| {
            let mut places = self.overlay.member(*sponsor).places.iter().flatten();
            places.any(|place| place.parent == Some(member)) && !accusers.contains(sponsor)
        };
        sponsor.is_some_and(|sponsor| sits_there(&sponsor))
    }

    /// Whether accusers of different networks agree about a suspect: one of them.
    fn agreed_by(&self, member: MemberIndex) -> Option<MemberIndex> {
        let State::Suspect { accusers, .. } = &self.overlay.member(member).state else {
            return None;
        };
        accusers.first().copied().filter(|_| self.is_agreed(accusers))
    }
}
