//! The machine itself: asking for it, waiting for its address, and ending it.

use super::refused::cancelled;
use super::{Candidate, Launch, Phase, Step, Then};
use crate::ec2::call::{Instance, InstanceState, Refusal};
use crate::ec2::refusal::Meaning;
use crate::failure::{Failure, Why};
use crate::ledger::{Attempt, Entry, State};
use crate::provider::{Machine, Progress};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long after a machine was asked for EC2 may still say that it does not know it.
const KNOWN_WITHIN: Duration = Duration::from_secs(60);

/// A machine that runs gets its address with it.
const ADDRESS_WITHIN: Duration = Duration::from_secs(30);

/// How often a machine is looked at that EC2 takes its time with.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A machine has its address a moment after it was made, so the first looks at it come sooner.
const FIRST_LOOK: Duration = Duration::from_millis(250);

/// EC2 takes no request that is older than minutes, by its signature; so a request that old and without a machine made
/// none, and never will.
pub(crate) const PROOF_AGE: Duration = Duration::from_secs(16 * 60);

impl Launch {
    /// Goes on where an earlier process left off.
    pub(super) fn take_up(&mut self, now: Duration, attempt: Attempt) {
        let same = |candidate: &Candidate| candidate.run.token == attempt.token;
        let index = self.candidates.iter().position(same);
        let candidate = index.and_then(|index| self.candidates.remove(index));
        match (attempt.state, candidate) {
            (State::Alive { handle, .. }, Some(candidate)) => {
                // From now on it is this process's: others' sweeps leave it alone.
                self.record(candidate.attempt(&self.spec));
                self.alive(&candidate, &handle);
                self.boot(now, candidate, handle);
            }
            (State::Alive { handle, .. }, None) => {
                self.end(handle, "it was launched for another request", Then::Next);
            }
            (_, Some(candidate)) => self.run(candidate, true),
            (_, None) => {
                self.phase = Phase::Trace {
                    token: attempt.token,
                    age: self.spec.left_age,
                };
            }
        }
    }

    pub(super) fn next_candidate(&mut self) {
        match self.candidates.pop_front() {
            _ if self.cancelled => self.over(Err(cancelled())),
            Some(candidate) => self.run(candidate, false),
            None => {
                let region = &self.spec.region;
                let failure = match &self.last {
                    Some(refusal) => refusal.failure("RunInstances", region),
                    None => Failure::new(
                        Why::Image,
                        format!(
                            "none of the wanted machine types has an image in {region}; choose another type"
                        ),
                    ),
                };
                self.over(Err(failure));
            }
        }
    }

    /// Asks for a machine, after the ledger has it.
    pub(super) fn run(&mut self, candidate: Candidate, unsure: bool) {
        self.tries = 0;
        self.record(candidate.attempt(&self.spec));
        self.first.push_back(Step::Tell(Progress::Asking {
            zone: candidate.run.zone.clone(),
            kind: candidate.run.kind.clone(),
        }));
        self.phase = Phase::Run { candidate, unsure };
    }

    pub(super) fn took_machine(&mut self, now: Duration, candidate: Candidate, instances: Vec<Instance>) {
        let Some(instance) = instances.first() else {
            // EC2 said yes and named nothing: look for it by its tag.
            let refusal = Refusal::NoAnswer("EC2 named no machine".into());
            self.phase = Phase::Prove { candidate, refusal };
            return;
        };
        self.alive(&candidate, &instance.id);
        self.boot(now, candidate, instance.id.clone());
        self.looked(now, &instances);
        // Who answers the next look may not have heard of it yet.
        if let Phase::Boot { seen, .. } = &mut self.phase {
            *seen = false;
        }
    }

    pub(super) fn alive(&mut self, candidate: &Candidate, handle: &str) {
        self.record(Entry::Alive {
            lease: self.spec.boot.lease.id,
            token: candidate.run.token.clone(),
            handle: handle.to_owned(),
        });
    }

    pub(super) fn boot(&mut self, now: Duration, candidate: Candidate, handle: String) {
        self.tries = 0;
        self.first.push_back(Step::Tell(Progress::Booting {
            handle: handle.clone(),
        }));
        self.phase = Phase::Boot {
            candidate,
            handle,
            since: now,
            seen: false,
        };
    }

    /// What there is of a machine whose request was refused after it may have been granted.
    pub(super) fn proved(&mut self, now: Duration, instances: Vec<Instance>) {
        let Phase::Prove { candidate, refusal } = &self.phase else {
            unreachable!("it is answered in its own phase")
        };
        let (candidate, refusal) = (candidate.clone(), refusal.clone());
        let alive = |instance: &Instance| instance.state != InstanceState::Ended;
        if instances.iter().any(alive) {
            let alive = instances.into_iter().filter(alive).collect();
            self.took_machine(now, candidate, alive);
        } else if refusal.meaning() == Meaning::Unknown {
            // Asked again, the same token says what became of it.
            self.phase = Phase::Run {
                candidate,
                unsure: true,
            };
            self.first.push_back(Step::Wait(LOOK_EVERY));
        } else {
            self.go_elsewhere(&candidate, refusal);
        }
    }

    /// What a token made whose request is lost: it is ended, for nobody has its secret any more.
    pub(super) fn traced(&mut self, now: Duration, instances: &[Instance]) {
        let Phase::Trace { token, age } = &self.phase else {
            unreachable!("it is answered in its own phase")
        };
        let (token, age) = (token.clone(), *age);
        let lease = self.spec.boot.lease.id;
        let alive = |instance: &&Instance| instance.state != InstanceState::Ended;
        if let Some(instance) = instances.iter().find(alive) {
            let handle = instance.id.clone();
            self.record(Entry::Alive { lease, token, handle });
            self.end(instance.id.clone(), "its request was lost", Then::Next);
        } else if !instances.is_empty() || age.saturating_add(now) >= PROOF_AGE {
            let why = "it made nothing that lives".into();
            self.record(Entry::Refused { lease, token, why });
            self.next_candidate();
        } else {
            self.first.push_back(Step::Wait(Duration::from_secs(5)));
        }
    }

    /// A look at the booting machine.
    pub(super) fn looked(&mut self, now: Duration, instances: &[Instance]) {
        let Phase::Boot {
            candidate,
            handle,
            since,
            seen,
        } = &mut self.phase
        else {
            unreachable!("it is answered in its own phase")
        };
        let (waited, was_seen) = (now.saturating_sub(*since), *seen);
        let Some(instance) = instances.iter().find(|instance| instance.id == *handle) else {
            return self.not_there(waited, was_seen);
        };
        *seen = true;
        // One that makes an image may have done so already; nobody calls it anywhere.
        let is_done = candidate.run.stops && instance.state == InstanceState::Stopped;
        let address = instance.address.or(is_done.then_some(Ipv4Addr::UNSPECIFIED));
        match (instance.state, address) {
            (InstanceState::Ended, _) => self.vanished(&instance.why),
            (InstanceState::Stopped, _) if !is_done => {
                let handle = handle.clone();
                self.end(handle, "it stopped", Then::Next);
            }
            (_, Some(address)) => {
                let machine = Machine {
                    handle: handle.clone(),
                    address: (address, self.spec.boot.listen.port()).into(),
                    region: Some(self.spec.region.clone()),
                    zone: candidate.run.zone.clone(),
                    kind: candidate.run.kind.clone(),
                };
                self.ready(machine);
            }
            (InstanceState::Running, None) if waited >= ADDRESS_WITHIN => {
                let handle = handle.clone();
                let failure = Failure::new(
                    Why::NoNetwork,
                    "the machine got no public address; choose a subnet with a route to the internet",
                );
                self.end(handle, "it got no address", Then::Fail(failure));
            }
            (_, None) => {
                let wait = (waited / 2).clamp(FIRST_LOOK, LOOK_EVERY);
                self.first.push_back(Step::Wait(wait));
            }
        }
    }

    pub(super) fn ready(&mut self, machine: Machine) {
        self.record(Entry::Ready {
            lease: self.spec.boot.lease.id,
            handle: machine.handle.clone(),
            address: machine.address,
        });
        self.over(Ok(machine));
    }

    /// EC2 does not know the machine: not yet, or not any more.
    pub(super) fn not_there(&mut self, waited: Duration, seen: bool) {
        if seen {
            self.vanished("EC2 does not know it any more");
        } else if waited < KNOWN_WITHIN {
            self.first.push_back(Step::Wait(LOOK_EVERY));
        } else if let Phase::Boot { handle, .. } = &self.phase {
            let failure = Failure::new(
                Why::Vanished,
                "EC2 said that it had started the relay's machine, and does not know it; try again",
            );
            let handle = handle.clone();
            self.end(handle, "EC2 never knew it", Then::Fail(failure));
        }
    }

    /// The machine ended while it booted: EC2 could not keep it, or it, or somebody, ended it.
    pub(super) fn vanished(&mut self, why: &str) {
        let Phase::Boot { handle, .. } = &self.phase else {
            unreachable!("only a booting machine vanishes")
        };
        let (lease, handle) = (self.spec.boot.lease.id, handle.clone());
        self.record(Entry::Ended {
            lease,
            handle,
            why: why.to_owned(),
        });
        let word = why.split(':').next().unwrap_or_default();
        if let Some(code) = word.strip_prefix("Server.") {
            self.last = Some(Refusal::Code {
                code: code.to_owned(),
                message: why.to_owned(),
                ahead_s: None,
            });
            self.first
                .push_back(Step::Tell(Progress::Refused { why: code.to_owned() }));
            return self.next_candidate();
        }
        let by = match word {
            "Client.InstanceInitiatedShutdown" => {
                "powered itself off while it booted; its console, in the AWS console under “Get system log”, says why"
            }
            "Client.UserInitiatedShutdown" => "was ended by somebody while it booted; try again",
            _ => "went away while it booted; try again",
        };
        self.fail(Why::Vanished, format!("the relay's machine {by}"));
    }

    pub(super) fn end(&mut self, handle: String, why: &str, then: Then) {
        self.tries = 0;
        let why = why.to_owned();
        self.phase = Phase::End { handle, why, then };
    }

    pub(super) fn ending(&mut self, instances: &[Instance]) {
        if instances
            .iter()
            .all(|instance| instance.state == InstanceState::Ended)
        {
            self.ended();
        } else {
            self.first.push_back(Step::Wait(LOOK_EVERY));
        }
    }

    pub(super) fn ended(&mut self) {
        let nothing = Phase::Over(Err(cancelled()));
        let Phase::End { handle, why, then } = std::mem::replace(&mut self.phase, nothing) else {
            unreachable!("it is answered in its own phase")
        };
        let lease = self.spec.boot.lease.id;
        self.record(Entry::Ended { lease, handle, why });
        match then {
            Then::Next => self.next_candidate(),
            Then::Fail(failure) => self.over(Err(failure)),
        }
    }
}
