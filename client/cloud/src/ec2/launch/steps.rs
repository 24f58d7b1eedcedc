//! The steps of a launch: the request of each phase, and whose answer it is.

use super::{Launch, Phase, Step};
use crate::ec2::call::{Answer, Call};
use crate::ec2::tags;
use crate::ledger::Token;
use std::time::Duration;

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
}

fn find(token: &Token) -> Call {
    Call::Find {
        tag: tags::TOKEN,
        value: token.0.clone(),
    }
}
