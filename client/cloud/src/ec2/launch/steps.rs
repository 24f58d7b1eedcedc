//! The steps of a launch, phase by phase.

use super::{Candidate, DEADLINE, Launch, Phase, Step, Then};
use crate::ec2::call::{Answer, Architecture, Call, Group, Image, Instance, InstanceState, Refusal, Subnet};
use crate::ec2::image::newest;
use crate::ec2::refusal::Meaning;
use crate::ec2::tags;
use crate::failure::{Failure, Why};
use crate::ledger::{Attempt, Entry, State, Token};
use crate::provider::{Machine, Progress};
use std::time::Duration;

/// How long after a machine was asked for EC2 may still say that it does not know it.
const KNOWN_WITHIN: Duration = Duration::from_secs(60);

/// A machine that runs gets its address with it.
const ADDRESS_WITHIN: Duration = Duration::from_secs(30);

/// How often a booting machine is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// EC2 takes no request that is older than minutes, by its signature; so a request that old and without a machine made
/// none, and never will.
const PROOF_AGE: Duration = Duration::from_secs(16 * 60);

/// How often a question that changes nothing is asked in vain.
const TRIES_MAX: u32 = 5;

/// How long a machine is tried to be ended beyond the deadline.
const END_DEADLINE: Duration = Duration::from_secs(300);

/// More zones and types than that do not get a relay to anybody who waits for one.
const CANDIDATES_MAX: usize = 24;

impl Launch {
    /// The request of the present phase.
    pub(super) fn request(&self) -> Step {
        Step::Ask(match &self.phase {
            Phase::Subnets => Call::Subnets {
                chosen: self.spec.subnet.clone(),
            },
            Phase::Images { architecture, source } => self.ask_images(*architecture, *source),
            Phase::Group => Call::Groups {
                network: self.network(),
                name: self.group_name(),
            },
            Phase::MakeGroup => Call::MakeGroup {
                network: self.network(),
                name: self.group_name(),
                tags: tags::lasting(),
                dry: false,
            },
            Phase::OpenGroup => Call::OpenGroup {
                group: self.group.clone(),
                port: self.port(),
            },
            Phase::Run { candidate, .. } => Call::Run {
                run: Box::new(candidate.run.clone()),
                dry: false,
            },
            Phase::Prove { candidate, .. } => find(&candidate.run.token),
            Phase::Trace { token, .. } => find(token),
            Phase::Boot { handle, .. } => Call::Look {
                handle: handle.clone(),
            },
            Phase::End { handle, .. } => Call::End {
                handle: handle.clone(),
                dry: false,
            },
            Phase::Over(result) => return Step::Over(result.clone()),
        })
    }

    /// An answer to the request of the present phase.
    ///
    /// # Panics
    /// If it is an answer to another.
    pub(super) fn took(&mut self, now: Duration, answer: Answer) {
        match (&self.phase, answer) {
            (Phase::Subnets, Answer::Subnets(subnets)) => self.took_subnets(subnets),
            (Phase::Images { architecture, source }, Answer::Images(images)) => {
                let at = (*architecture, *source);
                self.took_images(at, images);
            }
            (Phase::Group, Answer::Groups(groups)) => self.took_groups(groups),
            (Phase::MakeGroup, Answer::Group(id)) => {
                self.group = id;
                self.phase = Phase::OpenGroup;
            }
            (Phase::OpenGroup, Answer::Done) => self.list_candidates(now),
            (Phase::Run { candidate, .. }, Answer::Instances(instances)) => {
                let candidate = candidate.clone();
                self.took_machine(now, candidate, instances);
            }
            (Phase::Prove { .. }, Answer::Instances(instances)) => self.proved(now, instances),
            (Phase::Trace { .. }, Answer::Instances(instances)) => self.traced(now, &instances),
            (Phase::Boot { .. }, Answer::Instances(instances)) => self.looked(now, &instances),
            (Phase::End { .. }, Answer::Instances(instances)) => self.ending(&instances),
            (phase, answer) => panic!("EC2 was asked for {phase:?}, and answers {answer:?}"),
        }
    }

    fn took_subnets(&mut self, subnets: Vec<Subnet>) {
        if !subnets.is_empty() {
            self.subnets = subnets;
            self.phase = Phase::Images { architecture: 0, source: 0 };
            return;
        }
        let region = &self.spec.region;
        let sentence = match &self.spec.subnet {
            Some(subnet) => format!("there is no subnet {subnet} in {region}; choose one that is there"),
            None => format!(
                "the AWS account has no default network in {region}; make one with “aws ec2 create-default-vpc --region {region}”, or choose another region with --region"
            ),
        };
        self.fail(Why::NoNetwork, sentence);
    }

    /// The processors of the wanted types, each once, in their order.
    fn architectures(&self) -> Vec<Architecture> {
        let mut all = Vec::new();
        for (kind, _) in &self.spec.kinds {
            let architecture = Architecture::of(kind);
            if !all.contains(&architecture) {
                all.push(architecture);
            }
        }
        all
    }

    fn ask_images(&self, architecture: usize, source: usize) -> Call {
        let architecture = self.architectures()[architecture];
        let (owner, name) = self.spec.image.sources(architecture)[source].query(architecture);
        Call::Images { owner, name, architecture }
    }

    fn took_images(&mut self, (index, source): (usize, usize), images: Vec<Image>) {
        let architectures = self.architectures();
        let sources = self.spec.image.sources(architectures[index]);
        let mut next = (index + 1, 0);
        match newest(images) {
            Some(image) => self.images.push((architectures[index], sources[source].clone(), image)),
            None if source + 1 < sources.len() => next = (index, source + 1),
            None => {}
        }
        if next.0 < architectures.len() {
            let (architecture, source) = next;
            self.phase = Phase::Images { architecture, source };
        } else if self.images.is_empty() {
            self.no_image();
        } else {
            self.phase = Phase::Group;
        }
    }

    fn no_image(&mut self) {
        let region = self.spec.region.clone();
        self.fail(
            Why::Image,
            format!(
                "there is no relay image in {region}, and no released relay is known that Debian's image could fetch; name one of them under [cloud] in the config file, or make an image with packer"
            ),
        );
    }

    fn network(&self) -> String {
        self.subnets[0].network.clone()
    }

    fn port(&self) -> u16 {
        self.spec.boot.listen.port()
    }

    fn group_name(&self) -> String {
        group_name(self.port())
    }

    fn took_groups(&mut self, groups: Vec<Group>) {
        let Some(group) = groups.into_iter().next() else {
            self.phase = Phase::MakeGroup;
            return;
        };
        let port = i32::from(self.port());
        let ours = |(protocol, first, last): &(String, i32, i32)| protocol == "udp" && (*first, *last) == (port, port);
        if !group.lets_in.iter().all(ours) {
            let (name, id) = (self.group_name(), group.id);
            return self.fail(
                Why::Refused,
                format!("the security group {name} ({id}) lets in more than UDP port {port}; delete it, and Banyan makes it anew"),
            );
        }
        self.group = group.id;
        // Opening an open port is refused and does no harm; a group may have been left half made.
        self.phase = Phase::OpenGroup;
    }

    /// All types in all zones, the best type first; then what was left open, or the first of them.
    fn list_candidates(&mut self, now: Duration) {
        for kind in &self.spec.kinds {
            let architecture = Architecture::of(&kind.0);
            let Some((_, source, image)) = self.images.iter().find(|(of, ..)| *of == architecture) else {
                continue;
            };
            for subnet in &self.subnets {
                match Candidate::new(&self.spec, kind, subnet, &self.group, (source, image)) {
                    Ok(candidate) => self.candidates.push_back(candidate),
                    Err(failure) => return self.over(Err(failure)),
                }
            }
        }
        self.candidates.truncate(CANDIDATES_MAX);
        match self.left.take() {
            Some(attempt) => self.take_up(now, attempt),
            None => self.next_candidate(),
        }
    }

    /// Goes on where an earlier process left off.
    fn take_up(&mut self, now: Duration, attempt: Attempt) {
        let same = |candidate: &Candidate| candidate.run.token == attempt.token;
        let index = self.candidates.iter().position(same);
        let candidate = index.and_then(|index| self.candidates.remove(index));
        match (attempt.state, candidate) {
            (State::Alive { handle, .. }, Some(candidate)) => self.boot(now, candidate, handle),
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

    fn next_candidate(&mut self) {
        match self.candidates.pop_front() {
            _ if self.cancelled => self.over(Err(cancelled())),
            Some(candidate) => self.run(candidate, false),
            None => {
                let region = &self.spec.region;
                let failure = match &self.last {
                    Some(refusal) => refusal.failure("RunInstances", region),
                    None => Failure::new(
                        Why::Image,
                        format!("none of the wanted machine types has an image in {region}; choose another type"),
                    ),
                };
                self.over(Err(failure));
            }
        }
    }

    /// Asks for a machine, after the ledger has it.
    fn run(&mut self, candidate: Candidate, unsure: bool) {
        self.tries = 0;
        self.record(candidate.attempt(&self.spec));
        self.first.push_back(Step::Tell(Progress::Asking {
            zone: candidate.run.zone.clone(),
            kind: candidate.run.kind.clone(),
        }));
        self.phase = Phase::Run { candidate, unsure };
    }

    fn took_machine(&mut self, now: Duration, candidate: Candidate, instances: Vec<Instance>) {
        let Some(instance) = instances.first() else {
            // EC2 said yes and named nothing: look for it by its tag.
            let refusal = Refusal::NoAnswer("EC2 named no machine".into());
            self.phase = Phase::Prove { candidate, refusal };
            return;
        };
        self.alive(&candidate, &instance.id);
        self.boot(now, candidate, instance.id.clone());
        self.looked(now, &instances);
    }

    fn alive(&mut self, candidate: &Candidate, handle: &str) {
        self.record(Entry::Alive {
            lease: self.spec.lease.id,
            token: candidate.run.token.clone(),
            handle: handle.to_owned(),
        });
    }

    fn boot(&mut self, now: Duration, candidate: Candidate, handle: String) {
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
    fn proved(&mut self, now: Duration, instances: Vec<Instance>) {
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
            self.phase = Phase::Run { candidate, unsure: true };
            self.first.push_back(Step::Wait(LOOK_EVERY));
        } else {
            self.go_elsewhere(&candidate, refusal);
        }
    }

    /// What a token made whose request is lost: it is ended, for nobody has its secret any more.
    fn traced(&mut self, now: Duration, instances: &[Instance]) {
        let Phase::Trace { token, age } = &self.phase else {
            unreachable!("it is answered in its own phase")
        };
        let (token, age) = (token.clone(), *age);
        let lease = self.spec.lease.id;
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
    fn looked(&mut self, now: Duration, instances: &[Instance]) {
        let Phase::Boot { candidate, handle, since, seen } = &mut self.phase else {
            unreachable!("it is answered in its own phase")
        };
        let (waited, was_seen) = (now.saturating_sub(*since), *seen);
        let Some(instance) = instances.iter().find(|instance| instance.id == *handle) else {
            return self.not_there(waited, was_seen);
        };
        *seen = true;
        match (instance.state, instance.address) {
            (InstanceState::Ended, _) => self.vanished(&instance.why),
            (InstanceState::Stopped, _) => {
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
            (InstanceState::Pending | InstanceState::Running, None) => self.first.push_back(Step::Wait(LOOK_EVERY)),
        }
    }

    fn ready(&mut self, machine: Machine) {
        self.record(Entry::Ready {
            lease: self.spec.lease.id,
            handle: machine.handle.clone(),
            address: machine.address,
        });
        self.over(Ok(machine));
    }

    /// EC2 does not know the machine: not yet, or not any more.
    fn not_there(&mut self, waited: Duration, seen: bool) {
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
    fn vanished(&mut self, why: &str) {
        let Phase::Boot { handle, .. } = &self.phase else {
            unreachable!("only a booting machine vanishes")
        };
        let (lease, handle) = (self.spec.lease.id, handle.clone());
        self.record(Entry::Ended { lease, handle, why: why.to_owned() });
        let word = why.split(':').next().unwrap_or_default();
        if let Some(code) = word.strip_prefix("Server.") {
            self.last = Some(Refusal::Code {
                code: code.to_owned(),
                message: why.to_owned(),
                ahead_s: None,
            });
            self.first.push_back(Step::Tell(Progress::Refused { why: code.to_owned() }));
            return self.next_candidate();
        }
        let by = match word {
            "Client.InstanceInitiatedShutdown" => "powered itself off while it booted; its console, in the AWS console under “Get system log”, says why",
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

    fn ending(&mut self, instances: &[Instance]) {
        if instances.iter().all(|instance| instance.state == InstanceState::Ended) {
            self.ended();
        } else {
            self.first.push_back(Step::Wait(LOOK_EVERY));
        }
    }

    fn ended(&mut self) {
        let nothing = Phase::Over(Err(cancelled()));
        let Phase::End { handle, why, then } = std::mem::replace(&mut self.phase, nothing) else {
            unreachable!("it is answered in its own phase")
        };
        let lease = self.spec.lease.id;
        self.record(Entry::Ended { lease, handle, why });
        match then {
            Then::Next => self.next_candidate(),
            Then::Fail(failure) => self.over(Err(failure)),
        }
    }

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
    fn again(&mut self, refusal: &Refusal) {
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

    fn run_refused(&mut self, candidate: Candidate, unsure: bool, refusal: Refusal) {
        match refusal.meaning() {
            Meaning::Mismatch => {
                let token = candidate.run.token;
                self.phase = Phase::Trace { token, age: Duration::ZERO };
            }
            // It may have been granted before it was refused.
            _ if unsure => self.phase = Phase::Prove { candidate, refusal },
            _ => self.go_elsewhere(&candidate, refusal),
        }
    }

    /// The request made nothing that lives; whether another may is in the refusal.
    fn go_elsewhere(&mut self, candidate: &Candidate, refusal: Refusal) {
        let why = refusal.word().to_owned();
        let (lease, token) = (self.spec.lease.id, candidate.run.token.clone());
        self.record(Entry::Refused { lease, token, why: why.clone() });
        match refusal.meaning() {
            Meaning::Elsewhere => {}
            Meaning::Smaller => {
                let least = candidate.processors();
                self.candidates.retain(|other| other.processors() < least);
            }
            Meaning::Final(Why::Image) => {
                let architecture = candidate.architecture();
                self.candidates.retain(|other| other.architecture() != architecture);
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

    /// Another process may have made it a moment ago; if not, somebody else's is in the way.
    fn group_exists(&mut self) {
        if !self.looked_for_group_again {
            self.looked_for_group_again = true;
            self.phase = Phase::Group;
            return;
        }
        let name = self.group_name();
        self.fail(
            Why::Refused,
            format!("a security group named {name} that is not Banyan's is in the way; rename or delete it"),
        );
    }

    fn action(&self) -> &'static str {
        match self.request() {
            Step::Ask(call) => call.action(),
            _ => "nothing",
        }
    }

    /// What may be running at this point, in words.
    fn may_run(&self) -> Vec<String> {
        let region = &self.spec.region;
        match &self.phase {
            Phase::Boot { handle, .. } | Phase::End { handle, .. } => vec![format!("{handle} in {region}")],
            Phase::Run { unsure: true, .. } | Phase::Prove { .. } | Phase::Trace { .. } => {
                vec![format!("a machine of lease {} in {region}", self.spec.lease.id)]
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
        let late = || Failure::new(Why::Deadline, format!("the relay did not get ready in time in {region}; choose another region with --region, or try again"));
        match &self.phase {
            Phase::Over(_) => {}
            Phase::Boot { handle, .. } => {
                let handle = handle.clone();
                self.end(handle, "it did not get ready in time", Then::Fail(late()));
            }
            Phase::End { .. } if now < END_DEADLINE => {}
            Phase::End { .. } | Phase::Prove { .. } | Phase::Trace { .. } | Phase::Run { unsure: true, .. } => {
                let sentence = format!("EC2 in {region} does not say whether it started a machine; it is looked for until that is clear");
                let failure = Failure::new(Why::Unsure, sentence);
                let may_run = self.may_run();
                self.over(Err(failure.leaving(may_run)));
            }
            _ => {
                let failure = self.last.as_ref().map(|refusal| refusal.failure(self.action(), &region));
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
    fn stop_asking(&mut self, failure: Failure) {
        if let Phase::Run { candidate, .. } = &self.phase {
            let (lease, token) = (self.spec.lease.id, candidate.run.token.clone());
            let why = "it was not asked for after all".into();
            self.record(Entry::Refused { lease, token, why });
        }
        self.over(Err(failure));
    }
}

/// What our security group for a port is called.
pub(crate) fn group_name(port: u16) -> String {
    format!("banyan-relay-{port}")
}

fn find(token: &Token) -> Call {
    Call::Find {
        tag: tags::TOKEN,
        value: token.0.clone(),
    }
}

pub(super) fn cancelled() -> Failure {
    Failure::new(Why::Cancelled, "nobody wants the relay any more")
}
