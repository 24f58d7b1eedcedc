//! A sponsor's relay cheats: it is named and left, its sponsor is served as if it lent nothing, and the next one makes everybody whole.

use anyhow::Result;
use rig::Event;
use rig::scene::{PLAYS, Viewer};
use rig::shortage::{PATIENCE, Short, full_after};
use std::time::Instant;

/// The broadcaster has two copies, and a slot; each carrier has two slots besides: some have a stripe from elsewhere than the relay.
const SOURCE: u64 = 11;
const CARRIES: u64 = 2;

/// What a relay's children lack counts from ten seconds after it has begun to serve, and it has two to begin.
const COUNTS_MS: u64 = 13_000;

/// From the first misdeed to the cheat's name: what the simulator takes at most, and a second for a busy machine.
const ALTERS_MS: u64 = 1_500;
const WITHHOLDS_MS: u64 = 2_000;
const FEIGNS_MS: u64 = 9_000;

/// A channel whose viewers hang on a relay that begins to cheat.
struct Cheated {
    short: Short,
    /// Who came first, may sponsor, and has not been asked.
    patient: Viewer,
    /// Who lends the relay.
    sponsor: Viewer,
    /// Who is never asked.
    others: Vec<Viewer>,
    /// The relay's id.
    cheat: String,
    /// When it began, and how much the broadcaster had told by then.
    began: Instant,
    told: usize,
}

impl Cheated {
    fn open(name: &str, conduct: &str, after_ms: u64) -> Result<Self> {
        let mut short = Short::with_source(name, SOURCE)?;
        let patient = short.sponsor("patient", "ask")?;
        patient.settled(PLAYS)?;
        let mut others = short.riders(1)?;
        full_after(&others[0], Instant::now())?;
        let sponsor = short.crook("sponsor", conduct)?;
        let relay = short.serving(&sponsor)?;
        let joined = short.coordinator_says("relay-joined")?;
        for name in ["carrier0", "carrier1"] {
            others.push(short.scene.viewer(name, CARRIES)?);
        }
        others.push(short.scene.viewer("late", 0)?);
        for viewer in [&patient, &sponsor].into_iter().chain(&others) {
            viewer.settled(PLAYS)?;
            full_after(viewer, Instant::now())?;
        }
        let (program, from) = (&short.scene.broadcast.program, joined.number("t") + after_ms);
        program.wait("stats", PATIENCE, |stats| stats.number("t") >= from)?;
        let told = program.events().count();
        relay.turn()?;
        let (cheat, began) = (joined.text("relay").to_owned(), Instant::now());
        Ok(Self {
            short,
            patient,
            sponsor,
            others,
            cheat,
            began,
            told,
        })
    }

    /// Waits until it is named for `what`; how many milliseconds that took.
    fn is_named(&self, what: &str) -> Result<u64> {
        let program = &self.short.scene.broadcast.program;
        let is_it = |event: &Event| event.text("peer") == self.cheat && event.text("what") == what;
        let named = program.wait_from(self.told, "peer-blamed", PATIENCE, is_it)?;
        Ok((named.at - self.began).as_millis() as u64)
    }

    /// Somebody else is asked and says yes, and everybody is whole again, by what does not come from the cheat.
    fn is_overcome(&mut self) -> Result<()> {
        let program = &self.patient.watch.program;
        program.wait("sponsor-request", PATIENCE, |request| request.at > self.began)?;
        program.say(r#"{"answer":"sponsor"}"#)?;
        let yes = Instant::now();
        self.short.serving(&self.patient)?;
        let all = [&self.patient, &self.sponsor].into_iter().chain(&self.others);
        let all: Vec<&Viewer> = all.collect();
        self.short.whole_without(&self.cheat, &all, yes)
    }

    /// Its relay is a member no more, and nobody else was blamed.
    fn is_judged(&mut self) -> Result<()> {
        let left = self.short.coordinator_says("relay-left")?;
        let events = self.short.scene.broadcast.program.events();
        let blamed = events.since(self.told, "peer-blamed");
        let verdict = &mut self.short.verdict;
        verdict.expect(left.text("relay") == self.cheat, || {
            format!("another relay left: {}", left.fields)
        });
        verdict.expect(
            blamed.iter().all(|event| event.text("peer") == self.cheat),
            || format!("others are blamed: {blamed:?}"),
        );
        Ok(())
    }

    /// The cheat's sponsor came to the lowest tier, as others do who give nothing.
    fn is_priority_lost(&mut self) {
        let falls = self.sponsor.watch.program.events().all("tier");
        let is_fall = |event: &Event| event.at > self.began && event.fields["tier"] == 0;
        self.short.verdict.expect(falls.iter().any(is_fall), || {
            "the cheat's sponsor kept its quality, as if it lent a relay".into()
        });
    }

    /// Nobody but the sponsor lost a block. Whether anybody stalled is told: all of them come to the lowest tier and back.
    fn check_lost_nothing(&mut self) -> Result<()> {
        for viewer in std::iter::once(&self.patient).chain(&self.others) {
            let (name, verdict) = (viewer.name(), &mut self.short.verdict);
            let lost = viewer.watch.stats()?.number("blocks_lost");
            verdict.at_most(&format!("blocks lost by {name}"), lost, 0);
            let stalls = viewer.watch.program.events().all("stall").len();
            verdict.wish_at_most(&format!("stalls of {name}"), stalls, 0);
        }
        Ok(())
    }

    fn close(self) -> Result<()> {
        drop((self.patient, self.sponsor, self.others));
        self.short.scene.close(self.short.verdict)
    }
}

/// A relay begins to cheat so many milliseconds after it has come, is named for `what` within so many, and is got over.
fn caught(name: &str, conduct: &str, after_ms: u64, (what, within_ms): (&str, u64)) -> Result<Cheated> {
    let mut cheated = Cheated::open(name, conduct, after_ms)?;
    let took = cheated.is_named(what)?;
    let verdict = &mut cheated.short.verdict;
    verdict.at_most("misdeed to name ms", took, within_ms);
    cheated.is_overcome()?;
    cheated.is_judged()?;
    cheated.check_lost_nothing()?;
    Ok(cheated)
}

#[test]
fn a_relay_that_alters_chunks_is_named_and_left() -> Result<()> {
    let mut cheated = caught("cheats-alters", "alters", 0, ("alters chunks", ALTERS_MS))?;
    cheated.is_priority_lost();
    cheated.close()
}

#[test]
fn a_relay_that_feigns_overload_is_named_and_left() -> Result<()> {
    let what = ("gives no more than it takes", FEIGNS_MS);
    caught("cheats-feigns", "feigns-overload", 0, what)?.close()
}

#[test]
fn a_relay_that_withholds_a_stripe_is_named_and_left() -> Result<()> {
    let what = ("withholds what others have", WITHHOLDS_MS);
    caught("cheats-withholds", "withholds", COUNTS_MS, what)?.close()
}
