//! A relay whose uplink is cut to half of what its children need: who pays for it notices nothing, who carries others comes next, and
//! free riders keep the lowest tier.

use anyhow::{Context, Result};
use banyan_protocol::units::Bitrate;
use rig::Event;
use rig::banyan::parents;
use rig::relay::Relay;
use rig::scene::{PLAYS, Viewer, is_long};
use rig::shortage::{Mark, PATIENCE, Short, full_after, mark, served_since};
use std::time::{Duration, Instant};

/// The relay is left with half of its uplink for so long, in the short form and in the long one.
const LEFT_MS: u64 = 20_000;
const LEFT_LONG_MS: u64 = 120_000;

/// The uplink of somebody who carries others, in slots.
const CARRIES: u64 = 6;

/// Of all viewers, those from here on give nothing.
const RIDERS: usize = 2;

#[test]
fn half_an_uplink_serves_the_sponsor_first_and_everybody_something() -> Result<()> {
    let mut short = Short::open("overload")?;
    let sponsor = short.sponsor("sponsor", "yes")?;
    sponsor.settled(PLAYS)?;
    let carrier = short.scene.viewer("carrier", CARRIES)?;
    let riders = short.riders(4)?;
    let _relay: Relay = short.serving(&sponsor)?;
    let all: Vec<&Viewer> = [&sponsor, &carrier].into_iter().chain(&riders).collect();
    for viewer in &all {
        full_after(viewer, Instant::now())?;
    }
    let relay = short.coordinator_says("relay-joined")?;
    let needed = fed_by(relay.text("relay"), &all)?;
    let before: Vec<Harm> = all.iter().map(|viewer| Harm::of(viewer)).collect::<Result<_>>()?;
    let cut = half(short.scene.slot, needed);
    sponsor.host.shape(cut)?;
    short.verdict.note("stripes of the relay's children", needed);
    let (marks, at) = (mark(&all), Instant::now());
    left(&sponsor)?;
    for (viewer, before) in all.iter().zip(&before) {
        judge(&mut short, viewer, before)?;
    }
    let first = falls(&mut short, &all, &marks, at);
    short.verdict.expect(first.is_some_and(|who| who >= RIDERS), || {
        format!("the first who loses quality is no free rider but {first:?}")
    });
    short.verdict.check(served_since(&all, &mark(&all)));
    named_for_nothing(&mut short);
    drop((sponsor, carrier, riders));
    short.scene.close(short.verdict)
}

/// What a viewer has suffered so far.
struct Harm {
    lost: u64,
    stalls: usize,
}

impl Harm {
    fn of(viewer: &Viewer) -> Result<Self> {
        Ok(Self {
            lost: viewer.watch.stats()?.number("blocks_lost"),
            stalls: viewer.watch.program.events().all("stall").len(),
        })
    }
}

/// Tells when each lost quality first, if it did; who was the first. The sponsor never does.
fn falls(short: &mut Short, all: &[&Viewer], marks: &Mark, at: Instant) -> Option<usize> {
    let mut first: Option<(Instant, usize)> = None;
    for (who, (viewer, mark)) in all.iter().zip(&marks.0).enumerate() {
        let Some(fall) = viewer
            .watch
            .program
            .events()
            .since(*mark, "tier")
            .first()
            .cloned()
        else {
            continue;
        };
        let (name, after) = (viewer.name(), (fall.at - at).as_millis());
        short
            .verdict
            .note(&format!("{name} loses quality after ms"), after);
        short
            .verdict
            .expect(name != "sponsor", || "the sponsor loses quality".into());
        first = first.into_iter().chain([(fall.at, who)]).min();
    }
    first.map(|(_, who)| who)
}

/// How many stripes a relay sends to all of them together.
fn fed_by(relay: &str, viewers: &[&Viewer]) -> Result<u64> {
    let mut stripes = 0;
    for viewer in viewers {
        let of = parents(&viewer.watch.stats()?);
        stripes += of.values().filter(|parent| *parent == relay).count() as u64;
    }
    Ok(stripes)
}

/// Half of what so many stripes need.
fn half(slot: Bitrate, stripes: u64) -> Bitrate {
    (slot * stripes).percent(50)
}

/// Waits until the sponsor has lived so long with what is left.
fn left(sponsor: &Viewer) -> Result<()> {
    let program = &sponsor.watch.program;
    let for_ms = if is_long() { LEFT_LONG_MS } else { LEFT_MS };
    let until = sponsor.watch.stats()?.number("t") + for_ms;
    let patience = PATIENCE + Duration::from_millis(for_ms);
    program
        .wait("stats", patience, |stats| stats.number("t") >= until)
        .context("the sponsor tells no more")?;
    Ok(())
}

/// What came of it for one of them; the sponsor is promised that nothing does.
fn judge(short: &mut Short, viewer: &Viewer, before: &Harm) -> Result<()> {
    let (name, after) = (viewer.name(), Harm::of(viewer)?);
    let figures = [
        (format!("blocks lost by {name}"), after.lost - before.lost),
        (format!("stalls of {name}"), (after.stalls - before.stalls) as u64),
    ];
    for (what, value) in figures {
        if name == "sponsor" {
            short.verdict.at_most(&what, value, 0);
        } else {
            short.verdict.note(&what, value);
        }
    }
    Ok(())
}

/// Nobody is held to have cheated for what its uplink cannot do; that a relay gives less than was promised is no more than true.
fn named_for_nothing(short: &mut Short) {
    let blamed = short.scene.broadcast.program.events().all("peer-blamed");
    let unfair: Vec<&Event> = blamed
        .iter()
        .filter(|event| !event.text("what").starts_with("gives "))
        .collect();
    short
        .verdict
        .expect(unfair.is_empty(), || format!("somebody is blamed: {unfair:?}"));
}
