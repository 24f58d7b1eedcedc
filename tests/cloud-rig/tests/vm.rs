//! The whole way from a yes to a picture, with our image in QEMU: minutes, because nothing speeds up a processor that is
//! computed. `cargo xtask bench cloud` makes the image and runs this.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use anyhow::Result;
use cloud_rig::channel::{Channel, PATIENCE, Sponsor, Watch, in_own_network};
use cloud_rig::machine::Body;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Promised from the yes to the first stripe, and for all of that but booting.
const FIRST_STRIPE: Duration = Duration::from_secs(60);
const OWN_SHARE: Duration = Duration::from_secs(5);

/// How long a boot may take on a machine that does much else; what is promised is checked where it is promised.
const BOOTS: Duration = Duration::from_secs(150);

/// Promised from a lease's end to the machine's.
const OFF_AFTER: Duration = Duration::from_secs(120);

fn qemu() -> Body {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/image");
    Body::Qemu { image }
}

/// A channel whose rider waits, and somebody who has just said yes.
async fn sponsored(name: &str, hours: &str) -> Result<(Channel, Watch, Sponsor, Instant)> {
    let channel = Channel::open(name, qemu()).await?;
    let rider = Watch::start(&channel, "rider").await?;
    let yes = Instant::now();
    let sponsor = channel.sponsor("sponsor", hours, &[]).await?;
    Ok((channel, rider, sponsor, yes))
}

#[test]
fn a_vm_is_sponsored_boots_serves_and_ends_with_its_sponsor() -> Result<()> {
    in_own_network(async {
        let (mut channel, mut rider, mut sponsor, yes) = sponsored("vm-story", "1").await?;
        let joined = channel.broadcast.wait("relay-joined", BOOTS, |_| true).await?;
        let fed = rider.fed_by(joined.text("relay"), BOOTS).await?;
        let booted = channel.machines().shows("listens on", Duration::ZERO).await?;
        let (took, own) = (fed.at - yes, (fed.at - yes).saturating_sub(booted));
        println!(
            "yes to first stripe {} ms, of which boot {} ms, own share {} ms",
            took.as_millis(),
            booted.as_millis(),
            own.as_millis()
        );
        assert!(took <= FIRST_STRIPE, "{took:?}");
        assert!(own <= OWN_SHARE, "{own:?}");
        sponsor.state("serving", PATIENCE).await?;
        sponsor.leaves().await?;
        channel.machines().until_running(0, PATIENCE).await
    })
}

#[test]
fn a_vm_that_is_reset_powers_off_and_is_terminated() -> Result<()> {
    in_own_network(async {
        let (channel, _rider, mut sponsor, _) = sponsored("vm-reset", "1").await?;
        sponsor.state("serving", BOOTS).await?;
        // It would end it as well.
        sponsor.program.kill().await?;
        channel.machines().reset().await?;
        channel.machines().until_running(0, BOOTS).await?;
        let console = channel.machines().console().join("\n");
        assert!(console.contains("booted before"), "{console}");
        let cloud = channel.rig.cloud(false)?;
        assert!(
            channel.rig.alive(&cloud).await?.is_empty(),
            "power-off terminates"
        );
        cloud.close().await;
        Ok(())
    })
}

#[test]
fn a_vm_whose_sponsor_was_killed_ends_with_its_lease() -> Result<()> {
    in_own_network(async {
        let (channel, mut rider, mut sponsor, _) = sponsored("vm-lease", "0.04").await?;
        let serving = sponsor.state("serving", BOOTS).await?;
        let ends = Duration::from_secs(serving.fields["ends_at"].as_u64().unwrap());
        sponsor.program.kill().await?;
        rider.fed(PATIENCE).await?;
        assert_eq!(channel.machines().running(), 1, "it runs on");
        let since_1970 = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let left = ends.saturating_sub(since_1970());
        channel.machines().until_running(0, left + OFF_AFTER).await?;
        println!(
            "off {} ms after the lease's end",
            since_1970().saturating_sub(ends).as_millis()
        );
        Ok(())
    })
}
