//! Uplinks run out and a viewer sponsors a relay, on its own machine: everybody's picture is whole again, and stays so
//! whatever becomes of the relay and its sponsor, or falls to the lowest tier without a gap.

use anyhow::{Context, Result};
use rig::relay::{Relay, relays};
use rig::scene::{PLAYS, STRIPES, Scene, TOP, Viewer, uplink};
use rig::stage::built;
use rig::verdict::Verdict;
use rig::{Event, Program, Wire};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// The broadcaster has one copy, and the lowest tier for three more.
const SOURCE: u64 = 8;

/// What a relay on a sponsor's host sends.
const RELAY: u64 = 30;

/// Promised from the yes to the first stripe, and to full quality for all who wait.
const SERVES_MS: u64 = 2_000;
const WHOLE_MS: u64 = 5_000;

/// Promised from a relay's end to the next question.
const ASKED_MS: u64 = 3_000;

/// How long anything is waited for of which something shorter may be promised.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sponsor's silence is noticed after fourteen seconds at most; a few more show that nothing comes of it.
const UNATTENDED: Duration = Duration::from_secs(18);

/// A channel whose uplinks run out.
struct Short {
    scene: Scene,
    verdict: Verdict,
}

/// What the events after it are counted from.
struct Mark(Vec<usize>);

impl Short {
    fn open(name: &str) -> Result<Self> {
        Ok(Self {
            scene: Scene::open(name, Wire::Bridge, SOURCE, &[])?,
            verdict: Verdict::of(name),
        })
    }

    /// A viewer who gives nothing and may sponsor, on a host that has an uplink for a relay.
    fn sponsor(&self, name: &str, mode: &str) -> Result<Viewer> {
        let relay = uplink(self.scene.slot, RELAY).as_bps().to_string();
        let limits = ["--hours", "1", "--budget", "1", "--relay-uplink", &relay];
        let viewer = self
            .scene
            .viewer_with(name, 0, &[&["--sponsor", mode], &limits[..]].concat())?;
        viewer.host.shape(uplink(self.scene.slot, RELAY + 5))?;
        Ok(viewer)
    }

    /// Free riders who are never asked.
    fn riders(&self, count: usize) -> Result<Vec<Viewer>> {
        (0..count)
            .map(|n| self.scene.viewer(&format!("rider{n}"), 0))
            .collect()
    }

    /// Waits until a relay of this sponsor's serves.
    fn serving(&mut self, sponsor: &Viewer) -> Result<Relay> {
        let program = &sponsor.watch.program;
        let is_first = |event: &Event| {
            event.text("state") == "serving" && !event.fields["click_to_serving_ms"].is_null()
        };
        let serving = program.wait("sponsoring", PATIENCE, is_first)?;
        self.verdict.at_most(
            "yes to serving ms",
            serving.number("click_to_serving_ms"),
            SERVES_MS,
        );
        Relay::of(&self.scene.stage, &sponsor.host, sponsor.name())
    }

    /// Waits until all of them are at full quality; how long that took since `yes`.
    fn whole(&mut self, viewers: &[&Viewer], yes: Instant) -> Result<()> {
        let mut last = Duration::ZERO;
        for viewer in viewers {
            last = last.max(full_after(viewer, yes)?.at - yes);
        }
        self.verdict
            .at_most("yes to all whole ms", last.as_millis() as u64, WHOLE_MS);
        Ok(())
    }

    /// The coordinator says that a relay has come, or gone.
    fn coordinator_says(&self, name: &str) -> Result<Event> {
        self.scene.broadcast.program.wait(name, PATIENCE, |_| true)
    }

    /// Nobody stalled, and nothing was lost.
    fn check_unharmed(&mut self, viewers: &[&Viewer]) {
        for viewer in viewers {
            self.verdict.check(viewer.check_unharmed());
        }
    }
}

/// The first `stats` after `since` with all stripes of the full quality.
fn full_after(viewer: &Viewer, since: Instant) -> Result<Event> {
    let is_full = |stats: &Event| {
        stats.at > since
            && stats.fields["tier"] == TOP
            && stats.fields["stripes_receiving"].as_u64() >= Some(STRIPES)
    };
    viewer
        .watch
        .program
        .wait("stats", PATIENCE, is_full)
        .with_context(|| format!("{} is not at full quality", viewer.name()))
}

/// Whether all that a viewer got, by its newest `stats`, came from `parent`.
fn hangs_on(viewer: &Viewer, parent: &str) -> Result<bool> {
    let parents = viewer.watch.parents()?;
    Ok(parents.len() as u64 >= STRIPES && parents.values().all(|other| other == parent))
}

/// How many events each has told so far.
fn mark(viewers: &[&Viewer]) -> Mark {
    let counts = viewers.iter().map(|viewer| viewer.watch.program.events().count());
    Mark(counts.collect())
}

/// Waits until each shows what it is served, after the mark: the lowest tier at least.
fn served_since(viewers: &[&Viewer], mark: &Mark) -> Result<()> {
    for (viewer, mark) in viewers.iter().zip(&mark.0) {
        let is_served = |stats: &Event| stats.fields["stripes_receiving"].as_u64() >= Some(1);
        viewer
            .watch
            .program
            .wait_from(*mark, "stats", PATIENCE, is_served)?;
    }
    Ok(())
}

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
    sponsor.full(PLAYS)?;
    let riders = short.riders(2)?;
    for rider in &riders {
        rider.watch.playing(PLAYS)?;
    }
    let yes = accept(&sponsor)?;
    let relay = short.serving(&sponsor)?;
    let all = [&sponsor, &riders[0], &riders[1]];
    short.whole(&all, yes)?;
    let joined = short.coordinator_says("relay-joined")?;
    let id = joined.text("relay").to_owned();
    short
        .verdict
        .expect(joined.text("sponsor") == sponsor.watch.peer()?, || {
            format!("it is not its sponsor's: {}", joined.fields)
        });
    let first = hangs_on(&sponsor, &id)?;
    short.verdict.expect(first, || {
        format!("its sponsor hangs on {:?}, not on {id}", sponsor.watch.parents())
    });
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
    Ok(())
}

#[test]
fn a_killed_relay_costs_nobody_a_picture_and_the_next_is_asked() -> Result<()> {
    let mut short = Short::open("relays-killed")?;
    let first = short.sponsor("first", "ask")?;
    first.full(PLAYS)?;
    let sponsor = short.sponsor("sponsor", "yes")?;
    let relay = short.serving(&sponsor)?;
    let third = short.sponsor("third", "ask")?;
    let all = [&first, &sponsor, &third];
    for viewer in all {
        full_after(viewer, Instant::now())?;
    }
    short.check_unharmed(&all);
    let asked = short.scene.broadcast.program.events().count();
    let (before, killed) = (mark(&all), Instant::now());
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
    short.whole(&all, yes)?;
    short.verdict.check(served_since(&all, &before));
    short.check_unharmed(&all);
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
    sponsor.full(PLAYS)?;
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
