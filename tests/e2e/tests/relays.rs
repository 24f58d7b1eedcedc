//! Uplinks run out and a viewer sponsors a relay, on its own machine: everybody's picture is whole again, and stays so
//! whatever becomes of the relay and its sponsor, or falls to the lowest tier without a gap.

use anyhow::{Context, Result};
use rig::relay::{Relay, relays};
use rig::scene::{PLAYS, Viewer, uplink};
use rig::shortage::{PATIENCE, RELAY, SERVES_MS, Short, full_after, hangs_on, mark, served_since};
use rig::stage::built;
use rig::{Event, Program};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Promised from a relay's end to the next question.
const ASKED_MS: u64 = 3_000;

/// A sponsor's silence is noticed after fourteen seconds at most; a few more show that nothing comes of it.
const UNATTENDED: Duration = Duration::from_secs(18);

/// A person is asked, and says yes; when.
fn accept(viewer: &Viewer) -> Result<Instant> {
    let program = &viewer.watch.program;
    program.wait("sponsor-request", PATIENCE, |_| true)?;
    program.say(r#"{"answer":"sponsor"}"#)?;
    Ok(Instant::now())
}

#[test]
fn a_sponsor_makes_everybody_whole_and_leaves_without_a_gap() -> Result<()> {
    let mut short = Short::open("relays-story")?;
    let sponsor = short.sponsor("sponsor", "ask")?;
    sponsor.settled(PLAYS)?;
    let riders = short.riders(2)?;
    for rider in &riders {
        rider.watch.playing(PLAYS)?;
    }
    let yes = accept(&sponsor)?;
    let relay = short.serving(&sponsor)?;
    let all = [&sponsor, &riders[0], &riders[1]];
    short.whole(&all, yes)?;
    let joined = short.coordinator_says("relay-joined")?;
    short
        .verdict
        .expect(joined.text("sponsor") == sponsor.watch.peer()?, || {
            format!("it is not its sponsor's: {}", joined.fields)
        });
    short.verdict.check(hangs_on(&sponsor, joined.text("relay")));
    short.check_unharmed(&all);
    leave(&mut short, &sponsor, &relay, &[&riders[0], &riders[1]])?;
    drop((sponsor, riders));
    short.scene.close(short.verdict)
}

/// The sponsor goes, and its relay with it: the others fall to the lowest tier at worst.
fn leave(short: &mut Short, sponsor: &Viewer, relay: &Relay, others: &[&Viewer]) -> Result<()> {
    let program = &sponsor.watch.program;
    program.signal(Signal::INT)?;
    let ended = program.wait_end(PATIENCE)?;
    short
        .verdict
        .expect(ended.success(), || format!("the sponsor ended with {ended}"));
    short.verdict.check(relay.gone(Duration::ZERO));
    let told: Vec<Event> = program.events().all("sponsoring");
    for state in ["draining", "ended"] {
        let is_told = told.iter().any(|event| event.text("state") == state);
        short
            .verdict
            .expect(is_told, || format!("no `sponsoring` says `{state}`"));
    }
    let mark = mark(others);
    short.verdict.check(short.coordinator_says("relay-left"));
    short.verdict.check(served_since(others, &mark));
    short.check_unharmed(others);
    if program.events().all("tier").is_empty() {
        let input = short.scene.input()?;
        short.verdict.check(sponsor.watch.check_frames(&input));
    }
    Ok(())
}

#[test]
fn a_killed_relay_costs_nobody_a_picture_and_the_next_is_asked() -> Result<()> {
    let mut short = Short::open("relays-killed")?;
    let first = short.sponsor("first", "ask")?;
    first.settled(PLAYS)?;
    let sponsor = short.sponsor("sponsor", "yes")?;
    let relay = short.serving(&sponsor)?;
    let third = short.sponsor("third", "ask")?;
    let all = [&first, &sponsor, &third];
    for viewer in all {
        full_after(viewer, Instant::now())?;
    }
    short.check_lost_nothing(&all);
    let asked = short.scene.broadcast.program.events().count();
    let killed = Instant::now();
    relay.kill()?;
    let asked = short
        .scene
        .broadcast
        .program
        .wait_from(asked, "sponsor-asked", PATIENCE, |_| true)?;
    let after = (asked.at - killed).as_millis() as u64;
    short
        .verdict
        .at_most("relay killed to next asked ms", after, ASKED_MS);
    short.verdict.expect(asked.text("round") == "orphans", || {
        format!("not those who lost something are asked first: {}", asked.fields)
    });
    let next = all
        .into_iter()
        .find(|viewer| viewer.watch.peer().is_ok_and(|peer| peer == asked.text("peer")));
    let next = next.context("somebody else is asked")?;
    short.verdict.expect(next.name() != "sponsor", || {
        "who has just been asked is asked again".into()
    });
    let request = next
        .watch
        .program
        .events()
        .all("sponsor-request")
        .into_iter()
        .next_back();
    let yes = match request {
        Some(request) if request.at > killed => answer(next)?,
        _ => accept(next)?,
    };
    short.serving(next)?;
    short.whole_again(&all, yes)?;
    short.check_lost_nothing(&all);
    drop((first, sponsor, third));
    short.scene.close(short.verdict)
}

/// Says yes to a question that is open.
fn answer(viewer: &Viewer) -> Result<Instant> {
    viewer.watch.program.say(r#"{"answer":"sponsor"}"#)?;
    Ok(Instant::now())
}

#[test]
fn a_relay_outlives_a_sponsor_that_crashes() -> Result<()> {
    let mut short = Short::open("relays-run-on")?;
    let sponsor = short.sponsor("sponsor", "yes")?;
    sponsor.settled(PLAYS)?;
    let riders = short.riders(2)?;
    let relay = short.serving(&sponsor)?;
    let others = [&riders[0], &riders[1]];
    for rider in others {
        full_after(rider, Instant::now())?;
    }
    sponsor.watch.program.signal(Signal::KILL)?;
    sponsor.watch.program.wait_end(PATIENCE)?;
    let marks = mark(&others);
    // What is measured is that nothing happens in this time, in which the coordinator takes over.
    std::thread::sleep(UNATTENDED);
    short
        .verdict
        .expect(relay.runs()?, || "the relay went with its sponsor".into());
    for (rider, mark) in others.iter().zip(&marks.0) {
        let fell = rider.watch.program.events().since(*mark, "tier");
        short.verdict.expect(fell.is_empty(), || {
            format!("{} did not keep full quality: {:?}", rider.name(), fell)
        });
        short.verdict.check(full_after(rider, Instant::now()));
    }
    short.check_unharmed(&others);
    stop(&mut short, &sponsor, &relay)?;
    let marks = mark(&others);
    short.verdict.check(short.coordinator_says("relay-left"));
    short.verdict.check(served_since(&others, &marks));
    short.check_unharmed(&others);
    drop((sponsor, riders));
    short.scene.close(short.verdict)
}

/// `banyan relays` finds a relay that nobody attends to: it is within its lease, so that only a word ends it.
fn stop(short: &mut Short, sponsor: &Viewer, relay: &Relay) -> Result<()> {
    let say =
        |words: &[&str], answer| relays(&short.scene.stage, &sponsor.host, sponsor.name(), words, answer);
    let swept = say(&["sweep"], None)?;
    let refused = say(&["sweep", "--all"], Some("n"))?;
    let runs = relay.runs()?;
    let stopped = say(&["stop", &relay.lease], None)?;
    let left = say(&["list"], None)?;
    short.verdict.expect(swept.relays.is_empty() && runs, || {
        format!("`sweep` ended what is within its lease: {:?}", swept.relays)
    });
    short.verdict.expect(refused.code == Some(2), || {
        format!("a refused `sweep --all` ended with {:?}", refused.code)
    });
    short.verdict.expect(stopped.code == Some(0), || {
        format!("`stop` ended with {:?}", stopped.code)
    });
    short.verdict.check(relay.gone(Duration::ZERO));
    short.verdict.expect(left.relays.is_empty(), || {
        format!("it is still listed: {:?}", left.relays)
    });
    Ok(())
}

#[test]
fn who_does_not_watch_sponsors_too() -> Result<()> {
    let mut short = Short::open("relays-alone")?;
    let riders = short.riders(2)?;
    for rider in &riders {
        rider.watch.playing(PLAYS)?;
    }
    let host = short.scene.net.host("sponsor")?;
    let relay_uplink = uplink(short.scene.slot, RELAY).as_bps().to_string();
    let link = short.scene.broadcast.link.clone();
    let words = |limits: &[&str]| -> Result<Vec<String>> {
        let words = [
            &["sponsor", link.as_str()],
            limits,
            &["--relay-uplink", &relay_uplink, "--json"],
        ]
        .concat();
        Ok(std::iter::once(built("banyan")?)
            .chain(words.into_iter().map(str::to_owned))
            .collect())
    };
    let local = words(&["--provider", "local", "--hours", "1", "--budget", "0"])?;
    let (yes, sponsor) = (
        Instant::now(),
        Program::start(&short.scene.stage, &host, "sponsor", &local)?,
    );
    let is_first = |event: &Event| !event.fields["click_to_serving_ms"].is_null();
    let serving = sponsor.wait("sponsoring", PATIENCE, is_first)?;
    short.verdict.at_most(
        "start to serving ms",
        serving.number("click_to_serving_ms"),
        SERVES_MS,
    );
    let all = [&riders[0], &riders[1]];
    short.whole(&all, yes)?;
    let relay = Relay::of(&short.scene.stage, &host, "sponsor")?;
    sponsor.signal(Signal::INT)?;
    let ended = sponsor.wait_end(PATIENCE)?;
    short
        .verdict
        .expect(ended.success(), || format!("the sponsor ended with {ended}"));
    short.verdict.check(relay.gone(Duration::ZERO));
    let marks = mark(&all);
    short.verdict.check(served_since(&all, &marks));
    short.check_unharmed(&all);
    drop(riders);
    short.scene.close(short.verdict)
}
