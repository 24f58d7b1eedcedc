//! What happens when capacity runs out: who is asked to sponsor, in which order, for how long (from the paper that this
//! program realises, §2.2; `docs/protocol.md` §8).
//!
//! There is one open round at a time. It asks those who have lost quality with a parent, then the joiners that wait, then the leaves in
//! batches, free riders first. When nobody is left to ask, or the batches are used up, the shortage is concluded and the
//! broadcaster's choice applies. Who was asked is left in peace for a while; for a short one if the question was taken back before it was
//! answered.
//!
//! The first yes wins, and is a *pledge* until its relay serves: what it is to bring is held to be on its way, and nobody is
//! asked for that any more.

use crate::id::PeerId;
use crate::overlay::member::MemberIndex;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::control::{RoundKind, WithdrawReason};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// How long a joiner, or an orphan, thinks about it.
pub const JOINER_DEADLINE: Duration = Duration::from_secs(15);
/// How long a batch of leaves thinks about it.
pub const LEAVES_DEADLINE: Duration = Duration::from_secs(20);
/// How many leaves are asked at a time.
pub const BATCH: usize = 8;
/// How many batches of leaves are asked in one shortage.
pub const BATCHES: u8 = 3;
/// Uplink that may yet prove itself delays the first question for so long at most.
pub const UNPROVEN_PATIENCE: Duration = Duration::from_secs(5);
/// How long a yes is waited for to become a relay: a process takes two seconds, a machine a minute.
pub const PLEDGE_DEADLINE: Duration = Duration::from_secs(180);
/// Who was asked is left in peace for so long.
const PEACE: Duration = Duration::from_secs(600);
/// And for so long who has not answered yet when the shortage solves itself: it may come back, and they may be the only ones to ask.
const PEACE_UNANSWERED: Duration = Duration::from_secs(60);

/// Who lacks what, as the coordinator measures it now.
#[derive(Clone, Debug, Default)]
pub struct Shortage {
    /// Joiners without full quality that nothing has been decided about, oldest first.
    pub joiners: Vec<(MemberIndex, PeerId)>,
    /// Members that lost it with a parent, likewise.
    pub orphans: Vec<(MemberIndex, PeerId)>,
    /// Leaves that may be asked, free riders first.
    pub leaves: Vec<(MemberIndex, PeerId)>,
    /// Uplink that all who lack something lack together.
    pub missing: Bitrate,
    /// Whether uplink that is not proven yet could be enough.
    pub may_solve_itself: bool,
}

impl Shortage {
    fn exists(&self) -> bool {
        !self.joiners.is_empty() || !self.orphans.is_empty()
    }
}

/// What the coordinator is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this member.
    Ask {
        /// Whom.
        member: MemberIndex,
        /// The round's name.
        round: u64,
        /// Which kind it is.
        kind: RoundKind,
        /// How long the answer is waited for.
        deadline: Duration,
    },
    /// Tell this member that its yes counts.
    Choose {
        /// Whom.
        member: MemberIndex,
        /// The round's name.
        round: u64,
        /// Uplink that is missing, beyond what others have pledged.
        missing: Bitrate,
    },
    /// Tell this member that the question is withdrawn.
    Withdraw {
        /// Whom.
        member: MemberIndex,
        /// The round's name.
        round: u64,
        /// Why.
        why: WithdrawReason,
    },
    /// Nobody sponsors: refuse or degrade those who wait.
    Conclude,
}

#[derive(Debug)]
struct Round {
    number: u64,
    kind: RoundKind,
    ends: Instant,
    open: BTreeMap<PeerId, MemberIndex>,
}

/// A yes that counts, and whose relay is on its way.
#[derive(Clone, Copy, Debug)]
struct Pledge {
    member: MemberIndex,
    round: u64,
    until: Instant,
    missing: Bitrate,
}

/// The rounds of questions of one channel.
#[derive(Debug, Default)]
pub struct Admission {
    since: Option<Instant>,
    round: Option<Round>,
    batches: u8,
    last_number: u64,
    /// Who was asked, and until when nobody asks them again.
    in_peace: BTreeMap<PeerId, Instant>,
    pledges: BTreeMap<PeerId, Pledge>,
}

impl Admission {
    /// Whether a round is open.
    pub fn is_asking(&self) -> bool {
        self.round.is_some()
    }

    /// Looks at the shortage as it is now, and says what to do about it.
    pub fn poll(&mut self, now: Instant, shortage: &Shortage, steps: &mut Vec<Step>) {
        self.in_peace.retain(|_, until| now < *until);
        self.expire_pledges(now, steps);
        if !shortage.exists() {
            self.withdraw_all(now, WithdrawReason::Solved, steps);
            self.since = None;
            self.batches = 0;
            return;
        }
        let since = *self.since.get_or_insert(now);
        if shortage.missing <= self.pledged() && !self.pledges.is_empty() {
            self.withdraw_all(now, WithdrawReason::Taken, steps);
            return;
        }
        if shortage.may_solve_itself && now.since(since) < UNPROVEN_PATIENCE {
            return;
        }
        if let Some(round) = &self.round {
            if now < round.ends && !round.open.is_empty() {
                return;
            }
            self.withdraw_all(now, WithdrawReason::Expired, steps);
        }
        self.next_round(now, shortage, steps);
    }

    /// When [`poll`](Self::poll) has something to do by itself.
    pub fn wake_at(&self) -> Option<Instant> {
        self.round.as_ref().map(|round| round.ends)
    }

    /// A no came. Whether it answers a question that is open; it is closed by that.
    pub fn decline(&mut self, member: &PeerId, number: u64) -> bool {
        let round = self.round.as_mut().filter(|round| round.number == number);
        round.is_some_and(|round| round.open.remove(member).is_some())
    }

    /// A yes came. If its question is open it wins, and the others are withdrawn; else it is thanked for.
    pub fn accept(
        &mut self,
        now: Instant,
        asked: (MemberIndex, PeerId),
        number: u64,
        missing: Bitrate,
        steps: &mut Vec<Step>,
    ) {
        let (member, id) = asked;
        let round = number;
        if !self.decline(&id, number) {
            let taken = self.pledges.values().any(|pledge| pledge.round == number);
            let why = if taken {
                WithdrawReason::Taken
            } else {
                WithdrawReason::Expired
            };
            steps.push(Step::Withdraw { member, round, why });
            return;
        }
        let missing = missing.saturating_sub(self.pledged());
        let until = now + PLEDGE_DEADLINE;
        steps.push(Step::Choose {
            member,
            round,
            missing,
        });
        self.pledges.insert(
            id,
            Pledge {
                member,
                round,
                until,
                missing,
            },
        );
        self.withdraw_all(now, WithdrawReason::Taken, steps);
    }

    /// The pledge of a round has become a relay, or will not. Whether there was one.
    pub fn end_pledge(&mut self, member: &PeerId, round: u64) -> bool {
        let pledged = self
            .pledges
            .get(member)
            .is_some_and(|pledge| pledge.round == round);
        pledged && self.pledges.remove(member).is_some()
    }

    /// The uplink that is on its way.
    pub fn pledged(&self) -> Bitrate {
        self.pledges.values().map(|pledge| pledge.missing).sum()
    }

    /// A member went.
    pub fn forget(&mut self, member: &PeerId) {
        self.pledges.remove(member);
        if let Some(round) = &mut self.round {
            round.open.remove(member);
        }
    }

    fn expire_pledges(&mut self, now: Instant, steps: &mut Vec<Step>) {
        self.pledges.retain(|_, pledge| {
            if now >= pledge.until {
                steps.push(Step::Withdraw {
                    member: pledge.member,
                    round: pledge.round,
                    why: WithdrawReason::Expired,
                });
            }
            now < pledge.until
        });
    }

    fn withdraw_all(&mut self, now: Instant, why: WithdrawReason, steps: &mut Vec<Step>) {
        let Some(round) = self.round.take() else { return };
        let number = round.number;
        for id in round.open.keys() {
            match why {
                // They have not been heard, and may be asked the next time.
                WithdrawReason::Taken => drop(self.in_peace.remove(id)),
                WithdrawReason::Solved => drop(self.in_peace.insert(*id, now + PEACE_UNANSWERED)),
                _ => {}
            }
        }
        steps.extend(round.open.values().map(|member| Step::Withdraw {
            member: *member,
            round: number,
            why,
        }));
    }

    fn next_round(&mut self, now: Instant, shortage: &Shortage, steps: &mut Vec<Step>) {
        let orphans = self.not_asked(&shortage.orphans);
        let joiners = self.not_asked(&shortage.joiners);
        let leaves = self.not_asked(&shortage.leaves);
        if !orphans.is_empty() {
            self.open(now, RoundKind::Orphans, JOINER_DEADLINE, &orphans, steps);
        } else if !joiners.is_empty() {
            self.open(now, RoundKind::Joiner, JOINER_DEADLINE, &joiners, steps);
        } else if !leaves.is_empty() && self.batches < BATCHES {
            self.batches += 1;
            self.open(now, RoundKind::Leaves, LEAVES_DEADLINE, &leaves, steps);
        } else if self.pledges.is_empty() {
            self.since = None;
            self.batches = 0;
            steps.push(Step::Conclude);
        }
    }

    fn not_asked(&self, members: &[(MemberIndex, PeerId)]) -> Vec<(MemberIndex, PeerId)> {
        let fresh = members.iter().filter(|(_, id)| !self.in_peace.contains_key(id));
        fresh.take(BATCH).copied().collect()
    }

    fn open(
        &mut self,
        now: Instant,
        kind: RoundKind,
        deadline: Duration,
        members: &[(MemberIndex, PeerId)],
        steps: &mut Vec<Step>,
    ) {
        self.last_number += 1;
        let round = self.last_number;
        for (member, id) in members {
            self.in_peace.insert(*id, now + PEACE);
            steps.push(Step::Ask {
                member: *member,
                round,
                kind,
                deadline,
            });
        }
        let open = members.iter().map(|(member, id)| (*id, *member)).collect();
        self.round = Some(Round {
            number: round,
            kind,
            ends: now + deadline,
            open,
        });
    }

    /// Which kind of round is open.
    pub fn kind(&self) -> Option<RoundKind> {
        self.round.as_ref().map(|round| round.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn member(n: u8) -> (MemberIndex, PeerId) {
        (MemberIndex(u32::from(n)), PeerId([n; 16]))
    }

    fn at(s: u64) -> Instant {
        Instant::from_micros(s * 1_000_000)
    }

    fn poll(admission: &mut Admission, s: u64, shortage: &Shortage) -> Vec<Step> {
        let mut steps = Vec::new();
        admission.poll(at(s), shortage, &mut steps);
        steps
    }

    fn asked(steps: &[Step]) -> Vec<(u32, RoundKind)> {
        let ask = |step: &Step| match step {
            Step::Ask { member, kind, .. } => Some((member.0, *kind)),
            _ => None,
        };
        steps.iter().filter_map(ask).collect()
    }

    #[test]
    fn joiner_then_leaves_in_batches_then_the_end() {
        let leaves = (10..40).map(member).collect();
        let shortage = Shortage {
            joiners: vec![member(1)],
            leaves,
            ..Shortage::default()
        };
        let mut admission = Admission::default();
        assert_eq!(
            asked(&poll(&mut admission, 0, &shortage)),
            [(1, RoundKind::Joiner)]
        );
        assert_eq!(poll(&mut admission, 14, &shortage), []);
        for batch in 0..3u32 {
            let steps = poll(&mut admission, 15 + 20 * u64::from(batch), &shortage);
            let expected: Vec<_> = (10 + 8 * batch..18 + 8 * batch)
                .map(|n| (n, RoundKind::Leaves))
                .collect();
            assert_eq!(asked(&steps), expected);
        }
        let end = poll(&mut admission, 75, &shortage);
        assert_eq!(end.last(), Some(&Step::Conclude));
        assert_eq!(end.len(), 9, "the last eight are told that it is over");
        assert!(!admission.is_asking());
    }

    #[test]
    fn a_batch_that_has_answered_makes_way_at_once() {
        let shortage = Shortage {
            orphans: vec![member(1)],
            leaves: vec![member(2)],
            ..Shortage::default()
        };
        let mut admission = Admission::default();
        assert_eq!(
            asked(&poll(&mut admission, 0, &shortage)),
            [(1, RoundKind::Orphans)]
        );
        assert!(admission.decline(&member(1).1, 1));
        assert!(!admission.decline(&member(1).1, 1), "an answer counts once");
        assert_eq!(
            asked(&poll(&mut admission, 1, &shortage)),
            [(2, RoundKind::Leaves)]
        );
    }

    #[test]
    fn unproven_uplink_delays_the_first_question_only_so_long() {
        let shortage = Shortage {
            joiners: vec![member(1)],
            may_solve_itself: true,
            ..Shortage::default()
        };
        let mut admission = Admission::default();
        assert_eq!(poll(&mut admission, 0, &shortage), []);
        assert_eq!(poll(&mut admission, 4, &shortage), []);
        assert_eq!(
            asked(&poll(&mut admission, 5, &shortage)),
            [(1, RoundKind::Joiner)]
        );
    }

    #[test]
    fn a_solved_shortage_withdraws_and_who_has_not_answered_is_asked_again_after_a_minute() {
        let shortage = Shortage {
            joiners: vec![member(1)],
            ..Shortage::default()
        };
        let mut admission = Admission::default();
        poll(&mut admission, 0, &shortage);
        let steps = poll(&mut admission, 1, &Shortage::default());
        let withdrawn = Step::Withdraw {
            member: member(1).0,
            round: 1,
            why: WithdrawReason::Solved,
        };
        assert_eq!(steps, [withdrawn]);
        assert_eq!(poll(&mut admission, 2, &shortage), [Step::Conclude]);
        assert_eq!(poll(&mut admission, 60, &shortage), [Step::Conclude]);
        assert_eq!(
            asked(&poll(&mut admission, 61, &shortage)),
            [(1, RoundKind::Joiner)]
        );
    }

    #[test]
    fn who_declined_is_left_in_peace_also_when_the_shortage_solves_itself() {
        let shortage = Shortage {
            joiners: vec![member(1), member(2)],
            ..Shortage::default()
        };
        let mut admission = Admission::default();
        poll(&mut admission, 0, &shortage);
        assert!(admission.decline(&member(1).1, 1));
        poll(&mut admission, 1, &Shortage::default());
        assert_eq!(
            asked(&poll(&mut admission, 61, &shortage)),
            [(2, RoundKind::Joiner)]
        );
        assert!(admission.decline(&member(2).1, 2));
        assert_eq!(poll(&mut admission, 599, &shortage), [Step::Conclude]);
        assert_eq!(
            asked(&poll(&mut admission, 600, &shortage)),
            [(1, RoundKind::Joiner)]
        );
    }
}
