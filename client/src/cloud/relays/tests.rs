use super::*;
use crate::args::Provider;
use banyan_cloud::money::Usd;
use banyan_cloud::provider::{Found, Life};

fn relay(verdict: Verdict) -> Listed {
    Listed {
        found: Found {
            provider: Kind::Ec2,
            handle: "i-1".into(),
            region: Some("eu-central-1".parse().unwrap()),
            kind: "t3.small".into(),
            lease: Some(LeaseId([0xab; 16])),
            ends: Some(Utc::from_secs(7_200)),
            token: None,
            install: None,
            launched: Utc::from_secs(0),
            address: Some("192.0.2.1:4600".parse().unwrap()),
            state: Life::Alive,
        },
        verdict,
        hourly: Some(Usd::from_micros(30_000)),
        bytes: Some(5),
    }
}

#[test]
fn a_relay_is_told_with_its_cost_and_time_left() {
    let id = "ab".repeat(16);
    assert_eq!(
        words("relay", &relay(Verdict::Keep), Utc::from_secs(3_600)),
        format!("{id}  ec2 i-1 in eu-central-1, 60 min left, its machine has cost $0.0300")
    );
    let late = words("relay", &relay(Verdict::PastLease), Utc::from_secs(9_000));
    assert!(
        late.contains(" 0 min left") && late.ends_with("sweep would end it, because its lease is over"),
        "{late}"
    );
}

#[test]
fn a_relay_is_an_object_for_programs() {
    let event = event_of("relay", &relay(Verdict::Late), Utc::from_secs(1_800));
    assert_eq!(event["relay"], "ab".repeat(16));
    assert_eq!(event["machine_usd"], 0.015);
    assert_eq!(event["verdict"], "late");
    assert_eq!(event["ends_at"], 7_200);
}

#[test]
fn ec2_alone_means_every_region() {
    let place = |provider, region: Option<&str>| Where {
        provider,
        region: region.map(|name| name.parse().unwrap()),
        json: false,
    };
    assert!(regions(&place(Some(Provider::Ec2), None)).len() >= 15);
    assert_eq!(regions(&place(Some(Provider::Ec2), Some("eu-west-3"))).len(), 1);
    assert!(regions(&place(None, None)).is_empty());
    assert!(regions(&place(Some(Provider::Local), None)).is_empty());
}
