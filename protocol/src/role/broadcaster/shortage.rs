//! Serving members with what there is, and what happens when it is not enough.

use super::Broadcaster;
use crate::event::Event;
use crate::io::Outbox;
use crate::overlay::admission::{Shortage, Step};
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::StripeIndex;
use crate::role::config::WhenFull;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::control::{Ask, Message, RefuseReason, RoundKind, WithdrawReason};
use crate::wire::ticket::Class;
use alloc::string::ToString;
use alloc::vec::Vec;

/// After quality was taken from somebody, it is given back to nobody for so long: else it goes to and fro.
const CALM_AFTER_DEGRADING: Duration = Duration::from_secs(3);

/// Joiners of one network that count as a shortage, so that one host with a hundred keys makes nobody pay.
const JOINERS_A_PREFIX: usize = 2;

/// Why a member has less than the full stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It came when there was no room.
    Joined,
    /// It lost a parent.
    Lost,
}

impl Broadcaster {
    /// Gives a member what there is room for.
    pub(super) fn serve(&mut self, now: Instant, member: MemberIndex) {
        let Some(top) = self.overlay.stripes().top() else {
            return;
        };
        if self.overlay.serve(now, member, top) {
            self.short.remove(&member);
            self.decided.remove(&member);
        } else {
            self.short.entry(member).or_insert(Cause::Joined);
        }
        if self.overlay.member(member).tier.is_some() {
            self.newly_served.insert(member);
        } else {
            // Whatever was decided, it was not that this one sees nothing.
            self.decided.remove(&member);
        }
    }

    /// Finds new seats for orphans. Who finds none and carries others is given the seat of somebody who doesn't; the rest
    /// have a lower tier meanwhile.
    pub(super) fn reseat(&mut self, now: Instant, orphans: Vec<(MemberIndex, StripeIndex)>) {
        for member in self.overlay.reseat(now, orphans) {
            let class = self
                .overlay
                .member(member)
                .class(self.overlay.stripes().top_slot());
            // Whoever is degraded has a seat on every stripe: one for each that is missing is enough, or else none helps.
            let missing = self.overlay.orphaned_places(member);
            for _ in 0..missing {
                if class != Class::Interior || self.overlay.is_seated(member) {
                    break;
                }
                let Some(victim) = self.overlay.degrade_one(now, member, class) else {
                    break;
                };
                self.short.insert(victim, Cause::Lost);
                self.overlay.reseat_member(now, member);
                self.degraded_at = Some(now);
                self.unserved.insert(victim);
            }
            if !self.overlay.is_seated(member) {
                self.overlay.lose_tier(now, member);
                self.short.insert(member, Cause::Lost);
                self.unserved.insert(member);
            }
        }
        for member in core::mem::take(&mut self.unserved) {
            self.serve(now, member);
        }
    }

    /// Gives the full stream to those who lack it, as soon as there is room: those who carry others first.
    pub(super) fn promote(&mut self, now: Instant) {
        if self.short.is_empty()
            || self
                .degraded_at
                .is_some_and(|at| now.since(at) < CALM_AFTER_DEGRADING)
        {
            return;
        }
        let slot = self.overlay.stripes().top_slot();
        let mut waiting: Vec<MemberIndex> = self.short.keys().copied().collect();
        waiting
            .retain(|member| !self.joining.contains_key(member) && self.overlay.member(*member).is_active());
        waiting.sort_by_key(|member| {
            let info = self.overlay.member(*member);
            (info.class(slot), info.joined, *member)
        });
        for member in waiting {
            self.serve(now, member);
        }
    }

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

    /// Nobody sponsors.
    fn conclude(&mut self, now: Instant, out: &mut Outbox) {
        let waiting: Vec<_> = self
            .short
            .iter()
            .map(|(member, cause)| (*member, *cause))
            .collect();
        for (member, cause) in waiting {
            if self.decided.contains(&member) {
                continue;
            }
            let refuse = self.config.when_full == WhenFull::Refuse && cause == Cause::Joined;
            if refuse || !self.degrade_for(now, member) {
                self.refuse(now, member, RefuseReason::Capacity, out);
            } else {
                self.decided.insert(member);
                self.overlay.touch(member);
            }
        }
    }

    /// Makes the best of it for one who waits: the full stream if others are to be served after it, else a lower tier.
    /// Whether it has anything to see.
    fn degrade_for(&mut self, now: Instant, member: MemberIndex) -> bool {
        let slot = self.overlay.stripes().top_slot();
        let class = self.overlay.member(member).class(slot);
        let Some(lowest) = self.overlay.stripes().tiers().next() else {
            return false;
        };
        let top = self.overlay.stripes().top().expect("there is a lowest tier");
        let deserves_all = class < Class::FreeRider;
        if lowest == top {
            return false;
        }
        loop {
            let tier = self.overlay.member(member).tier;
            if tier == Some(top) || (tier.is_some() && !deserves_all) {
                break;
            }
            let below = if deserves_all { class } else { Class::Leaf };
            let Some(victim) = self.overlay.degrade_one(now, member, below) else {
                break;
            };
            self.degraded_at = Some(now);
            self.serve(now, member);
            self.serve(now, victim);
            self.decided.insert(victim);
            self.short.entry(victim).or_insert(Cause::Lost);
        }
        self.overlay.member(member).tier.is_some()
    }
}
