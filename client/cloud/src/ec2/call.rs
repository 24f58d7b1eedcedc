//! What EC2 is asked, and what it answers, in our words. What decides knows no SDK; what talks to EC2 decides nothing.

use crate::ledger::Token;
use crate::region::Region;
use banyan_protocol::time::Utc;
use std::fmt;
use std::net::Ipv4Addr;

/// Talks to EC2.
pub(crate) trait Api: Send + Sync {
    /// Asks once, and waits for the answer, but not for ever.
    fn call(&self, region: &Region, call: &Call) -> impl Future<Output = Result<Answer, Refusal>> + Send;
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The subnets of the default network, or the one named.
    Subnets {
        /// Which one.
        chosen: Option<String>,
    },
    /// The images of an owner for an architecture whose names match a pattern.
    Images {
        owner: String,
        name: String,
        architecture: Architecture,
    },
    /// Our own images, in the account.
    OwnImages,
    /// Makes an image of a stopped machine's disk.
    MakeImage {
        handle: String,
        name: String,
        tags: Tags,
    },
    /// Drops an image; its snapshot stays.
    DropImage { image: String },
    /// Drops what an image was kept in.
    DropSnapshot { snapshot: String },
    /// Our security group of this name in a network.
    Groups { network: String, name: String },
    /// Makes our security group in a network.
    MakeGroup {
        network: String,
        name: String,
        tags: Tags,
        dry: bool,
    },
    /// Lets one UDP port into a security group, from everywhere.
    OpenGroup { group: String, port: u16 },
    /// Starts one machine, or only asks whether it could be.
    Run { run: Box<Run>, dry: bool },
    /// The machine of this name, dead or alive.
    Look { handle: String },
    /// The machines with this tag, those that have ended too.
    Find { tag: &'static str, value: String },
    /// Ends a machine, or only asks whether it could be.
    End { handle: String, dry: bool },
    /// Marks a machine with the end of its lease.
    Mark { handle: String, ends: Utc, dry: bool },
}

impl Call {
    /// The action's name, as EC2 and its policies have it.
    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::Subnets { .. } => "DescribeSubnets",
            Self::Images { .. } | Self::OwnImages => "DescribeImages",
            Self::MakeImage { .. } => "CreateImage",
            Self::DropImage { .. } => "DeregisterImage",
            Self::DropSnapshot { .. } => "DeleteSnapshot",
            Self::Groups { .. } => "DescribeSecurityGroups",
            Self::MakeGroup { .. } => "CreateSecurityGroup",
            Self::OpenGroup { .. } => "AuthorizeSecurityGroupIngress",
            Self::Run { .. } => "RunInstances",
            Self::Look { .. } | Self::Find { .. } => "DescribeInstances",
            Self::End { .. } => "TerminateInstances",
            Self::Mark { .. } => "CreateTags",
        }
    }
}

/// Keys and values.
pub(crate) type Tags = Vec<(&'static str, String)>;

/// All that a machine is started with. What is the same for every relay is not here, but where the request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) kind: String,
    pub(crate) image: Image,
    pub(crate) subnet: String,
    pub(crate) zone: String,
    pub(crate) group: String,
    pub(crate) user_data: Hidden,
    pub(crate) tags: Tags,
    pub(crate) token: Token,
    /// Whether powering off only stops it, so that its disk is left to make an image of.
    pub(crate) stops: bool,
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// What a machine's processor understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Architecture {
    X86,
    Arm,
}

impl Architecture {
    /// Of a machine type: those with Amazon's own processors have a g behind the generation.
    pub(crate) fn of(kind: &str) -> Self {
        let family = kind.split('.').next().unwrap_or_default();
        let after = family.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        let variant = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if variant.starts_with('g') {
            Self::Arm
        } else {
            Self::X86
        }
    }

    /// EC2's word.
    pub(crate) fn ec2(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    /// Debian's word.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Subnets(Vec<Subnet>),
    Images(Vec<Image>),
    Groups(Vec<Group>),
    Group(String),
    /// The image that is being made.
    Image(String),
    Instances(Vec<Instance>),
    /// It was done, or would have been.
    Done,
}

/// A part of a network in one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) network: String,
}

/// Something to boot from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    /// When it was made, ISO 8601: later ones sort behind earlier ones.
    pub(crate) created: String,
    /// The name of its root volume's device.
    pub(crate) root: String,
    /// The root volume's size.
    pub(crate) gib: i32,
    /// What it is kept in.
    pub(crate) snapshot: Option<String>,
    /// For these processors, in EC2's word.
    pub(crate) architecture: String,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: String,
    /// What it lets in: protocol, and the first and last port.
    pub(crate) lets_in: Vec<(String, i32, i32)>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) zone: String,
    pub(crate) state: InstanceState,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) launched: Utc,
    pub(crate) tags: Vec<(String, String)>,
    /// Why it ended, in EC2's words.
    pub(crate) why: String,
}

impl Instance {
    /// A tag's value.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// EC2's six states, of which two mean the same to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    /// Stopping or stopped.
    Stopped,
    /// Shutting down or terminated: it will not come back.
    Ended,
}

/// Why there is no answer, or not the one hoped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// EC2 said no.
    Code {
        code: String,
        message: String,
        /// How far this machine's clock is ahead of EC2's, in seconds, if the answer told.
        ahead_s: Option<i64>,
    },
    /// Something on the way, or EC2 itself, failed. It may or may not have done what was asked.
    NoAnswer(String),
    /// There are no credentials to ask with. Nothing was sent.
    NoCredentials(NoCredentials),
}

/// Why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCredentials {
    /// No profile, no environment, no sign-in.
    None,
    /// There were, but they are not good any more, or whoever renews them does not answer.
    Stale,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_behind_the_generation_tells_the_processor() {
        for kind in [
            "t4g.small",
            "c7gn.medium",
            "c6g.large",
            "x2gd.medium",
            "m8g.large",
        ] {
            assert_eq!(Architecture::of(kind), Architecture::Arm, "{kind}");
        }
        for kind in [
            "t3.small",
            "g5.xlarge",
            "g4dn.xlarge",
            "c7i.large",
            "t3a.small",
            "c6in.large",
            "",
        ] {
            assert_eq!(Architecture::of(kind), Architecture::X86, "{kind}");
        }
    }

    #[test]
    fn user_data_are_not_shown() {
        assert_eq!(format!("{:?}", Hidden("secret".into())), "(6 bytes)");
    }
}
