//! What happens when what there is is not enough: members are asked, then refused or degraded.

use super::Broadcaster;
use super::ration::Cause;
use super::trouble::FULL_FOR_NOW;
use crate::event::Event;
use crate::io::Outbox;
use crate::limits::VIEWERS_MAX;
use crate::overlay::admission::{Shortage, Step};
use crate::overlay::member::MemberIndex;
use crate::overlay::reach::Prefix;
use crate::role::config::WhenFull;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::control::{Ask, Message, RefuseReason, RoundKind, WithdrawReason};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Joiners of one network that count as a shortage, so that one host with a hundred keys makes nobody pay.
const JOINERS_A_PREFIX: usize = 2;

/// When there are many of one network, people are asked for their sake once in so long: as often as anybody is asked at all.
const ASKED_FOR_AGAIN: Duration = Duration::from_secs(600);

/// Seats of those who come down to less are free after so long: as long as they keep what they had until the other comes.
const INHERITS: Duration = Duration::from_secs(2);

/// Who is one of many of its network finds a place within so long, or is refused.
const CROWD_PATIENCE: Duration = Duration::from_secs(5);

impl Broadcaster {
    /// Asks, withdraws, refuses or degrades, as the shortage demands.
    pub(super) fn manage_shortage(&mut self, now: Instant, out: &mut Outbox) {
        let shortage = self.shortage(now);
        if shortage.joiners.is_empty() && shortage.orphans.is_empty() {
            self.stop_locating();
        } else if self.locate(now, out) && shortage.orphans.is_empty() && self.admission.kind().is_none() {
            return;
        }
        let mut steps = Vec::new();
        self.admission.poll(now, &shortage, &mut steps);
        steps.into_iter().for_each(|step| self.take_step(now, step, out));
        self.turn_crowds_away(now, out);
    }

    fn take_step(&mut self, now: Instant, step: Step, out: &mut Outbox) {
        match step {
            Step::Ask {
                member,
                round,
                kind,
                deadline,
            } => self.ask(member, round, kind, deadline, out),
            Step::Choose {
                member,
                round,
                missing,
            } => {
                self.note_asked_for(now);
                self.choose(member, round, missing, out);
            }
            Step::Withdraw { member, round, why } => self.withdraw(member, round, why, out),
            Step::Conclude => {
                self.note_asked_for(now);
                self.conclude(now, out);
            }
        }
    }

    fn shortage(&self, now: Instant) -> Shortage {
        let mut shortage = Shortage::default();
        let mut prefixes = BTreeMap::new();
        for (member, cause) in self
            .short
            .iter()
            .filter(|(member, _)| !self.decided.contains(member))
        {
            let info = self.overlay.member(*member);
            let from_there: &mut usize = prefixes.entry(info.prefix).or_default();
            *from_there += 1;
            let list = match cause {
                Cause::Joined if *from_there > JOINERS_A_PREFIX => continue,
                Cause::Joined => &mut shortage.joiners,
                Cause::Lost => &mut shortage.orphans,
            };
            if self.was_asked_for(now, &info.prefix) {
                continue;
            }
            list.push((*member, info.id));
        }
        let (_, foreseen) = self.foreseen();
        for member in foreseen {
            let info = self.overlay.member(member);
            if info.may_sponsor && !self.short.contains_key(&member) {
                shortage.orphans.push((member, info.id));
            }
        }
        if shortage.joiners.is_empty() && shortage.orphans.is_empty() {
            return shortage;
        }
        let room = self.overlay.room();
        // What was measured and is lost comes back by nothing less than as much.
        let wanted = match shortage.orphans.len() as u64 {
            0 => 1,
            lost => lost,
        };
        shortage.may_solve_itself =
            room.free + room.unproven >= wanted * self.overlay.stripes().top_len() as u64;
        shortage.missing = self.missing();
        shortage.leaves = self.leaves();
        shortage
    }

    /// Whether people were asked not long ago for the sake of a network of which many have come since.
    fn was_asked_for(&self, now: Instant, prefix: &Prefix) -> bool {
        let lately = |at: &Instant| now.since(*at) < ASKED_FOR_AGAIN;
        self.overlay.is_crowded(prefix) && self.asked_for.get(prefix).is_some_and(lately)
    }

    /// Somebody has said yes, or everybody no: notes for which networks that was.
    fn note_asked_for(&mut self, now: Instant) {
        self.asked_for.retain(|_, at| now.since(*at) < ASKED_FOR_AGAIN);
        for member in self.short.keys().copied() {
            let prefix = self.overlay.member(member).prefix;
            if self.asked_for.len() < VIEWERS_MAX {
                self.asked_for.insert(prefix, now);
            }
        }
    }

    /// Those of one network for whom nobody is asked any more, and who see nothing, do not wait for others to give anything up.
    fn turn_crowds_away(&mut self, now: Instant, out: &mut Outbox) {
        let waits = |member: &MemberIndex| {
            let info = self.overlay.member(*member);
            let long = now.since(info.joined) >= CROWD_PATIENCE;
            info.tier.is_none() && long && self.was_asked_for(now, &info.prefix)
        };
        let joined = self.short.iter().filter(|(_, cause)| **cause == Cause::Joined);
        let waiting: Vec<MemberIndex> = joined.map(|(member, _)| *member).filter(waits).collect();
        for member in waiting {
            self.refuse(now, member, RefuseReason::TooManyFromThere, out);
        }
    }

    /// Who may be asked besides those who wait: leaves, free riders first.
    fn leaves(&self) -> Vec<(MemberIndex, crate::id::PeerId)> {
        let asked = |member: &MemberIndex| {
            let info = self.overlay.member(*member);
            let trusted = !self.overlay.standing().is_fallen(&info.id);
            trusted
                && info.may_sponsor
                && info.is_active()
                && !info.is_interior()
                && !self.short.contains_key(member)
        };
        let mut leaves: Vec<MemberIndex> = self.overlay.viewers().filter(asked).collect();
        leaves.sort_by_key(|member| (core::cmp::Reverse(self.overlay.class(*member)), *member));
        leaves
            .into_iter()
            .map(|member| (member, self.overlay.member(member).id))
            .collect()
    }

    fn ask(
        &mut self,
        member: MemberIndex,
        round: u64,
        kind: RoundKind,
        deadline: Duration,
        out: &mut Outbox,
    ) {
        let info = self.overlay.member(member);
        if !info.may_sponsor || self.overlay.standing().is_fallen(&info.id) {
            self.admission.decline(&info.id, round);
            return;
        }
        let id = info.id;
        let (_, mut foreseen) = self.foreseen();
        foreseen.retain(|member| !self.short.contains_key(member));
        let ask = Ask {
            round,
            kind,
            deadline_ms: deadline.as_millis() as u32,
            helps: (self.short.len() + foreseen.len()) as u32,
            missing: self.missing(),
        };
        self.tell_near(member, out);
        self.tell(member, &Message::Ask(ask), out);
        let reason = match kind {
            RoundKind::Orphans if !foreseen.is_empty() => "a relay's lease ends soon",
            RoundKind::Joiner => "there is no room for this viewer at full quality",
            RoundKind::Orphans => "a relaying peer left and there is no room for its viewers",
            RoundKind::Leaves => "there are not enough uplinks for everybody at full quality",
        };
        out.event(Event::SponsorAsked {
            peer: id,
            round: kind,
            reason: reason.to_string(),
        });
    }

    /// What a relay would have to send for all who lack something; few of one network count.
    fn missing(&self) -> Bitrate {
        let mut prefixes: BTreeMap<Prefix, usize> = BTreeMap::new();
        for (member, cause) in &self.short {
            let joined = prefixes.entry(self.overlay.member(*member).prefix).or_default();
            *joined += usize::from(*cause == Cause::Joined);
        }
        let lost = self.short.values().filter(|cause| **cause == Cause::Lost).count();
        let joined: usize = prefixes
            .into_values()
            .map(|joined| joined.min(JOINERS_A_PREFIX))
            .sum();
        let (foreseen, _) = self.foreseen();
        self.overlay.stripes().top_copy() * (lost + joined) as u64 + foreseen
    }

    /// A yes counts. The relay takes a copy of the stream as well, which comes on top of what is missing.
    fn choose(&mut self, member: MemberIndex, round: u64, missing: Bitrate, out: &mut Outbox) {
        let missing = missing + self.overlay.stripes().top_copy();
        self.tell(member, &Message::Chosen { round, missing }, out);
    }

    pub(super) fn withdraw(
        &mut self,
        member: MemberIndex,
        round: u64,
        why: WithdrawReason,
        out: &mut Outbox,
    ) {
        self.tell(member, &Message::Withdraw { round, why }, out);
    }

    /// An answer came: the first yes wins, those that come later are thanked for.
    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        member: MemberIndex,
        round: u64,
        yes: bool,
        out: &mut Outbox,
    ) {
        let id = self.overlay.member(member).id;
        if yes {
            let mut steps = Vec::new();
            let missing = self.missing();
            self.admission
                .accept(now, (member, id), round, missing, &mut steps);
            steps.into_iter().for_each(|step| self.take_step(now, step, out));
        } else if self.admission.decline(&id, round) {
            self.manage_shortage(now, out);
        }
    }

    /// Nobody sponsors. Whoever there is room for by now is served; the others are refused or degraded.
    fn conclude(&mut self, now: Instant, out: &mut Outbox) {
        self.give_up_succession();
        self.promote_all(now);
        let undecided = |(member, _): &(&MemberIndex, &Cause)| !self.decided.contains(member);
        let waiting = self.short.iter().filter(undecided);
        let waiting: Vec<_> = waiting.map(|(member, cause)| (*member, *cause)).collect();
        for (member, cause) in waiting {
            let refuse = self.config.when_full == WhenFull::Refuse && cause == Cause::Joined;
            let may_sit = |ours: &Self| ours.overlay.seat_is_due(now, member, FULL_FOR_NOW);
            let waits = |ours: &Self| may_sit(ours) || ours.may_inherit(now, cause);
            if refuse || !(self.degrade_for(now, member) || waits(self)) {
                self.refuse(now, member, RefuseReason::Capacity, out);
            }
        }
        for member in self.short.keys().copied() {
            if self.overlay.member(member).tier.is_some() && self.decided.insert(member) {
                self.overlay.touch(member);
            }
        }
    }

    /// Whether somebody who was served lacks everything while others come down to less: their seats come free in a moment, and are asked
    /// for again a quarter of a second later.
    fn may_inherit(&self, now: Instant, cause: Cause) -> bool {
        let lately = |(_, last): (Instant, Instant)| now.since(last) < INHERITS;
        cause == Cause::Lost && self.degraded.is_some_and(lately)
    }

    /// Makes the best of it for one who waits: the full stream if others are to be served after it, else a lower tier.
    /// Whether it has anything to see.
    fn degrade_for(&mut self, now: Instant, member: MemberIndex) -> bool {
        let stripes = self.overlay.stripes();
        let (top, lowest) = (stripes.top(), stripes.tiers().next());
        let Some(top) = top.filter(|top| Some(*top) != lowest) else {
            return false;
        };
        let class = self.overlay.class(member);
        self.serve_at_the_cost_of(now, member, top, |overlay, other| overlay.class(other) > class);
        self.feed(now, member)
    }
}
