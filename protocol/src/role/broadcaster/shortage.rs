//! What happens when what there is is not enough: members are asked, then refused or degraded.

use super::Broadcaster;
use super::ration::Cause;
use crate::event::Event;
use crate::io::Outbox;
use crate::overlay::admission::{Shortage, Step};
use crate::overlay::member::MemberIndex;
use crate::role::config::WhenFull;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::control::{Ask, Message, RefuseReason, RoundKind, WithdrawReason};
use alloc::string::ToString;
use alloc::vec::Vec;

/// Joiners of one network that count as a shortage, so that one host with a hundred keys makes nobody pay.
const JOINERS_A_PREFIX: usize = 2;

impl Broadcaster {
    /// Asks, withdraws, refuses or degrades, as the shortage demands.
    pub(super) fn manage_shortage(&mut self, now: Instant, out: &mut Outbox) {
        let shortage = self.shortage();
        let mut steps = Vec::new();
        self.admission.poll(now, &shortage, &mut steps);
        for step in steps {
            match step {
                Step::Ask {
                    member,
                    round,
                    kind,
                    deadline,
                } => self.ask(member, round, kind, deadline, out),
                Step::Withdraw { member, round, why } => self.withdraw(member, round, why, out),
                Step::Conclude => self.conclude(now, out),
            }
        }
    }

    fn shortage(&self) -> Shortage {
        let mut shortage = Shortage::default();
        let mut prefixes = alloc::collections::BTreeMap::new();
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
            list.push((*member, info.id));
        }
        if shortage.joiners.is_empty() && shortage.orphans.is_empty() {
            return shortage;
        }
        let room = self.overlay.room();
        shortage.may_solve_itself = room.free + room.unproven >= self.overlay.stripes().top_len() as u64;
        shortage.leaves = self.leaves();
        shortage
    }

    /// Who may be asked besides those who wait: leaves, free riders first.
    fn leaves(&self) -> Vec<(MemberIndex, crate::id::PeerId)> {
        let slot = self.overlay.stripes().top_slot();
        let asked = |member: &MemberIndex| {
            let info = self.overlay.member(*member);
            info.may_sponsor && info.is_active() && !info.is_interior() && !self.short.contains_key(member)
        };
        let mut leaves: Vec<MemberIndex> = self.overlay.viewers().filter(asked).collect();
        leaves.sort_by_key(|member| {
            (
                core::cmp::Reverse(self.overlay.member(*member).class(slot)),
                *member,
            )
        });
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
        if !info.may_sponsor {
            self.admission.answer(&info.id, round);
            return;
        }
        let Some(contact) = self.contacts.get(&member) else {
            return;
        };
        let ask = Ask {
            round,
            kind,
            deadline_ms: deadline.as_millis() as u32,
            helps: self.short.len() as u32,
            missing: self.missing(),
        };
        out.tell(contact.link, &Message::Ask(ask));
        let reason = match kind {
            RoundKind::Joiner => "there is no room for this viewer at full quality",
            RoundKind::Orphans => "a relaying peer left and there is no room for its viewers",
            RoundKind::Leaves => "there are not enough uplinks for everybody at full quality",
        };
        out.event(Event::SponsorAsked {
            peer: info.id,
            round: kind,
            reason: reason.to_string(),
        });
    }

    fn missing(&self) -> Bitrate {
        self.overlay.stripes().top_copy() * self.short.len() as u64
    }

    fn withdraw(&self, member: MemberIndex, round: u64, why: WithdrawReason, out: &mut Outbox) {
        if let Some(contact) = self.contacts.get(&member) {
            out.tell(contact.link, &Message::Withdraw { round, why });
        }
    }

    /// An answer came. Sponsored relays come with a later version: a yes is thanked for, and counts as a no.
    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        member: MemberIndex,
        round: u64,
        yes: bool,
        out: &mut Outbox,
    ) {
        let id = self.overlay.member(member).id;
        if self.admission.answer(&id, round) {
            if yes {
                self.withdraw(member, round, WithdrawReason::Unavailable, out);
            }
            self.manage_shortage(now, out);
        }
    }

    /// Nobody sponsors. Whoever there is room for by now is served; the others are refused or degraded.
    fn conclude(&mut self, now: Instant, out: &mut Outbox) {
        self.promote_all(now);
        let undecided = |(member, _): &(&MemberIndex, &Cause)| !self.decided.contains(member);
        let waiting = self.short.iter().filter(undecided);
        let waiting: Vec<_> = waiting.map(|(member, cause)| (*member, *cause)).collect();
        for (member, cause) in waiting {
            let refuse = self.config.when_full == WhenFull::Refuse && cause == Cause::Joined;
            if refuse || !self.degrade_for(now, member) {
                self.refuse(now, member, RefuseReason::Capacity, out);
            }
        }
        for member in self.short.keys().copied() {
            if self.overlay.member(member).tier.is_some() && self.decided.insert(member) {
                self.overlay.touch(member);
            }
        }
    }

    /// Makes the best of it for one who waits: the full stream if others are to be served after it, else a lower tier.
    /// Whether it has anything to see.
    fn degrade_for(&mut self, now: Instant, member: MemberIndex) -> bool {
        let stripes = self.overlay.stripes();
        let (slot, top, lowest) = (stripes.top_slot(), stripes.top(), stripes.tiers().next());
        let Some(top) = top.filter(|top| Some(*top) != lowest) else {
            return false;
        };
        let class = self.overlay.member(member).class(slot);
        self.serve_at_the_cost_of(now, member, top, |overlay, other| {
            overlay.member(other).class(slot) > class
        });
        self.feed(now, member)
    }
}
