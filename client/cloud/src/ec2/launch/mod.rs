//! A launch, decided: which request next, given the answers so far. It sees no clock and no network.
//!
//! What it keeps is one promise: **at most one live machine for one lease, whatever fails.** So each request for a machine
//! is announced to the ledger first and has a token; a request that nobody answered is repeated with the same token until
//! it is answered; the next zone or type, with a new token, is tried only when the last is proved to have made nothing
//! that lives. What cannot be proved ends the launch, and is named.

mod candidate;
mod machine;
mod place;
mod refused;
mod steps;

pub(crate) use candidate::Candidate;
pub(crate) use machine::PROOF_AGE;
pub(crate) use place::group_name;

use super::call::{Answer, Architecture, Call, Image, Refusal, Subnet};
use super::image::{Source, Wish as ImageWish};
use crate::failure::{Failure, Why};
use crate::ledger::{Attempt, Entry, InstallId, Token};
use crate::money::Usd;
use crate::process::Mark;
use crate::provider::{Machine, Progress};
use crate::region::Region;
use banyan_protocol::role::relay::boot::Boot;
use std::collections::VecDeque;
use std::time::Duration;

/// A launch that takes longer is given up: whoever waits for it has been waiting for minutes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// What is launched, and where.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) region: Region,
    /// Machine types, the best first, with what an hour costs.
    pub(crate) kinds: Vec<(String, Usd)>,
    pub(crate) egress_gb: Usd,
    pub(crate) subnet: Option<String>,
    pub(crate) image: ImageWish,
    pub(crate) boot: Boot,
    pub(crate) install: InstallId,
    /// The process that launches.
    pub(crate) by: Mark,
    /// How long ago the request was announced that an earlier process left open.
    pub(crate) left_age: Duration,
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Write this into the ledger. If that fails, nothing more may be asked.
    Record(Entry),
    /// Tell this.
    Tell(Progress),
    /// Ask EC2.
    Ask(Call),
    /// Wait.
    Wait(Duration),
    /// It is over.
    Over(Result<Machine, Failure>),
}

/// A launch under way.
#[derive(Debug)]
pub(crate) struct Launch {
    spec: Spec,
    phase: Phase,
    /// What an earlier process left open for this lease.
    left: Option<Attempt>,
    /// Done before anything else is asked.
    first: VecDeque<Step>,
    subnets: Vec<Subnet>,
    /// What machines of an architecture boot from.
    images: Vec<(Architecture, Source, Image)>,
    group: String,
    candidates: VecDeque<Candidate>,
    /// The last refusal that sent it elsewhere.
    last: Option<Refusal>,
    cancelled: bool,
    looked_for_group_again: bool,
    ledger_broken: bool,
    /// How often the present request was repeated.
    tries: u32,
}

/// Where a launch is.
#[derive(Debug)]
enum Phase {
    /// Finding out where machines can be started.
    Subnets,
    /// Finding out what they boot from: this of the architectures, that of the sources.
    Images { architecture: usize, source: usize },
    /// Looking for our security group.
    Group,
    /// Making it.
    MakeGroup,
    /// Opening its port.
    OpenGroup,
    /// Asking for a machine. `unsure`: an earlier request with this token may have made one.
    Run { candidate: Candidate, unsure: bool },
    /// It was refused after a request that nobody answered: looking whether there is a machine all the same.
    Prove { candidate: Candidate, refusal: Refusal },
    /// Looking for what a token made whose request is not known any more, and was sent so long ago at least.
    Trace { token: Token, age: Duration },
    /// Waiting for an address.
    Boot {
        candidate: Candidate,
        handle: String,
        since: Duration,
        seen: bool,
    },
    /// Ending a machine.
    End { handle: String, why: String, then: Then },
    /// Over.
    Over(Result<Machine, Failure>),
}

/// What follows when a machine was ended.
#[derive(Debug)]
enum Then {
    /// The next candidate.
    Next,
    /// Failure.
    Fail(Failure),
}

impl Launch {
    /// Begins a launch. `left` is what the ledger says is open for this lease.
    ///
    /// # Panics
    /// If there are no machine types.
    pub(crate) fn new(spec: Spec, left: Option<Attempt>) -> Self {
        assert!(!spec.kinds.is_empty(), "a plan names a type");
        Self {
            spec,
            phase: Phase::Subnets,
            left,
            first: VecDeque::new(),
            subnets: Vec::new(),
            images: Vec::new(),
            group: String::new(),
            candidates: VecDeque::new(),
            last: None,
            cancelled: false,
            looked_for_group_again: false,
            ledger_broken: false,
            tries: 0,
        }
    }

    /// Nobody wants the relay any more: nothing new is asked for, and what was made is ended.
    pub(crate) fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// What is to be done now.
    pub(crate) fn step(&mut self, now: Duration) -> Step {
        if let Some(step) = self.first.pop_front() {
            return step;
        }
        if self.cancelled {
            self.wind_up();
        } else if now >= DEADLINE {
            self.time_is_up(now);
        }
        if let Some(step) = self.first.pop_front() {
            return step;
        }
        self.check_invariants();
        self.request()
    }

    /// What EC2 said to the last request.
    pub(crate) fn answered(&mut self, now: Duration, answer: Result<Answer, Refusal>) {
        match answer {
            Ok(answer) => {
                self.tries = 0;
                self.took(now, answer);
            }
            Err(refusal) => self.refused(now, refusal),
        }
        self.check_invariants();
    }

    /// A machine is known to exist exactly while one is booted or ended, and the ledger is told before more is asked.
    fn check_invariants(&self) {
        debug_assert!(
            !matches!(&self.phase, Phase::Run { .. }) || !self.group.is_empty(),
            "a machine needs a security group"
        );
        debug_assert!(self.first.len() <= 8, "steps pile up");
    }

    fn record(&mut self, entry: Entry) {
        if !self.ledger_broken {
            self.first.push_back(Step::Record(entry));
        }
    }

    fn over(&mut self, result: Result<Machine, Failure>) {
        self.phase = Phase::Over(result);
    }

    fn fail(&mut self, why: Why, sentence: impl Into<String>) {
        self.over(Err(Failure::new(why, sentence)));
    }
}

#[cfg(test)]
mod tests;
