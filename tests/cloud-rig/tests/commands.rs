//! The commands as scripts see them.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use banyan_cloud::child::message::Target;
use cloud_rig::Rig;
use cloud_rig::rig::{self, REGION};
use serde_json::Value;

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn another_machine_with_the_account_sees_and_ends_relays() {
    let rig = Rig::start("commands").await.unwrap();
    let cloud = rig.cloud(false).unwrap();
    let order = rig.order(&cloud).await.unwrap();
    cloud.launch(order.clone(), None).await.unwrap();
    // The commands' data folder is another one, as another machine's is.
    assert_ne!(rig.home_data(), rig.data);
    let lease = order.boot.lease.id.to_string();
    let listed = rig
        .banyan(
            &[
                "relays",
                "list",
                "--provider",
                "ec2",
                "--region",
                REGION,
                "--json",
            ],
            "",
        )
        .await
        .unwrap();
    assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
    let relays = lines(&listed);
    assert_eq!(
        (relays.len(), &relays[0]["relay"]),
        (1, &Value::from(lease.as_str()))
    );
    assert_eq!(relays[0]["verdict"], "keep");

    let swept = rig
        .banyan(&["relays", "sweep", "--region", REGION, "--json"], "")
        .await
        .unwrap();
    assert_eq!(
        (swept.status.code(), lines(&swept).len()),
        (Some(0), 0),
        "it is within its lease"
    );
    let unsure = rig
        .banyan(&["relays", "sweep", "--all", "--region", REGION], "n\n")
        .await
        .unwrap();
    assert_eq!(unsure.status.code(), Some(2));
    assert_eq!(rig.alive(&cloud).await.unwrap().len(), 1);
    let stopped = rig
        .banyan(&["relays", "stop", &lease, "--region", REGION], "")
        .await
        .unwrap();
    assert_eq!(stopped.status.code(), Some(0), "{}", stderr(&stopped));
    assert!(rig.alive(&cloud).await.unwrap().is_empty());
    let again = rig
        .banyan(&["relays", "stop", &lease, "--region", REGION], "")
        .await
        .unwrap();
    assert_eq!(again.status.code(), Some(6), "{}", stderr(&again));
    // It was this ledger's, and ending it again is no error.
    cloud
        .terminate(Target::Lease(order.boot.lease.id), "asked")
        .await
        .unwrap();

    let order = rig.order(&cloud).await.unwrap();
    cloud.launch(order, None).await.unwrap();
    let all = rig
        .banyan(&["relays", "sweep", "--all", "--region", REGION], "y\n")
        .await
        .unwrap();
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    assert!(rig.alive(&cloud).await.unwrap().is_empty());
    cloud.close().await;
}

#[tokio::test]
async fn an_account_is_checked_without_making_anything() {
    let rig = Rig::start("check").await.unwrap();
    let config = rig.data.join("config.toml");
    let image = rig::image();
    let text = format!(
        "[cloud]\nowner = '{}'\nname = '{}'\n",
        image.owner.unwrap(),
        image.name.unwrap()
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let words = ["cloud", "check", "--region", REGION, "--json", "--config", config];
    let checked = rig.banyan(&words, "").await.unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let findings = lines(&checked);
    assert!(
        findings.iter().all(|finding| finding["good"] != false),
        "{findings:?}"
    );
    assert!(
        findings
            .iter()
            .any(|finding| finding["what"] == "security group" && finding["good"] == true)
    );

    rig.proxy.script(
        "CreateSecurityGroup",
        [cloud_rig::Fault::Error("UnauthorizedOperation")],
    );
    let refused = rig.banyan(&words, "").await.unwrap();
    assert_eq!(refused.status.code(), Some(6));
    assert!(
        stderr(&refused).contains("banyan cloud policy"),
        "{}",
        stderr(&refused)
    );

    let none = rig
        .banyan(&["cloud", "check", "--region", "mars-north-1"], "")
        .await
        .unwrap();
    assert_eq!(none.status.code(), Some(6));
    assert!(stderr(&none).contains("not known"), "{}", stderr(&none));
    for made in ["RunInstances", "CreateSecurityGroup"] {
        assert!(
            rig.proxy
                .seen_of(made)
                .iter()
                .all(|seen| seen.field("DryRun") == Some("true")),
            "{made}"
        );
    }
}

#[tokio::test]
async fn without_relays_or_accounts_nothing_is_asked_of_anybody() {
    let rig = Rig::start("nothing").await.unwrap();
    let listed = rig.banyan(&["relays", "list"], "").await.unwrap();
    assert_eq!(
        (
            listed.status.code(),
            String::from_utf8_lossy(&listed.stdout).as_ref()
        ),
        (Some(0), "No relay runs.\n")
    );
    let policy = rig
        .banyan(&["cloud", "policy", "--region", REGION], "")
        .await
        .unwrap();
    let policy: Value = serde_json::from_slice(&policy.stdout).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let wrong = rig.banyan(&["relays", "stop", "nonsense"], "").await.unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(rig.proxy.seen().is_empty());
}
