//! Launches through the real child process and the real SDK: what EC2 is asked, and what becomes of its refusals.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use banyan_cloud::child::message::Target;
use banyan_cloud::failure::Why;
use banyan_cloud::ledger::{Ledger, State};
use banyan_cloud::provider::{Order, Progress};
use banyan_cloud::reaper::Verdict;
use cloud_rig::rig::{self, KEY_ID, SECRET_KEY, SESSION_TOKEN};
use cloud_rig::{Fault, Rig, Seen};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What the ledger says may be running.
fn open(rig: &Rig) -> usize {
    let book = Ledger::open(&rig.data).unwrap().book().unwrap();
    let attempts = book.accounts().flat_map(|account| &account.attempts);
    attempts.filter(|attempt| attempt.state.is_open()).count()
}

fn tags_of(seen: &Seen, kind: &str) -> Vec<(String, String)> {
    let kinds = (1..10).filter(|n| seen.field(&format!("TagSpecification.{n}.ResourceType")) == Some(kind));
    let key = |n: usize, m: usize, part: &str| {
        seen.field(&format!("TagSpecification.{n}.Tag.{m}.{part}"))
            .map(str::to_owned)
    };
    kinds
        .flat_map(|n| (1..10).filter_map(move |m| Some((key(n, m, "Key")?, key(n, m, "Value")?))))
        .collect()
}

fn decoded(base64: &str) -> String {
    let output = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$1\" | base64 -d", "sh", base64])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_relay_is_launched_as_promised_listed_extended_and_ended() {
    let rig = Rig::start("happy").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    let order = rig.order(&cloud).await.unwrap();
    let (tell, mut told) = mpsc::channel(32);
    let began = Instant::now();
    let machine = cloud.launch(order.clone(), Some(tell)).await.unwrap();
    let took = began.elapsed();
    println!("launch through the SDK: {} ms", took.as_millis());
    assert!(took < Duration::from_secs(5), "the program's own share: {took:?}");
    assert_eq!(machine.address, "127.0.0.1:4600".parse().unwrap());
    assert!(matches!(told.recv().await, Some(Progress::Asking { .. })));
    assert!(matches!(told.recv().await, Some(Progress::Booting { .. })));

    inspect(&rig.proxy.seen_of("RunInstances")[0], &order);
    inspect_group(&rig);
    assert_eq!(open(&rig), 1);

    let alive = rig.alive(&cloud).await.unwrap();
    assert_eq!(alive.len(), 1);
    assert_eq!(
        (alive[0].found.lease, alive[0].verdict),
        (Some(order.boot.lease.id), Verdict::Keep)
    );
    assert_eq!(alive[0].found.ends, Some(order.boot.lease.ends));
    assert_eq!(alive[0].bytes, Some(order.plan.bytes));

    let mut longer = order.boot.lease;
    longer.ends = longer.ends.after(Duration::from_secs(1800));
    cloud.renew(longer).await.unwrap();
    assert_eq!(
        rig.alive(&cloud).await.unwrap()[0].found.ends,
        Some(longer.ends),
        "other machines see it too"
    );

    for _ in 0..2 {
        cloud
            .terminate(Target::Lease(order.boot.lease.id), "asked")
            .await
            .unwrap();
        assert!(rig.alive(&cloud).await.unwrap().is_empty());
        assert_eq!(open(&rig), 0);
    }
    cloud.close().await;
    nothing_shows_the_credentials(&rig, &order);
}

/// The request that starts the machine has everything that is promised, and nothing else that costs or opens anything.
fn inspect(run: &Seen, order: &Order) {
    let field = |name: &str| run.field(name).unwrap_or_else(|| panic!("{name} is not set"));
    assert_eq!((field("MinCount"), field("MaxCount")), ("1", "1"));
    assert_eq!(field("InstanceType"), "t3.small");
    assert_eq!(field("InstanceInitiatedShutdownBehavior"), "terminate");
    assert_eq!(field("MetadataOptions.HttpTokens"), "required");
    assert_eq!(field("MetadataOptions.HttpPutResponseHopLimit"), "1");
    assert_eq!(field("CreditSpecification.CpuCredits"), "standard");
    assert_eq!(field("NetworkInterface.1.AssociatePublicIpAddress"), "true");
    assert_eq!(field("NetworkInterface.1.DeleteOnTermination"), "true");
    assert_eq!(field("BlockDeviceMapping.1.Ebs.DeleteOnTermination"), "true");
    assert_eq!(field("BlockDeviceMapping.1.Ebs.VolumeType"), "gp3");
    assert!(field("ClientToken").starts_with("banyan-") && field("ClientToken").len() <= 64);
    for absent in [
        "KeyName",
        "IamInstanceProfile",
        "NetworkInterface.2",
        "BlockDeviceMapping.2",
    ] {
        assert!(
            run.fields.iter().all(|(key, _)| !key.starts_with(absent)),
            "{absent} is set"
        );
    }
    let lease = order.boot.lease.id.to_string();
    for kind in ["instance", "volume", "network-interface"] {
        let tags = tags_of(run, kind);
        for (key, value) in [
            ("banyan:app", "relay"),
            ("banyan:lease", &lease),
            ("banyan:ends", &order.boot.lease.ends.as_secs().to_string()),
        ] {
            assert!(
                tags.iter().any(|(k, v)| k == key && v == value),
                "{kind} has no {key}: {tags:?}"
            );
        }
    }
    assert_eq!(
        decoded(field("UserData")),
        banyan_cloud::boot::text(&order.boot).unwrap()
    );
}

fn inspect_group(rig: &Rig) {
    let made = &rig.proxy.seen_of("CreateSecurityGroup")[0];
    assert!(tags_of(made, "security-group").contains(&("banyan:app".into(), "relay".into())));
    let opened = rig.proxy.seen_of("AuthorizeSecurityGroupIngress");
    assert_eq!(opened.len(), 1);
    let field = |name: &str| opened[0].field(name);
    assert_eq!(field("IpPermissions.1.IpProtocol"), Some("udp"));
    assert_eq!(
        (field("IpPermissions.1.FromPort"), field("IpPermissions.1.ToPort")),
        (Some("4600"), Some("4600"))
    );
    assert!(field("IpPermissions.2.IpProtocol").is_none());
}

/// Not in what was sent but for the signature's key id, not in the ledger, not in the log, not at any level.
fn nothing_shows_the_credentials(rig: &Rig, order: &Order) {
    let log = std::fs::read_to_string(rig.log()).unwrap();
    assert!(log.contains("EC2 was asked"), "the log is on: {log}");
    let ledger = std::fs::read_to_string(rig.data.join("relays.ledger")).unwrap();
    let boot = banyan_cloud::boot::text(&order.boot).unwrap();
    let secret = boot.split("\"secret\":\"").nth(1).unwrap()[..32].to_owned();
    for text in [&log, &ledger] {
        for private in [KEY_ID, SECRET_KEY, SESSION_TOKEN, &secret] {
            assert!(!text.contains(private), "{private} is shown");
        }
    }
    for seen in rig.proxy.seen() {
        let text = format!("{seen:?}");
        assert!(
            !text.contains(SECRET_KEY) && !text.contains(KEY_ID),
            "{}",
            seen.action
        );
    }
    assert!(log.len() < 200_000, "somebody else's traces are in the log");
}

#[tokio::test]
async fn every_refusal_is_told_in_words_and_leaves_nothing() {
    let rig = Rig::start("refusals").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    let full = || vec![Fault::Error("InsufficientInstanceCapacity"); 100];
    let cases: [(&str, Vec<Fault>, Why, &str); 9] = [
        // While there is no group yet.
        (
            "CreateSecurityGroup",
            vec![Fault::Error("UnauthorizedOperation")],
            Why::Unauthorized,
            "CreateSecurityGroup",
        ),
        (
            "RunInstances",
            vec![Fault::Error("UnauthorizedOperation")],
            Why::Unauthorized,
            "banyan cloud policy",
        ),
        (
            "RunInstances",
            vec![Fault::Error("VcpuLimitExceeded")],
            Why::Quota,
            "quota",
        ),
        ("RunInstances", full(), Why::Capacity, "--region"),
        (
            "DescribeSubnets",
            vec![Fault::Error("ExpiredToken")],
            Why::Expired,
            "aws login",
        ),
        (
            "RunInstances",
            vec![Fault::Error("RequestExpired")],
            Why::Clock,
            "clock",
        ),
        (
            "DescribeSubnets",
            vec![Fault::Skewed("AuthFailure")],
            Why::Clock,
            "clock",
        ),
        (
            "DescribeSubnets",
            vec![Fault::Error("AuthFailure")],
            Why::WrongCredentials,
            "does not know",
        ),
        (
            "RunInstances",
            vec![Fault::Error("PendingVerification")],
            Why::Account,
            "set-up",
        ),
    ];
    for (action, faults, why, says) in cases {
        let name = format!("{action} {faults:?}");
        rig.proxy.script(action, faults);
        let order = rig.order(&cloud).await.unwrap();
        let failure = cloud.launch(order, None).await.unwrap_err();
        rig.proxy.script(action, []);
        assert_eq!(failure.why, why, "{name}: {failure}");
        assert!(failure.sentence.contains(says), "{name}: {failure}");
        assert!(
            !failure.sentence.contains("Encoded") && !failure.sentence.contains("c2Vj"),
            "{failure}"
        );
        assert!(failure.may_run.is_empty(), "{name}: {failure}");
        assert!(rig.alive(&cloud).await.unwrap().is_empty(), "{name}");
        assert_eq!(open(&rig), 0, "{name}");
    }
    cloud.close().await;
}

#[tokio::test]
async fn what_passes_is_waited_out_and_what_is_full_is_gone_round() {
    let rig = Rig::start("passes").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    let cases = [
        (
            "RunInstances",
            vec![
                Fault::Error("RequestLimitExceeded"),
                Fault::Error("RequestLimitExceeded"),
            ],
        ),
        ("RunInstances", vec![Fault::Error("InternalError"), Fault::Break]),
        (
            "RunInstances",
            vec![
                Fault::Error("InsufficientInstanceCapacity"),
                Fault::Error("Unsupported"),
            ],
        ),
        (
            "DescribeInstances",
            vec![
                Fault::Error("InvalidInstanceID.NotFound"),
                Fault::Error("Unavailable"),
            ],
        ),
        (
            "AuthorizeSecurityGroupIngress",
            vec![Fault::Error("InvalidGroup.NotFound")],
        ),
        ("DescribeSubnets", vec![Fault::Error("RequestLimitExceeded")]),
    ];
    for (action, faults) in cases {
        let name = format!("{action} {faults:?}");
        rig.proxy.script(action, faults);
        let order = rig.order(&cloud).await.unwrap();
        let machine = cloud
            .launch(order.clone(), None)
            .await
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let alive = rig.alive(&cloud).await.unwrap();
        assert_eq!(
            alive.iter().map(|relay| &relay.found.handle).collect::<Vec<_>>(),
            [&machine.handle],
            "{name}"
        );
        cloud
            .terminate(Target::Lease(order.boot.lease.id), "asked")
            .await
            .unwrap();
    }
    cloud.close().await;
}

#[tokio::test]
async fn a_lost_answer_makes_one_machine() {
    let rig = Rig::start("lost").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    rig.proxy.script("RunInstances", [Fault::LoseAnswer]);
    let order = rig.order(&cloud).await.unwrap();
    cloud.launch(order, None).await.unwrap();
    let runs = rig.proxy.seen_of("RunInstances");
    assert_eq!(runs.len(), 2);
    assert_eq!(
        runs[0].fields, runs[1].fields,
        "the repeat is the same in every field, token included"
    );
    assert_eq!(rig.alive(&cloud).await.unwrap().len(), 1);
    cloud.close().await;
}

#[tokio::test]
async fn a_late_answer_from_a_zone_that_was_given_up_is_ended() {
    let rig = Rig::start("late").await.unwrap();
    let cloud = rig.cloud(true).unwrap();
    rig.proxy.script(
        "RunInstances",
        [Fault::RefuseAndDoLater("InsufficientInstanceCapacity")],
    );
    let order = rig.order(&cloud).await.unwrap();
    let machine = cloud.launch(order.clone(), None).await.unwrap();
    let runs = rig.proxy.seen_of("RunInstances");
    let zone = |run: &Seen| run.field("NetworkInterface.1.SubnetId").unwrap().to_owned();
    assert_ne!(zone(&runs[0]), zone(&runs[1]));
    assert_ne!(runs[0].field("ClientToken"), runs[1].field("ClientToken"));
    rig.proxy.release().await;
    // The child's own sweep ends it; the one that serves stays.
    let ended_by = Instant::now() + Duration::from_secs(30);
    let left = loop {
        let alive = rig.alive(&cloud).await.unwrap();
        if rig.proxy.seen_of("TerminateInstances").len() == 1 && alive.len() == 1 {
            break alive;
        }
        assert!(
            Instant::now() < ended_by,
            "two machines live for one yes: {alive:?}"
        );
        tokio::task::yield_now().await;
    };
    assert_eq!(left[0].found.handle, machine.handle);
    cloud.close().await;
}

#[tokio::test]
async fn a_launch_that_nobody_wants_any_more_is_ended_at_once() {
    let rig = Rig::start("cancel").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    rig.proxy.script(
        "DescribeInstances",
        vec![Fault::Error("InvalidInstanceID.NotFound"); 20],
    );
    let order = rig.order(&cloud).await.unwrap();
    let lease = order.boot.lease.id;
    let (tell, mut told) = mpsc::channel(32);
    let (launched, ()) = tokio::join!(cloud.launch(order, Some(tell)), async {
        while !matches!(told.recv().await, Some(Progress::Booting { .. })) {}
        rig.proxy.script("DescribeInstances", []);
        cloud.terminate(Target::Lease(lease), "asked").await.unwrap();
    });
    assert_eq!(launched.unwrap_err().why, Why::Cancelled);
    assert!(rig.alive(&cloud).await.unwrap().is_empty());
    assert_eq!(open(&rig), 0);
    cloud.close().await;
}

#[tokio::test]
async fn a_session_that_goes_while_it_launches_leaves_nothing() {
    let rig = Rig::start("goes").await.unwrap();
    let cloud = rig.cloud(true).unwrap();
    let order = rig.order(&cloud).await.unwrap();
    rig.proxy.script(
        "DescribeInstances",
        vec![Fault::Error("InvalidInstanceID.NotFound"); 20],
    );
    let (tell, mut told) = mpsc::channel(32);
    {
        let launch = cloud.launch(order, Some(tell));
        tokio::pin!(launch);
        loop {
            tokio::select! {
                progress = told.recv() => if matches!(progress, Some(Progress::Booting { .. })) { break },
                launched = &mut launch => panic!("{launched:?}"),
            }
        }
    }
    rig.proxy.script("DescribeInstances", []);
    cloud.close().await;
    let cloud = rig.cloud(false).unwrap();
    assert!(rig.alive(&cloud).await.unwrap().is_empty());
    assert_eq!(open(&rig), 0);
    cloud.close().await;
}

#[tokio::test]
async fn without_credentials_a_sentence_says_how_to_get_them() {
    let rig = Rig::start("none").await.unwrap();
    let with = rig.cloud(false).unwrap();
    let order = rig.order(&with).await.unwrap();
    with.close().await;
    let cloud = rig.cloud_with(&[("AWS_REGION", rig::REGION)]).unwrap();
    let failure = cloud.launch(order.clone(), None).await.unwrap_err();
    assert_eq!(failure.why, Why::NoCredentials, "{failure}");
    assert!(failure.sentence.contains("aws login"), "{failure}");
    assert!(rig.proxy.seen().is_empty(), "nobody was asked");
    cloud.close().await;
    let cloud = rig.cloud_with(&[("AWS_PROFILE", "nobody")]).unwrap();
    let failure = cloud.launch(order, None).await.unwrap_err();
    assert!(failure.why == Why::NoCredentials, "{failure}");
    cloud.close().await;
}

#[tokio::test]
async fn a_yes_that_came_too_late_or_is_not_paid_for_starts_nothing() {
    let rig = Rig::start("unpaid").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    let mut late = rig.order(&cloud).await.unwrap();
    late.boot.lease.ends = banyan_cloud::clock::now();
    let mut unpaid = rig.order(&cloud).await.unwrap();
    unpaid.boot.lease.bytes = unpaid.plan.bytes + 1;
    for order in [late, unpaid] {
        let failure = cloud.launch(order, None).await.unwrap_err();
        assert_eq!(failure.why, Why::Budget, "{failure}");
    }
    assert!(rig.proxy.seen().is_empty(), "nobody was asked");
    assert_eq!(open(&rig), 0);
    cloud.close().await;
}

#[tokio::test]
async fn the_ledger_knows_the_machine_that_serves() {
    let rig = Rig::start("ledger").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    let order = rig.order(&cloud).await.unwrap();
    let machine = cloud.launch(order.clone(), None).await.unwrap();
    let book = Ledger::open(&rig.data).unwrap().book().unwrap();
    let attempt = book.account(order.boot.lease.id).unwrap().open().unwrap();
    let address = Some(machine.address);
    assert_eq!(
        attempt.state,
        State::Alive {
            handle: machine.handle,
            address
        }
    );
    cloud.close().await;
}
