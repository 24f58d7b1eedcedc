//! What a relay boots from: an image of the account's own, else Debian's that fetches a release; and the image that is made of it.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use anyhow::Result;
use cloud_rig::Rig;
use cloud_rig::channel::{PATIENCE, in_own_network};
use cloud_rig::machine::Body;
use cloud_rig::rig::{REGION, built};
use data_encoding::BASE64;
use serde_json::Value;

const RELEASE: &str = "https://example.org/banyan-relay";

/// A config file that knows a release and no image.
fn config(rig: &Rig) -> Result<String> {
    let path = rig.data.join("config.toml");
    let digest = "ab".repeat(32);
    let text =
        format!("[[cloud.releases]]\narchitecture = 'x86_64'\nurl = '{RELEASE}'\nsha256 = '{digest}'\n");
    std::fs::write(&path, text)?;
    Ok(path.to_str().unwrap().to_owned())
}

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the newest machine was told.
fn told(rig: &Rig) -> String {
    let runs = rig.proxy.seen_of("RunInstances");
    let data = runs.last().unwrap().field("UserData").unwrap();
    String::from_utf8(BASE64.decode(data.as_bytes()).unwrap()).unwrap()
}

#[test]
fn an_image_is_made_listed_booted_from_and_dropped() -> Result<()> {
    in_own_network(async {
        let relay = built("banyan-relay")?;
        let rig = Rig::with_machines("image", Body::Process { relay }).await?;
        let config = config(&rig)?;
        let cloud = rig.cloud(false)?;
        let mut order = rig.order(&cloud).await?;
        order.image = Default::default();
        let none = cloud.launch(order, None).await.unwrap_err();
        assert!(none.sentence.contains("[cloud]"), "{none}");

        let image = [
            "cloud", "image", "--region", REGION, "--config", &config, "--json",
        ];
        let debians = rig.banyan(&image, "").await?;
        assert!(debians.status.success(), "{debians:?}");
        let made = rig.banyan(&[&image[..], &["--make"]].concat(), "").await?;
        assert!(made.status.success(), "{made:?}");
        let script = told(&rig);
        assert!(
            script.contains(RELEASE) && script.contains("install.sh"),
            "{script}"
        );
        let runs = rig.proxy.seen_of("RunInstances");
        assert_eq!(
            runs.last().unwrap().field("InstanceInitiatedShutdownBehavior"),
            Some("stop")
        );
        let asked = &rig.proxy.seen_of("CreateImage")[0];
        for (kind, at) in [("image", 1), ("snapshot", 2)] {
            assert_eq!(
                asked.field(&format!("TagSpecification.{at}.ResourceType")),
                Some(kind)
            );
            assert_eq!(
                asked.field(&format!("TagSpecification.{at}.Tag.1.Key")),
                Some("banyan:app")
            );
        }
        let kept = &lines(&made)[0];
        assert_eq!(
            (&kept["event"], &kept["superseded"]),
            (&Value::from("image"), &Value::from(false))
        );
        assert!(kept["month_usd"].as_f64() > Some(0.0), "{kept}");
        assert!(
            rig.alive(&cloud).await?.is_empty(),
            "the machine that made it is gone"
        );

        // The next relay boots from it, and is told no more than a relay is.
        let mut order = rig.order(&cloud).await?;
        order.image = Default::default();
        cloud.launch(order.clone(), None).await?;
        assert_eq!(told(&rig), banyan_cloud::boot::text(&order.boot)?);
        assert_eq!(
            rig.proxy.seen_of("RunInstances").last().unwrap().field("ImageId"),
            kept["image"].as_str()
        );

        let listed = rig
            .banyan(&["relays", "list", "--region", REGION, "--json"], "")
            .await?;
        assert!(
            lines(&listed).iter().any(|line| line["image"] == kept["image"]),
            "{listed:?}"
        );
        let swept = rig
            .banyan(&["relays", "sweep", "--region", REGION, "--json"], "")
            .await?;
        assert!(swept.status.success() && lines(&swept).is_empty(), "{swept:?}");
        let all = rig
            .banyan(&["relays", "sweep", "--all", "--region", REGION, "--json"], "y\n")
            .await?;
        assert!(all.status.success(), "{all:?}");
        rig.machines.as_ref().unwrap().until_running(0, PATIENCE).await?;
        let (relays, images, _) = cloud.list(None, vec![cloud_rig::rig::region()]).await?;
        assert!(relays.is_empty() && images.is_empty(), "{relays:?} {images:?}");
        assert_eq!(rig.proxy.seen_of("DeleteSnapshot").len(), 1);
        cloud.close().await;
        Ok(())
    })
}

#[test]
fn the_machine_that_makes_an_image_is_ended_when_it_goes_wrong() -> Result<()> {
    in_own_network(async {
        let relay = built("banyan-relay")?;
        let rig = Rig::with_machines("image-wrong", Body::Process { relay }).await?;
        let config = config(&rig)?;
        rig.proxy
            .script("CreateImage", [cloud_rig::Fault::Error("UnauthorizedOperation")]);
        let words = [
            "cloud", "image", "--region", REGION, "--config", &config, "--make",
        ];
        let refused = rig.banyan(&words, "").await?;
        assert_eq!(refused.status.code(), Some(6), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            said.contains("CreateImage") && said.contains("banyan cloud policy"),
            "{said}"
        );
        let cloud = rig.cloud(false)?;
        assert!(rig.alive(&cloud).await?.is_empty());
        cloud.close().await;
        let bare = ["cloud", "image", "--region", REGION, "--make"];
        let unknown = rig.banyan(&bare, "").await?;
        assert_eq!(unknown.status.code(), Some(6), "{unknown:?}");
        Ok(())
    })
}
