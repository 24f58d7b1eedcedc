//! `banyan broadcast` and `banyan watch`, as the command-line contract has them.

use crate::clip::Clip;
use crate::events::Event;
use crate::frames::Frames;
use crate::host::Host;
use crate::net::{Net, Wire};
use crate::program::{Program, argument};
use crate::stage::{Stage, built};
use anyhow::{Context, Result};
use banyan_protocol::units::Bitrate;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long a broadcaster may take to print its link: it looks at ten seconds of the input at most.
const READY: Duration = Duration::from_secs(20);

/// Two seconds of buffer, a keyframe's distance, and a second for the encoder to begin.
const SETTLED_MS: u64 = 5_000;

/// A running `banyan broadcast`.
pub struct Broadcast {
    /// The program.
    pub program: Program,
    /// Where to watch it.
    pub link: String,
}

/// A running `banyan watch`.
pub struct Watch {
    /// The program.
    pub program: Program,
    /// Its `--output`, if it has one.
    pub output: Option<PathBuf>,
}

impl Broadcast {
    /// Starts broadcasting `input` from `host` and waits for the link.
    pub fn start(stage: &Stage, host: &Host, input: &str, options: &[&str]) -> Result<Self> {
        let command = command(&built("banyan")?, "broadcast", input, options);
        let program = Program::start(stage, host, host.name(), &command)?;
        let ready = program.wait("ready", READY, |_| true)?;
        let link = ready.text("link").to_owned();
        Ok(Self { program, link })
    }

    /// Waits until it has been on the air for longer than a viewer's buffer: before that there is nothing old enough to
    /// begin with.
    pub fn settle(&self) -> Result<()> {
        self.program
            .wait("stats", READY, |stats| stats.number("t") >= SETTLED_MS)?;
        Ok(())
    }

    /// What a slot of the top tier costs, as the coordinator says.
    pub fn slot(&self) -> Result<Bitrate> {
        let known = |event: &Event| event.fields["slot_bps"].as_u64().is_some_and(|bps| bps > 0);
        let capacity = self.program.wait("capacity", READY, known)?;
        Ok(Bitrate(capacity.number("slot_bps")))
    }
}

impl Watch {
    /// Starts watching `link` on `host`.
    pub fn start(stage: &Stage, host: &Host, link: &str, options: &[&str]) -> Result<Self> {
        Self::start_by(&built("banyan")?, stage, host, link, options)
    }

    /// Starts watching `link` on `host`, and writes the stream to a file of the stage.
    pub fn recording(stage: &Stage, host: &Host, link: &str, options: &[&str]) -> Result<Self> {
        Self::recording_by(&built("banyan")?, stage, host, link, options)
    }

    /// The same with a `banyan` in another place.
    pub fn recording_by(
        banyan: &str,
        stage: &Stage,
        host: &Host,
        link: &str,
        options: &[&str],
    ) -> Result<Self> {
        let output = stage.path(&format!("{}.ts", host.name()));
        let file = argument(&output);
        let options = [options, &["--output", &file]].concat();
        let mut watch = Self::start_by(banyan, stage, host, link, &options)?;
        watch.output = Some(output);
        Ok(watch)
    }

    fn start_by(banyan: &str, stage: &Stage, host: &Host, link: &str, options: &[&str]) -> Result<Self> {
        let command = command(banyan, "watch", link, options);
        let program = Program::start(stage, host, host.name(), &command)?;
        Ok(Self {
            program,
            output: None,
        })
    }

    /// Waits for the first frame; says how long it took from the program's start, in milliseconds.
    pub fn playing(&self, within: Duration) -> Result<u64> {
        Ok(self
            .program
            .wait("playing", within, |_| true)?
            .number("startup_ms"))
    }

    /// Waits until it receives `stripes` stripes of `tier`.
    pub fn receiving(&self, tier: u64, stripes: u64, within: Duration) -> Result<Event> {
        let all = |event: &Event| {
            event.fields["tier"] == tier && event.fields["stripes_receiving"].as_u64() >= Some(stripes)
        };
        self.program.wait("stats", within, all)
    }

    /// Its newest `stats`.
    pub fn stats(&self) -> Result<Event> {
        self.program
            .events()
            .newest("stats")
            .with_context(|| format!("{} has no stats yet", self.program.name()))
    }

    /// Who it got each stripe from, by its newest `stats`.
    pub fn parents(&self) -> Result<BTreeMap<String, String>> {
        Ok(parents(&self.stats()?))
    }

    /// Its own id, from `joined`.
    pub fn peer(&self) -> Result<String> {
        let joined = self.program.events().newest("joined");
        Ok(joined
            .with_context(|| format!("{} has not joined", self.program.name()))?
            .text("peer")
            .to_owned())
    }

    /// Checks that the decoded frames of its output are one unbroken piece of `input`.
    pub fn check_frames(&self, input: &Frames) -> Result<()> {
        let output = self.output.as_ref().context("it does not record")?;
        Frames::of(output)?
            .check_within(input)
            .with_context(|| format!("the output of {}", self.program.name()))
    }
}

/// The `parents` of a viewer's `stats`: stripe to peer.
pub fn parents(stats: &Event) -> BTreeMap<String, String> {
    let pairs = stats.fields["parents"].as_object().into_iter().flatten();
    pairs
        .map(|(stripe, peer)| (stripe.clone(), peer.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Learns what a slot of `clip`'s top tier costs, from a broadcaster that nobody watches.
pub fn slot_of(stage: &Stage, clip: &Clip) -> Result<Bitrate> {
    let net = Net::new(Wire::Bridge)?;
    let host = net.host("probe")?;
    let probe = Broadcast::start(stage, &host, &clip.argument(), &["--loop"])?;
    probe.slot()
}

fn command(banyan: &str, verb: &str, of: &str, options: &[&str]) -> Vec<String> {
    let words = [banyan, verb, of, "--json"].into_iter();
    words.chain(options.iter().copied()).map(str::to_owned).collect()
}
