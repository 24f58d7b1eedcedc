//! The person's own account at Amazon: how far its set-up is, and what is in the way.

use banyan::cloud::desk;
use banyan::file::Cloud as Site;
use banyan_cloud::ec2::Finding;
use banyan_cloud::failure::Why;

/// Whether the cloud account is ready, as far as it was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// Nobody looked.
    #[default]
    Unknown,
    /// It is being looked at.
    Checking,
    /// It was looked at.
    Looked(Box<Looked>),
    /// It could not be looked at: why, and what to do.
    Failed(String),
}

/// The name of a sign-in to AWS that nobody named.
pub const USUAL_PROFILE: &str = "default";

/// What a look at the account showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The name of the sign-in on this computer.
    pub profile: String,
    /// The region.
    pub region: String,
    /// Where that is, and what a relay costs there.
    pub price: String,
    /// What was looked at, one after the other.
    pub findings: Vec<Finding>,
}

/// How far the set-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// There is no sign-in on this computer.
    NoSignIn,
    /// It was good once.
    Expired,
    /// AWS does not take it.
    WrongSignIn,
    /// The policy does not allow what relays need.
    NotAllowed,
    /// Something else is not as it should be.
    Incomplete,
    /// A relay can be launched.
    Ready,
}

impl Looked {
    /// How far the set-up is.
    pub fn set_up(&self) -> SetUp {
        let Some(missing) = self.missing() else {
            return SetUp::Ready;
        };
        match missing.why {
            Some(Why::NoCredentials) => SetUp::NoSignIn,
            Some(Why::Expired) => SetUp::Expired,
            Some(Why::WrongCredentials | Why::Clock) => SetUp::WrongSignIn,
            Some(Why::Unauthorized) => SetUp::NotAllowed,
            _ => SetUp::Incomplete,
        }
    }

    /// The first thing that is not as it should be.
    pub fn missing(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.good == Some(false))
    }

    /// What came of it, in words.
    pub fn words(&self) -> String {
        match self.set_up() {
            SetUp::NoSignIn => {
                "Not set up yet: there is no sign-in to AWS on this computer. Begin with step 1.".into()
            }
            SetUp::Expired => "Your sign-in has expired. Do step 1 again, then check again.".into(),
            SetUp::WrongSignIn => {
                "AWS does not take the sign-in of this computer. See below, and do step 1 again.".into()
            }
            SetUp::NotAllowed => {
                "A permission is missing. Do step 2 for the user or role of this sign-in, then check again."
                    .into()
            }
            SetUp::Incomplete => "Nearly there: one thing is not as it should be yet; see below.".into(),
            SetUp::Ready => format!(
                "Ready: sign-in “{}”, region {}. {}",
                self.profile, self.region, self.price
            ),
        }
    }
}

/// The policy to paste for relays of this `site` in a region; empty: in all.
///
/// # Errors
/// A sentence, if that is no region.
pub fn policy(site: &Site, region: &str) -> Result<String, String> {
    desk::policy(site, or_auto(region)).map_err(|error| error.to_string())
}

/// How a region is called where nothing means the nearest.
pub(crate) fn or_auto(region: &str) -> &str {
    match region.trim() {
        "" => "auto",
        region => region,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn every_state_is_told_apart_and_says_what_to_do() {
        let state = |account: Account| match account {
            Account::Looked(looked) => (looked.set_up(), looked.words()),
            other => panic!("{other:?}"),
        };
        let (set_up, words) = state(samples::account(Some(Why::NoCredentials)));
        assert!(set_up == SetUp::NoSignIn && words.contains("step 1"), "{words}");
        let (set_up, words) = state(samples::account(Some(Why::Expired)));
        assert!(set_up == SetUp::Expired && words.contains("expired"), "{words}");
        let (set_up, words) = state(samples::account(Some(Why::Unauthorized)));
        assert!(set_up == SetUp::NotAllowed && words.contains("step 2"), "{words}");
        let (set_up, words) = state(samples::account(None));
        assert!(
            set_up == SetUp::Ready && words.contains("eu-central-1"),
            "{words}"
        );
    }

    #[test]
    fn the_policy_is_that_of_the_command_line() {
        let site = Site {
            types: vec!["m7g.large".into()],
            ..Site::default()
        };
        let policy = |region| super::policy(&site, region);
        assert!(policy("").unwrap().contains("m7g.large"));
        let policy_there = policy("eu-central-1").unwrap();
        assert!(policy_there.contains("ec2:RunInstances") && policy_there.contains("eu-central-1"));
        assert!(!policy("").unwrap().contains("eu-central-1"));
        assert!(policy("Mars").is_err());
    }
}
