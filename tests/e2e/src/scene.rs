//! A channel on the air: one broadcaster on a shaped uplink, and viewers that come and go.

use crate::banyan::{self, Broadcast, Watch};
use crate::clip::Clip;
use crate::host::Host;
use crate::net::{Net, Wire};
use crate::shape::Traffic;
use crate::stage::{Stage, built};
use crate::switch::{Line, Order};
use crate::verdict::Verdict;
use anyhow::{Context, Result, ensure};
use banyan_protocol::units::Bitrate;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The stripes of the clip's full quality.
pub const STRIPES: u64 = 5;

/// The clip's full quality is the second of two tiers.
pub const TOP: u64 = 1;

/// What a viewer of a two-second buffer has ready once it is at rest: less what is still under way to it.
const SETTLED_BUFFER_MS: u64 = 1_300;

/// By then its uplink has shown what it carries besides its own start.
const SETTLED_AFTER_MS: u64 = 4_000;

/// How long a viewer may take to leave: two seconds for its children to move, and some.
const LEAVES: Duration = Duration::from_secs(8);

/// How long a viewer may take to play, where nothing shorter is promised.
pub const PLAYS: Duration = Duration::from_secs(20);

/// A channel on the air. Programs go before their hosts, and the stage last.
pub struct Scene {
    /// The program.
    pub broadcast: Broadcast,
    /// Its host.
    pub broadcaster: Host,
    /// What its top tier's stripes cost each child.
    pub slot: Bitrate,
    /// What is broadcast, in a loop.
    pub clip: Clip,
    /// The network.
    pub net: Net,
    /// When it went on the air.
    pub since: Instant,
    /// The test's stage.
    pub stage: Stage,
}

/// A viewer and its host.
pub struct Viewer {
    /// The program.
    pub watch: Watch,
    /// Its host.
    pub host: Host,
    /// Its uplink, in whole slots of the top tier.
    pub slots: u64,
}

/// An uplink that gives `slots` stripes to children. Half a slot on top carries the host's own acknowledgements and
/// control, which are no slots.
pub fn uplink(slot: Bitrate, slots: u64) -> Bitrate {
    slot * slots + slot.percent(50)
}

/// Between homes: 20 ± 10 ms each way, 0.5 % loss.
pub fn far() -> Wire {
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
    Wire::Switch(Line {
        delay,
        jitter,
        loss_per_100k: 500,
        order: Order::Kept,
        seed: 1,
    })
}

/// Whether the long forms are asked for: `cargo xtask bench e2e`.
pub fn is_long() -> bool {
    std::env::var("BANYAN_E2E").is_ok_and(|form| form == "long")
}

impl Scene {
    /// Goes on the air with an uplink of `slots` slots.
    pub fn open(name: &str, wire: Wire, slots: u64, options: &[&str]) -> Result<Self> {
        let stage = Stage::open(name)?;
        let clip = Clip::five_stripes()?;
        let slot = banyan::slot_of(&stage, &clip)?;
        let net = Net::new(wire)?;
        let broadcaster = net.host("broadcaster")?;
        broadcaster.shape(uplink(slot, slots))?;
        let cap = uplink(slot, slots).as_bps().to_string();
        let options = [&["--loop", "--uplink", &cap], options].concat();
        let broadcast = Broadcast::start(&stage, &broadcaster, &clip.argument(), &options)?;
        broadcast.settle()?;
        Ok(Self {
            broadcast,
            broadcaster,
            slot,
            clip,
            net,
            since: Instant::now(),
            stage,
        })
    }

    /// A viewer on a host of its own, with an uplink of `slots` slots, who records and is never asked to sponsor.
    pub fn viewer(&self, name: &str, slots: u64) -> Result<Viewer> {
        self.viewer_with(name, slots, &["--sponsor", "never"])
    }

    /// The same, with options of its own.
    pub fn viewer_with(&self, name: &str, slots: u64, options: &[&str]) -> Result<Viewer> {
        self.viewer_by(&built("banyan")?, name, slots, options)
    }

    /// The same by a `banyan` in another place.
    pub fn viewer_by(&self, banyan: &str, name: &str, slots: u64, options: &[&str]) -> Result<Viewer> {
        let host = self.net.host(name)?;
        let watch = self.watch_by(banyan, &host, &host, slots, options)?;
        Ok(Viewer { watch, host, slots })
    }

    /// Starts watching on `host`, whose uplink is that of `gate`: its own, or its router's.
    pub fn watch(&self, host: &Host, gate: &Host, slots: u64, options: &[&str]) -> Result<Watch> {
        self.watch_by(&built("banyan")?, host, gate, slots, options)
    }

    fn watch_by(
        &self,
        banyan: &str,
        host: &Host,
        gate: &Host,
        slots: u64,
        options: &[&str],
    ) -> Result<Watch> {
        gate.shape(uplink(self.slot, slots))?;
        let cap = uplink(self.slot, slots).as_bps().to_string();
        let options = [&["--uplink", cap.as_str()], options].concat();
        Watch::recording_by(banyan, &self.stage, host, &self.broadcast.link, &options)
    }

    /// Its clip in a row as often as it can have been played by now.
    pub fn input(&self) -> Result<crate::frames::Frames> {
        let played = self.since.elapsed().as_secs() as u32 + 15;
        self.clip.frames(played.div_ceil(self.clip.seconds) + 1)
    }

    /// What the whole net sent, each host's queue counted.
    pub fn traffic<'a>(
        &self,
        viewers: impl IntoIterator<Item = &'a Viewer>,
    ) -> Result<Vec<(String, Traffic)>> {
        let hosts = std::iter::once(&self.broadcaster).chain(viewers.into_iter().map(|viewer| &viewer.host));
        hosts
            .map(|host| Ok((host.name().to_owned(), host.traffic()?)))
            .collect()
    }

    /// The names of all peers, by id.
    pub fn names(&self, viewers: &[Viewer]) -> BTreeMap<String, String> {
        let named = viewers
            .iter()
            .filter_map(|viewer| Some((viewer.watch.peer().ok()?, viewer.name().to_owned())));
        named.collect()
    }

    /// Ends the viewers, the newest first, so that nobody loses a parent by it, and checks that the decoded frames of each
    /// output are one unbroken piece of what was broadcast.
    pub fn check_pictures(&self, viewers: &[Viewer], verdict: &mut Verdict) -> Result<()> {
        for viewer in viewers.iter().rev() {
            verdict.check(viewer.leave());
        }
        let input = self.input()?;
        for viewer in viewers {
            let full = viewer.watch.program.events().all("tier").is_empty();
            verdict.wish(full, || format!("{} had a lower tier for a while", viewer.name()));
            if full {
                verdict.check(viewer.watch.check_frames(&input));
            }
        }
        Ok(())
    }

    /// The scenario is over: closes its verdict, and keeps what was written only if a promise is broken.
    pub fn close(self, verdict: Verdict) -> Result<()> {
        verdict.close()?;
        let Self {
            broadcast,
            broadcaster,
            net,
            stage,
            ..
        } = self;
        drop((broadcast, broadcaster, net));
        stage.passed();
        Ok(())
    }
}

impl Viewer {
    /// Its name in the test.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Waits until it has all stripes of the top tier.
    pub fn full(&self, within: Duration) -> Result<()> {
        self.watch
            .receiving(TOP, STRIPES, within)
            .with_context(|| format!("{} is not at full quality", self.name()))?;
        Ok(())
    }

    /// Waits until a later `stats` than those so far shows all stripes of the top tier.
    pub fn full_again(&self, within: Duration) -> Result<()> {
        let mark = self.watch.program.events().count();
        let full = |event: &crate::Event| {
            event.fields["tier"] == TOP && event.fields["stripes_receiving"].as_u64() >= Some(STRIPES)
        };
        let again = self.watch.program.wait_from(mark, "stats", within, full);
        again.with_context(|| format!("{} is not at full quality again", self.name()))?;
        Ok(())
    }

    /// Waits until it has its buffer and all stripes of the top tier, so that it is no newcomer any more.
    pub fn settled(&self, within: Duration) -> Result<()> {
        let at_rest = |stats: &crate::Event| {
            stats.number("t") >= SETTLED_AFTER_MS
                && stats.fields["buffer_ms"].as_u64() >= Some(SETTLED_BUFFER_MS)
                && stats.fields["stripes_receiving"].as_u64() >= Some(STRIPES)
        };
        let waited = self.watch.program.wait("stats", within, at_rest);
        waited.with_context(|| format!("{} does not settle", self.name()))?;
        Ok(())
    }

    /// Ends it as Ctrl-C does.
    pub fn leave(&self) -> Result<()> {
        let status = self.watch.program.stop(LEAVES)?;
        ensure!(
            status.success(),
            "{} ended with {status}: {}",
            self.name(),
            self.watch.program.stderr()
        );
        self.check_no_panic()
    }

    fn check_no_panic(&self) -> Result<()> {
        let stderr = self.watch.program.stderr();
        let panicked = stderr.lines().skip_while(|line| !line.contains("panicked at"));
        let told: Vec<&str> = panicked.take(2).collect();
        ensure!(told.is_empty(), "{}: {}", self.name(), told.join(" "));
        Ok(())
    }

    /// Checks that it lost nothing; in the long form, that it never stalled either.
    pub fn check_unharmed(&self) -> Result<()> {
        self.check_lost_nothing()?;
        let stalls = self.watch.program.events().all("stall").len();
        ensure!(stalls == 0, "{}: {stalls} `stall` events", self.name());
        Ok(())
    }

    /// Nothing was lost, nothing bad came, and the program has not panicked.
    ///
    /// # Errors
    /// If one of these is not so.
    pub fn check_lost_nothing(&self) -> Result<()> {
        self.check_no_panic()?;
        let stats = self.watch.stats()?;
        let counts = ["blocks_lost", "bad_chunks"].map(|field| (field, stats.number(field)));
        ensure!(
            counts.iter().all(|(_, count)| *count == 0),
            "{}: {counts:?}",
            self.name()
        );
        Ok(())
    }
}
