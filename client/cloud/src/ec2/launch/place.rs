//! Where a machine can be started: network, image, security group, and the candidates that they make.

use super::{Candidate, Launch, Phase};
use crate::ec2::call::{Architecture, Call, Group, Image, Subnet};
use crate::ec2::image::newest;
use crate::failure::Why;
use std::time::Duration;

/// More zones and types than that do not get a relay to anybody who waits for one.
const CANDIDATES_MAX: usize = 24;

impl Launch {
    pub(super) fn took_subnets(&mut self, subnets: Vec<Subnet>) {
        if !subnets.is_empty() {
            self.subnets = subnets;
            self.phase = Phase::Images {
                architecture: 0,
                source: 0,
            };
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
    pub(super) fn architectures(&self) -> Vec<Architecture> {
        let mut all = Vec::new();
        for (kind, _) in &self.spec.kinds {
            let architecture = Architecture::of(kind);
            if !all.contains(&architecture) {
                all.push(architecture);
            }
        }
        all
    }

    pub(super) fn ask_images(&self, architecture: usize, source: usize) -> Call {
        let architecture = self.architectures()[architecture];
        let (owner, name) = self.spec.image.sources(architecture)[source].query(architecture);
        Call::Images {
            owner,
            name,
            architecture,
        }
    }

    pub(super) fn took_images(&mut self, (index, source): (usize, usize), images: Vec<Image>) {
        let architectures = self.architectures();
        let sources = self.spec.image.sources(architectures[index]);
        let mut next = (index + 1, 0);
        match newest(images) {
            Some(image) => self
                .images
                .push((architectures[index], sources[source].clone(), image)),
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

    pub(super) fn no_image(&mut self) {
        let region = self.spec.region.clone();
        self.fail(
            Why::Image,
            format!(
                "there is no relay image in {region}, and no released relay is known that Debian's image could fetch; name one of them under [cloud] in the config file, or make an image with packer"
            ),
        );
    }

    pub(super) fn network(&self) -> String {
        self.subnets[0].network.clone()
    }

    pub(super) fn port(&self) -> u16 {
        self.spec.boot.listen.port()
    }

    pub(super) fn group_name(&self) -> String {
        group_name(self.port())
    }

    pub(super) fn took_groups(&mut self, groups: Vec<Group>) {
        let Some(group) = groups.into_iter().next() else {
            self.phase = Phase::MakeGroup;
            return;
        };
        let port = i32::from(self.port());
        let ours = |(protocol, first, last): &(String, i32, i32)| {
            protocol == "udp" && (*first, *last) == (port, port)
        };
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

    /// Another process may have made it a moment ago; if not, somebody else's is in the way.
    pub(super) fn group_exists(&mut self) {
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

    /// All types in all zones, the best type first; then what was left open, or the first of them.
    pub(super) fn list_candidates(&mut self, now: Duration) {
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
}

/// What our security group for a port is called.
pub(crate) fn group_name(port: u16) -> String {
    format!("banyan-relay-{port}")
}
