//! A run: a scenario is put on with one seed, and judged while it goes.

mod build;
mod cloud;
mod faults;
mod late;
mod room;
mod second;
mod stop_watch;
mod turns;

use crate::audience::Audience;
use crate::cheat::Since;
use crate::check::{Broken, Checks, panic_words};
use crate::media::{FRAMES_A_SECOND, Media};
use crate::net::{Micros, SECOND};
use crate::scenario::Scenario;
use crate::score::{Score, SimResult};
use crate::world::{NodeIndex, Pause, World};
use banyan_protocol::id::{Sign, Verify};
use banyan_protocol::io::{Command, Input};
use banyan_protocol::rng::Rng;
use banyan_protocol::units::Bitrate;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use stop_watch::StopWatch;

/// What happens at a set time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The next pictures are captured.
    Frame,
    /// Somebody joins.
    Join,
    /// Somebody of the exodus leaves.
    Leave,
    /// Something goes wrong.
    Fault,
    /// A frozen viewer goes on.
    Thaw(NodeIndex),
    /// The broadcaster is killed.
    KillSource,
    /// The broadcaster is started again.
    StartSource,
    /// A relay has booted: its number among all relays.
    Boot(usize),
    /// A relay's machine is destroyed.
    Destroy(usize),
    /// The sponsor of that relay goes.
    SponsorGoes(usize),
    /// The uplink of that relay becomes too small.
    Overload(usize),
    /// A relay begins to cheat.
    Turn,
    /// One of many keys of one address joins.
    Crowd,
    /// A second is over.
    Second,
}

/// What is printed to standard error while a run goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What this node hears and says.
    pub follow: Option<NodeIndex>,
    /// What travels in each second, by kind.
    pub pulse: bool,
    /// What the broadcaster said on control lanes, by kind, at the end.
    pub ledger: bool,
    /// Where the full stream's slots are in each second.
    pub room: bool,
    /// Who is not at the live edge in each second, and below whom it falls behind.
    pub late: bool,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What came of it.
    pub result: SimResult,
    /// What was broken, if anything: the run ended there.
    pub broken: Option<Broken>,
    /// What was not settled when everything had to be after the last fault, each in a sentence.
    pub unsettled: Vec<String>,
}

/// A run under way.
pub struct Show {
    seed: u64,
    scenario: Scenario,
    tells_room: bool,
    world: World<Score, Alarm>,
    rng: Rng,
    media: Media,
    key: Arc<dyn Sign>,
    verify: Arc<dyn Verify>,
    audience: Audience,
    checks: Checks,
    source: NodeIndex,
    source_uplink: Bitrate,
    /// Runs of the broadcaster so far.
    epochs: u64,
    /// Frames captured so far.
    frames: u64,
    /// Keys handed out so far.
    keys: u64,
    cast: BTreeSet<NodeIndex>,
    changed: Vec<NodeIndex>,
    last_fault: Micros,
    faults: u64,
    rates: faults::FaultRates,
    samples: second::Samples,
    tells_late: bool,
    relays: Vec<cloud::Machine>,
    /// Whether relays cheat yet, by relay, where one will.
    turns: BTreeMap<usize, Since>,
    /// The relay that cheats, and its sponsor.
    cheat: Option<(NodeIndex, NodeIndex)>,
    /// Seats that relays took back for want of uplink, and those of them whose turn it was not.
    sheds: u64,
    unfair_sheds: u64,
}

impl Show {
    /// Runs `scenario` with `seed` to its end, or to the first thing that is broken: a machine that panics is.
    pub fn run(scenario: &Scenario, seed: u64, look: Look) -> Outcome {
        let watch = StopWatch::start();
        let mut show = Self::new(scenario.clone(), seed);
        show.tells_late = look.late;
        if let Some(node) = look.follow {
            show.world.follow(node);
        }
        show.tells_room = look.room;
        if look.pulse {
            show.world.watch.feel_pulse();
        }
        if look.ledger {
            show.world.watch.keep_ledger();
        }
        let played = panic::catch_unwind(AssertUnwindSafe(|| show.play()));
        let broken = match played {
            Ok(played) => played.err(),
            Err(panic) => {
                let (at, what) = (
                    show.world.now(),
                    format!("a machine panicked: {}", panic_words(&*panic)),
                );
                Some(Broken { at, what })
            }
        };
        show.print_ledger();
        Outcome {
            result: show.result(&watch),
            broken,
            unsettled: show.unsettled(),
        }
    }

    fn play(&mut self) -> Result<(), Broken> {
        let end = self.end();
        while let Some(pause) = self.world.run() {
            self.look_at_changed()?;
            self.serve_sponsors();
            self.judge_sheds();
            let Pause::Alarm(alarm) = pause else { continue };
            self.ring(alarm)?;
            if self.world.now() >= end {
                break;
            }
        }
        Ok(())
    }

    /// When the run ends.
    fn end(&self) -> Micros {
        (self.scenario.minutes * 60e6) as Micros
    }

    /// When faults stop.
    fn quiet_from(&self) -> Micros {
        self.end() - (self.scenario.faults.quiet_s * 1e6) as Micros
    }

    fn look_at_changed(&mut self) -> Result<(), Broken> {
        self.world.take_changed(&mut self.changed);
        self.checks.look_at(&self.world, &self.changed)
    }

    /// Moves may come of what happens now.
    fn note(&mut self, alarm: Alarm) {
        match alarm {
            Alarm::Join => self.checks.came(&self.world),
            Alarm::Crowd | Alarm::Leave | Alarm::Thaw(_) | Alarm::KillSource | Alarm::StartSource => {
                self.checks.disturbed();
            }
            _ => {}
        }
    }

    fn ring(&mut self, alarm: Alarm) -> Result<(), Broken> {
        self.note(alarm);
        match alarm {
            Alarm::Frame => self.capture(),
            Alarm::Join => self.join(),
            Alarm::Leave => self.one_leaves(),
            Alarm::Fault => self.fault(),
            Alarm::Thaw(node) => self.world.thaw(node),
            Alarm::KillSource => self.kill_source(),
            Alarm::StartSource => self.start_source(),
            Alarm::Boot(relay) => self.boot(relay),
            Alarm::Destroy(relay) => self.lose_machine(relay),
            Alarm::SponsorGoes(relay) => self.sponsor_goes(relay),
            Alarm::Overload(relay) => self.overload(relay),
            Alarm::Turn => self.turn(),
            Alarm::Crowd => self.join_crowd(),
            Alarm::Second => return self.second(),
        }
        Ok(())
    }

    /// The broadcaster's input delivers a frame of every tier.
    fn capture(&mut self) {
        self.world
            .set_alarm(self.world.now() + SECOND / FRAMES_A_SECOND, Alarm::Frame);
        let frame = self.frames;
        self.frames += 1;
        let packets: Vec<_> = self.media.frame(frame).collect();
        for (tier, packet) in packets {
            self.world
                .tell(self.source, Input::Command(Command::Packet { tier, packet }));
        }
    }
}
