//! Relays on the sponsor's own machine.

use anyhow::Result;
use cloud_rig::channel::{Channel, PATIENCE, Sponsor, in_own_network, number};
use cloud_rig::machine::{Body, net};
use cloud_rig::program::Event;
use std::time::Duration;

/// When a sponsor of a relay on this machine goes: before it has joined, while it launches, enrols, and serves.
const MOMENTS_MS: [u64; 8] = [0, 60, 120, 200, 300, 500, 900, 1_800];

/// What `banyan relays` says of relays on this machine.
async fn listed_here(channel: &Channel) -> Result<usize> {
    let words = ["relays", "list", "--provider", "local", "--json"];
    let listed = channel.rig.banyan(&words, "").await?;
    assert!(listed.status.success(), "{listed:?}");
    Ok(String::from_utf8_lossy(&listed.stdout).lines().count())
}

/// Somebody who has sponsored, or tried to, for so long.
async fn sponsor_for(channel: &Channel, moment: u64) -> Result<Sponsor> {
    let sponsor = channel.sponsor_here("sponsor").await?;
    tokio::time::sleep(Duration::from_millis(moment)).await;
    Ok(sponsor)
}

fn assert_none_runs(moment: u64) {
    let running = net::processes("banyan-relay");
    assert_eq!(running, [0u32; 0], "after {moment} ms");
}

#[test]
fn a_relay_on_this_machine_goes_with_a_sponsor_that_leaves_at_any_moment() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-here", Body::process()?).await?;
        for moment in MOMENTS_MS {
            let mut sponsor = sponsor_for(&channel, moment).await?;
            sponsor.program.interrupt().await?;
            // Before it hears signals, one ends it as it is.
            sponsor.program.ended(PATIENCE).await?;
            channel.children_gone().await?;
            assert_none_runs(moment);
            assert_eq!(listed_here(&channel).await?, 0, "left after {moment} ms");
        }
        Ok(())
    })
}

#[test]
fn a_relay_on_this_machine_whose_sponsor_is_killed_is_one_at_most_and_swept() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-killed-here", Body::process()?).await?;
        for moment in MOMENTS_MS {
            let mut sponsor = sponsor_for(&channel, moment).await?;
            sponsor.program.kill().await?;
            channel.children_gone().await?;
            let running = listed_here(&channel).await?;
            assert!(running <= 1, "killed after {moment} ms: {running} relays");
            let swept = channel.rig.banyan(&["relays", "sweep", "--all"], "y\n").await?;
            assert!(swept.status.success(), "killed after {moment} ms: {swept:?}");
            assert_none_runs(moment);
        }
        Ok(())
    })
}

#[test]
fn a_relay_on_this_machine_is_extended_too() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-extend-here", Body::process()?).await?;
        let mut sponsor = channel.sponsor_here("sponsor").await?;
        let serving = sponsor.state("serving", PATIENCE).await?;
        let (lease, ends) = (serving.text("relay").to_owned(), number(&serving, "ends_at"));
        let extended = channel
            .rig
            .banyan(&["relays", "extend", &lease, "--hours", "1"], "")
            .await?;
        assert!(extended.status.success(), "{extended:?}");
        let is_longer = |event: &Event| event.fields["ends_at"] == ends + 3600;
        sponsor.program.wait("sponsoring", PATIENCE, is_longer).await?;
        sponsor.leaves().await?;
        assert_eq!(net::processes("banyan-relay"), [0u32; 0]);
        let over = channel
            .rig
            .banyan(&["relays", "extend", &lease, "--hours", "1"], "")
            .await?;
        assert_eq!(over.status.code(), Some(6), "{over:?}");
        Ok(())
    })
}
