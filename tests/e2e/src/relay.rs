//! Relays that run as processes on a sponsor's host: found as their sponsor finds them, and watched until they end.

use crate::events::Event;
use crate::host::Host;
use crate::program::Program;
use crate::stage::{Stage, built};
use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::time::Duration;

/// How long `banyan relays …` may take: it waits for a relay that it ends.
const ANSWERS: Duration = Duration::from_secs(10);

/// A relay's process.
pub struct Relay {
    /// Its lease, by which `banyan relays` knows it.
    pub lease: String,
    /// What `banyan relays list` says of it.
    pub listed: Event,
    pid: Pid,
    process: OwnedFd,
}

/// What `banyan relays` said, and how it ended.
pub struct Said {
    /// The relays that it told of.
    pub relays: Vec<Event>,
    /// Its exit code.
    pub code: Option<i32>,
}

/// Runs `banyan relays WORDS` as the person who runs the program `name` on `host`; `answer` is what it is told.
pub fn relays(stage: &Stage, host: &Host, name: &str, words: &[&str], answer: Option<&str>) -> Result<Said> {
    let words = [&["relays"], words, &["--json"]].concat();
    let command = std::iter::once(built("banyan")?).chain(words.iter().map(|word| (*word).to_owned()));
    let program = Program::start(stage, host, name, &command.collect::<Vec<_>>())?;
    if let Some(answer) = answer {
        program.say(answer)?;
    }
    let ended = program.wait_end(ANSWERS)?;
    let events = program.events();
    let relays = [events.all("relay"), events.all("relay-ended")].concat();
    let code = ended.code();
    Ok(Said { relays, code })
}

impl Relay {
    /// The one relay that the person who runs the program `name` on `host` has.
    pub fn of(stage: &Stage, host: &Host, name: &str) -> Result<Self> {
        let said = relays(stage, host, name, &["list"], None)?;
        ensure!(said.relays.len() == 1, "{} relays are listed", said.relays.len());
        let listed = said.relays[0].clone();
        let (pid, _) = listed
            .text("machine")
            .split_once('-')
            .context("a process has a number and a start")?;
        let pid = Pid::from_raw(pid.parse()?).context("a process has a number")?;
        let process = pidfd_open(pid, PidfdFlags::empty()).context("the relay does not run")?;
        Ok(Self {
            lease: listed.text("relay").to_owned(),
            listed,
            pid,
            process,
        })
    }

    /// Kills it, as a machine that is destroyed.
    pub fn kill(&self) -> Result<()> {
        kill_process(self.pid, Signal::KILL).context("the relay cannot be killed")
    }

    /// Has it cheat from now on, if it is one that does.
    pub fn turn(&self) -> Result<()> {
        kill_process(self.pid, Signal::USR1).context("the relay cannot be signalled")
    }

    /// Whether it runs.
    pub fn runs(&self) -> Result<bool> {
        Ok(!self.is_over(Duration::ZERO)?)
    }

    /// Waits for its end.
    pub fn gone(&self, within: Duration) -> Result<()> {
        ensure!(self.is_over(within)?, "the relay's process still runs");
        Ok(())
    }

    fn is_over(&self, within: Duration) -> Result<bool> {
        let mut ends = [PollFd::new(&self.process, PollFlags::IN)];
        let within = Timespec::try_from(within)?;
        Ok(poll(&mut ends, Some(&within))? > 0)
    }
}
