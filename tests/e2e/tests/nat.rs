//! A viewer behind a home router that nobody can dial: it watches, and feeds those that it can dial.

use anyhow::{Context, Result};
use rig::moves::places;
use rig::relay::{Relay, relays};
use rig::scene::{PLAYS, Scene, Viewer};
use rig::verdict::Verdict;
use rig::{Event, Wire};
use std::time::Duration;

/// The broadcaster has a copy and two stripes: the third viewer needs the one behind the router.
const SOURCE: u64 = 12;

/// What the home gives, in slots.
const HOME: u64 = 12;

#[test]
fn behind_nat_one_watches_and_feeds_those_it_can_dial() -> Result<()> {
    let scene = Scene::open("nat", Wire::Bridge, SOURCE, &[])?;
    let mut verdict = Verdict::of("nat");
    let home = scene.net.host_behind_nat("home")?;
    let watch = scene.watch(&home.host, &home.router, HOME, &["--sponsor", "never"])?;
    watch.playing(PLAYS)?;
    let mut others: Vec<Viewer> = Vec::new();
    for n in 0..3 {
        let viewer = scene.viewer(&format!("open{n}"), 0)?;
        verdict.check(viewer.watch.playing(PLAYS));
        others.push(viewer);
    }
    for viewer in &others {
        verdict.check(viewer.full(Duration::from_secs(20)));
    }
    let feeds = |stats: &Event| stats.number("children") > 0;
    verdict.check(
        watch
            .program
            .wait("stats", Duration::from_secs(10), feeds)
            .context("it feeds nobody"),
    );
    let id = watch.peer()?;
    let fed = places(&others)?
        .values()
        .flat_map(|place| place.values())
        .filter(|parent| **parent == id)
        .count();
    verdict.expect(fed > 0, || "no open viewer has a stripe from it".into());
    for viewer in &others {
        verdict.check(viewer.check_unharmed());
    }
    drop((others, watch, home));
    scene.close(verdict)
}

/// Two homes that cannot dial each other: what the first could give is not counted for the second.
#[test]
fn uplink_that_nobody_can_reach_is_not_counted() -> Result<()> {
    let scene = Scene::open("nat-both", Wire::Bridge, 7, &["--when-full", "refuse"])?;
    let mut verdict = Verdict::of("nat-both");
    let homes = [
        scene.net.host_behind_nat("home0")?,
        scene.net.host_behind_nat("home1")?,
    ];
    let first = scene.watch(&homes[0].host, &homes[0].router, HOME, &["--sponsor", "never"])?;
    first.playing(PLAYS)?;
    let second = scene.watch(&homes[1].host, &homes[1].router, HOME, &["--sponsor", "never"])?;
    let ended = second.program.wait_end(Duration::from_secs(120))?;
    verdict.expect(ended.code() == Some(4), || {
        format!("the second ended with {ended}")
    });
    verdict.check(first.receiving(rig::scene::TOP, rig::scene::STRIPES, Duration::from_secs(10)));
    drop((first, second, homes));
    scene.close(verdict)
}

/// A relay on a sponsor's machine behind its router: nobody can dial it, so that it is ended instead of running for nothing.
#[test]
fn a_relay_that_nobody_can_reach_is_ended() -> Result<()> {
    let scene = Scene::open("nat-relay", Wire::Bridge, 7, &["--when-full", "degrade"])?;
    let mut verdict = Verdict::of("nat-relay");
    let open = scene.viewer("open", 0)?;
    open.settled(PLAYS)?;
    let home = scene.net.host_behind_nat("home")?;
    let sponsors = ["--sponsor", "yes", "--hours", "1", "--budget", "1"];
    let sponsor = scene.watch(&home.host, &home.router, HOME, &sponsors)?;
    let is_now = |state: &'static str| move |event: &Event| event.text("state") == state;
    let patience = Duration::from_secs(20);
    sponsor
        .program
        .wait("sponsoring", patience, is_now("serving"))
        .context("no relay is started")?;
    let relay = Relay::of(&scene.stage, &home.host, "home")?;
    sponsor
        .program
        .wait("sponsoring", patience, is_now("ended"))
        .context("the relay runs on")?;
    verdict.check(relay.gone(Duration::from_secs(5)));
    let told = sponsor.program.events().all("warning");
    let is_told = |event: &Event| event.text("message").contains("has no use for relay");
    verdict.expect(told.iter().any(is_told), || {
        format!("its sponsor is told {told:?}")
    });
    let left = relays(&scene.stage, &home.host, "home", &["list"], None)?;
    verdict.expect(left.relays.is_empty(), || "the ledger has it still".into());
    drop((sponsor, home, open));
    scene.close(verdict)
}
