//! What EC2 refuses, what nobody answers, and giving up.

use super::{Candidate, DEADLINE, Launch, Phase, Step, Then};
use crate::ec2::call::Refusal;
use crate::ec2::refusal::Meaning;
use crate::failure::{Failure, Why};
use crate::ledger::Entry;
use crate::provider::{Machine, Progress};
use std::time::Duration;

/// How often a question that changes nothing is asked in vain.
const TRIES_MAX: u32 = 5;

/// How long a machine is tried to be ended beyond the deadline.
const END_DEADLINE: Duration = Duration::from_secs(300);

impl Launch {
    /// EC2 said no, or nothing.
    pub(super) fn refused(&mut self, now: Duration, refusal: Refusal) {
        let meaning = refusal.meaning();
        if matches!(meaning, Meaning::Again | Meaning::Unknown) {
            return self.again(&refusal);
        }
        match (&self.phase, meaning) {
            (Phase::Run { candidate, unsure }, _) => {
                let (candidate, unsure) = (candidate.clone(), *unsure);
                self.run_refused(candidate, unsure, refusal);
            }
            (Phase::MakeGroup, Meaning::Exists) => self.group_exists(),
            (Phase::OpenGroup, Meaning::Exists) => self.list_candidates(now),
            (Phase::Boot { .. }, Meaning::Gone) => self.looked(now, &[]),
            (Phase::Prove { .. }, Meaning::Gone) => self.proved(now, Vec::new()),
            (Phase::Trace { .. }, Meaning::Gone) => self.traced(now, &[]),
            (Phase::End { .. }, Meaning::Gone) => self.ended(),
            _ => {
                let failure = refusal.failure(self.action(), &self.spec.region);
                let may_run = self.may_run();
                self.over(Err(failure.leaving(may_run)));
            }
        }
    }

    /// The same again, a little later each time.
    pub(super) fn again(&mut self, refusal: &Refusal) {
        self.tries += 1;
        if let Phase::Run { unsure, .. } = &mut self.phase {
            *unsure |= refusal.meaning() == Meaning::Unknown;
        } else if self.tries >= TRIES_MAX && self.may_run().is_empty() {
            return self.over(Err(refusal.failure(self.action(), &self.spec.region)));
        }
        self.last = Some(refusal.clone());
        let doubled = 250u64 << self.tries.min(5);
        self.first.push_back(Step::Wait(Duration::from_millis(doubled)));
    }

    pub(super) fn run_refused(&mut self, candidate: Candidate, unsure: bool, refusal: Refusal) {
        match refusal.meaning() {
            Meaning::Mismatch => {
                let token = candidate.run.token;
                self.phase = Phase::Trace {
                    token,
                    age: Duration::ZERO,
                };
            }
            // It may have been granted before it was refused.
            _ if unsure => self.phase = Phase::Prove { candidate, refusal },
            _ => self.go_elsewhere(&candidate, refusal),
        }
    }

    /// The request made nothing that lives; whether another may is in the refusal.
    pub(super) fn go_elsewhere(&mut self, candidate: &Candidate, refusal: Refusal) {
        let why = refusal.word().to_owned();
        let (lease, token) = (self.spec.boot.lease.id, candidate.run.token.clone());
        self.record(Entry::Refused {
            lease,
            token,
            why: why.clone(),
        });
        match refusal.meaning() {
            Meaning::Elsewhere => {}
            Meaning::Smaller => {
                let least = candidate.processors();
                self.candidates.retain(|other| other.processors() < least);
            }
            Meaning::Final(Why::Image) => {
                let architecture = candidate.architecture();
                self.candidates
                    .retain(|other| other.architecture() != architecture);
            }
            _ => {
                let failure = refusal.failure("RunInstances", &self.spec.region);
                return self.over(Err(failure));
            }
        }
        self.first.push_back(Step::Tell(Progress::Refused { why }));
        self.last = Some(refusal);
        self.next_candidate();
    }

    pub(super) fn action(&self) -> &'static str {
        match self.request() {
            Step::Ask(call) => call.action(),
            _ => "nothing",
        }
    }

    /// What may be running at this point, in words.
    pub(super) fn may_run(&self) -> Vec<String> {
        let region = &self.spec.region;
        match &self.phase {
            Phase::Boot { handle, .. } | Phase::End { handle, .. } => vec![format!("{handle} in {region}")],
            Phase::Run { unsure: true, .. } | Phase::Prove { .. } | Phase::Trace { .. } => {
                vec![format!(
                    "a machine of lease {} in {region}",
                    self.spec.boot.lease.id
                )]
            }
            _ => Vec::new(),
        }
    }

    /// Nobody wants it any more.
    pub(super) fn wind_up(&mut self) {
        match &self.phase {
            Phase::Over(_) | Phase::End { .. } | Phase::Prove { .. } | Phase::Trace { .. } => {}
            Phase::Run { unsure: true, .. } => {}
            Phase::Boot { handle, .. } => {
                let handle = handle.clone();
                self.end(handle, "nobody wanted it any more", Then::Fail(cancelled()));
            }
            _ => self.stop_asking(cancelled()),
        }
    }

    /// It takes too long.
    pub(super) fn time_is_up(&mut self, now: Duration) {
        let region = self.spec.region.clone();
        let late = || {
            Failure::new(
                Why::Deadline,
                format!(
                    "the relay did not get ready in time in {region}; choose another region with --region, or try again"
                ),
            )
        };
        match &self.phase {
            Phase::Over(_) => {}
            Phase::Boot { handle, .. } => {
                let handle = handle.clone();
                self.end(handle, "it did not get ready in time", Then::Fail(late()));
            }
            Phase::End { .. } if now < END_DEADLINE => {}
            Phase::End { .. }
            | Phase::Prove { .. }
            | Phase::Trace { .. }
            | Phase::Run { unsure: true, .. } => {
                let sentence = format!(
                    "EC2 in {region} does not say whether it started a machine; it is looked for until that is clear"
                );
                let failure = Failure::new(Why::Unsure, sentence);
                let may_run = self.may_run();
                self.over(Err(failure.leaving(may_run)));
            }
            _ => {
                let failure = self
                    .last
                    .as_ref()
                    .map(|refusal| refusal.failure(self.action(), &region));
                self.stop_asking(failure.unwrap_or_else(late));
            }
        }
        debug_assert!(now >= DEADLINE, "it is not late");
    }

    /// The ledger cannot be written any more: nothing new is asked for, and what was made is ended.
    pub(crate) fn ledger_failed(&mut self, failure: Failure) {
        self.first.clear();
        self.ledger_broken = true;
        let may_run = self.may_run();
        match &self.phase {
            Phase::Boot { handle, .. } | Phase::Over(Ok(Machine { handle, .. })) => {
                let handle = handle.clone();
                self.end(handle, "the ledger cannot be written", Then::Fail(failure));
            }
            Phase::End { handle, .. } => {
                let handle = handle.clone();
                self.end(handle, "the ledger cannot be written", Then::Fail(failure));
            }
            _ => self.over(Err(failure.leaving(may_run))),
        }
    }

    /// Ends a launch that has made nothing.
    pub(super) fn stop_asking(&mut self, failure: Failure) {
        if let Phase::Run { candidate, .. } = &self.phase {
            let (lease, token) = (self.spec.boot.lease.id, candidate.run.token.clone());
            let why = "it was not asked for after all".into();
            self.record(Entry::Refused { lease, token, why });
        }
        self.over(Err(failure));
    }
}

pub(super) fn cancelled() -> Failure {
    Failure::new(Why::Cancelled, "nobody wants the relay any more")
}
