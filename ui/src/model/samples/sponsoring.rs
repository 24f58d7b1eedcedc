//! Somebody who is asked, who sponsors, and whose account is looked at.

use super::super::*;
use super::{degraded, known, watch};
use banyan::notice::Sponsored;
use banyan_cloud::ec2::Finding;
use banyan_cloud::failure::Why;
use banyan_protocol::io::RelayState;
use banyan_protocol::units::Bitrate;

/// A question whether to sponsor.
pub fn request() -> Request {
    Request {
        id: "r1".into(),
        reason: "6 viewers have no room at full quality".into(),
        helps: 6,
        seconds_left: 18,
        missing: Bitrate::from_kbps(14_000),
        near: Vec::new(),
        kinds: Vec::new(),
        terms: Terms::of(&Settings {
            provider: Provider::Ec2,
            region: "eu-central-1".into(),
            ..Settings::default()
        }),
    }
}

/// An account that was looked at: ready, or not for that reason.
pub fn account(why: Option<Why>) -> Account {
    let finding = |what: &str, good, sentence: &str, why| Finding {
        what: what.into(),
        good,
        sentence: sentence.into(),
        why,
    };
    let signed_in = finding("sign-in", Some(true), "AWS knows it in eu-central-1", None);
    let findings = match why {
        None => vec![
            signed_in,
            finding("network", Some(true), "default network in 3 zones", None),
            finding("image", Some(true), "banyan-relay-0.1.0 (ami-0abc)", None),
            finding(
                "security group",
                Some(true),
                "ec2:CreateSecurityGroup is allowed",
                None,
            ),
            finding(
                "machine",
                None,
                "whether a machine may be started shows when the first relay has made its security group",
                None,
            ),
        ],
        Some(Why::Unauthorized) => vec![
            signed_in,
            finding(
                "image",
                Some(false),
                "the AWS account's policy does not allow ec2:DescribeImages in eu-central-1",
                why,
            ),
        ],
        Some(Why::Expired) => vec![finding(
            "sign-in",
            Some(false),
            "the AWS sign-in has expired",
            why,
        )],
        _ => vec![finding("sign-in", Some(false), "no AWS sign-in was found", why)],
    };
    Account::Looked(Box::new(Looked {
        profile: "default".into(),
        region: "eu-central-1".into(),
        price: "Frankfurt: $0.0208 an hour and $0.09 a gigabyte, prices of 2026-07-01.".into(),
        findings,
    }))
}

fn found(relays: Vec<Found>) -> Relays {
    let unseen = Vec::new();
    Relays::Found { relays, unseen }
}

/// Somebody whose relays run at EC2, with the account as it was found.
pub fn setting_up(account: Account) -> Model {
    let mut model = known();
    model.page = Page::Relays;
    model.relays = found(Vec::new());
    model.settings.provider = Provider::Ec2;
    model.settings.region = "eu-central-1".into();
    model.account = account;
    model
}

/// Somebody asks whether to sponsor.
pub fn asked() -> Model {
    Model {
        request: Some(request()),
        watching: Some(degraded()),
        ..watch()
    }
}

/// A relay of this person's serves.
pub fn relay() -> Sponsored {
    Sponsored {
        relay: "9f2c".into(),
        number: 1,
        provider: banyan_cloud::provider::Kind::Ec2,
        region: Some("eu-central-1".into()),
        state: RelayState::Serving,
        click_to_serving_ms: Some(1_240),
        spent_usd: 0.21,
        bytes_sent: 1_930_000_000,
        bytes_budget: 9_200_000_000,
        ends_at: 1_790_000_000,
        serves: 7,
    }
}

/// This person watches, and sponsors.
pub fn sponsor_watching() -> Model {
    let mut model = watch();
    if let Some(watching) = &mut model.watching {
        watching.snapshot.relays = vec![relay()];
    }
    model.now_s = relay().ends_at - 38 * 60;
    model
}

/// This person wants to leave, and a relay of theirs runs.
pub fn leaving(what: Leaving) -> Model {
    Model {
        leaving: Some(what),
        ..sponsor_watching()
    }
}

/// This person sponsors, and looks at what runs.
pub fn sponsoring() -> Model {
    let mut model = sponsor_watching();
    model.page = Page::Relays;
    model.relays = found(vec![
        Found {
            lease: "9f2c".into(),
            place: "Amazon EC2 in eu-central-1".into(),
            minutes_left: Some(38),
            spent_usd: Some(0.21),
            orphaned: None,
        },
        Found {
            lease: "11ab".into(),
            place: "Amazon EC2 in us-east-1".into(),
            minutes_left: None,
            spent_usd: Some(0.03),
            orphaned: Some("its lease is over".into()),
        },
    ]);
    model
}

/// The account cannot be looked into.
pub fn relays_failed() -> Model {
    Model {
        page: Page::Relays,
        relays: Relays::Failed(
            "Amazon refuses these credentials: they have expired. Log in again with `aws login`.".into(),
        ),
        ..known()
    }
}
