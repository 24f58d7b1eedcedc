//! What goes over the pipe between a session and its cloud child: JSON lines, five verbs.

use crate::ec2::image::Wish as ImageWish;
use crate::ec2::{Finding, Kept};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::provider::{Found, Kind, Machine, Order, Progress, Wish};
use crate::reaper::Verdict;
use crate::region::Region;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use serde::{Deserialize, Serialize};

/// The longest line.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// A request. Each gets exactly one final [`Answer`], with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number, new for each.
    pub id: u64,
    /// What is to be done.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Verb {
    /// What would it cost, and could it be done?
    Plan {
        /// With whom.
        provider: Kind,
        /// What.
        wish: Wish,
        /// Whether the account is to be looked at, by dry runs.
        check: Option<ImageWish>,
    },
    /// Launch a relay.
    Launch {
        /// Which.
        order: Box<Order>,
    },
    /// What runs?
    List {
        /// With whom; `None`: wherever relays were ever launched.
        provider: Option<Kind>,
        /// Also in these regions.
        regions: Vec<Region>,
    },
    /// A lease was changed: write it down.
    Renew {
        /// The lease as it is now.
        lease: Lease,
    },
    /// End relays.
    Terminate {
        /// Which.
        target: Target,
        /// Why, for the ledger.
        why: String,
    },
}

/// Which relays are to be ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Everything of a lease, also a launch that is under way.
    Lease(LeaseId),
    /// This one machine.
    Machine(Box<Found>),
    /// This image.
    Image(Box<Kept>),
}

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's number.
    pub id: u64,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Answer {
    /// To `launch`, not the last: how far it is.
    Progress {
        /// What is being done.
        progress: Progress,
    },
    /// To `plan`.
    Planned {
        /// What it would cost.
        plan: Box<Plan>,
        /// What was found in the account, if that was asked.
        findings: Vec<Finding>,
    },
    /// To `launch`.
    Launched {
        /// The machine.
        machine: Machine,
    },
    /// To `list`.
    Listed {
        /// The relays that run.
        relays: Vec<Listed>,
        /// Images of ours that are kept, and cost money.
        images: Vec<Kept>,
        /// Why some places could not be looked at.
        unseen: Vec<Failure>,
    },
    /// To `renew` and `terminate`.
    Done,
    /// To any.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// A relay that runs, and whether it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The relay's machine.
    pub found: Found,
    /// Whether it may stay.
    pub verdict: Verdict,
    /// What its machine costs an hour, if this installation launched it.
    pub hourly: Option<crate::money::Usd>,
    /// How many bytes it may send, if this installation launched it.
    pub bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::tests::{boot, lease};

    #[test]
    fn requests_are_lines_of_json() {
        let request = Request {
            id: 7,
            verb: Verb::Terminate {
                target: Target::Lease(lease().id),
                why: "asked".into(),
            },
        };
        let text = serde_json::to_string(&request).unwrap();
        let id = "04".repeat(16);
        assert_eq!(
            text,
            format!(r#"{{"id":7,"verb":"terminate","target":{{"lease":"{id}"}},"why":"asked"}}"#)
        );
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    }

    #[test]
    fn a_launch_goes_through_whole() {
        let order = Order {
            provider: Kind::Local,
            boot: boot(),
            plan: Plan::unpaid(),
            image: ImageWish::default(),
            subnet: None,
        };
        let request = Request {
            id: 1,
            verb: Verb::Launch {
                order: Box::new(order),
            },
        };
        let text = serde_json::to_string(&request).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        assert!(!format!("{request:?}").contains("0303"), "the secret is shown");
    }

    #[test]
    fn answers_go_through_whole() {
        let answers = [
            Answer::Done,
            Answer::Failed {
                failure: Failure::new(crate::failure::Why::Quota, "no"),
            },
            Answer::Progress {
                progress: Progress::Booting { handle: "i-1".into() },
            },
            Answer::Planned {
                plan: Box::new(Plan::unpaid()),
                findings: Vec::new(),
            },
        ];
        for answer in answers {
            let reply = Reply { id: 3, answer };
            let text = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
        }
    }
}
