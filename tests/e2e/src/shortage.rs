//! Uplinks run out, and somebody sponsors a relay on its own host: what the scenarios with relays have in common.

use crate::banyan::parents;
use crate::crook::beside;
use crate::events::Event;
use crate::net::Wire;
use crate::relay::Relay;
use crate::scene::{STRIPES, Scene, TOP, Viewer, uplink};
use crate::stage::built;
use crate::verdict::Verdict;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// The broadcaster has one copy, and the lowest tier for three more.
const SOURCE: u64 = 8;

/// What a relay on a sponsor's host sends, in slots.
pub const RELAY: u64 = 30;

/// Promised from the yes to the first stripe, and to full quality for all who wait.
pub const SERVES_MS: u64 = 2_000;
const WHOLE_MS: u64 = 5_000;

/// How long anything is waited for of which something shorter may be promised.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A channel whose uplinks run out.
pub struct Short {
    /// The channel.
    pub scene: Scene,
    /// What is promised, and what came.
    pub verdict: Verdict,
}

/// What the events after it are counted from.
pub struct Mark(pub Vec<usize>);

impl Short {
    /// Goes on the air.
    pub fn open(name: &str) -> Result<Self> {
        Self::with_source(name, SOURCE)
    }

    /// The same with a broadcaster that has so many slots.
    pub fn with_source(name: &str, slots: u64) -> Result<Self> {
        Ok(Self {
            scene: Scene::open(name, Wire::Bridge, slots, &[])?,
            verdict: Verdict::of(name),
        })
    }

    /// A viewer who gives nothing and may sponsor, on a host that has an uplink for a relay.
    pub fn sponsor(&self, name: &str, mode: &str) -> Result<Viewer> {
        self.sponsor_by(&built("banyan")?, name, mode)
    }

    /// The same, who says yes, and whose relay cheats as `conduct` says, from when it is [told to](Relay::turn).
    pub fn crook(&self, name: &str, conduct: &str) -> Result<Viewer> {
        self.sponsor_by(&beside(&self.scene.stage, conduct)?, name, "yes")
    }

    fn sponsor_by(&self, banyan: &str, name: &str, mode: &str) -> Result<Viewer> {
        let relay = uplink(self.scene.slot, RELAY).as_bps().to_string();
        let limits = ["--hours", "1", "--budget", "1", "--relay-uplink", &relay];
        let options = [&["--sponsor", mode], &limits[..]].concat();
        let viewer = self.scene.viewer_by(banyan, name, 0, &options)?;
        viewer.host.shape(uplink(self.scene.slot, RELAY + 5))?;
        Ok(viewer)
    }

    /// Free riders who are never asked.
    pub fn riders(&self, count: usize) -> Result<Vec<Viewer>> {
        (0..count)
            .map(|n| self.scene.viewer(&format!("rider{n}"), 0))
            .collect()
    }

    /// Waits until a relay of this sponsor's serves.
    pub fn serving(&mut self, sponsor: &Viewer) -> Result<Relay> {
        let program = &sponsor.watch.program;
        let is_first = |event: &Event| {
            event.text("state") == "serving" && !event.fields["click_to_serving_ms"].is_null()
        };
        let serving = program.wait("sponsoring", PATIENCE, is_first);
        let serving = serving.with_context(|| {
            let broadcaster = &self.scene.broadcast.program;
            format!("{} lends no relay; {}", sponsor.name(), broadcaster.last_words())
        })?;
        self.verdict.at_most(
            "yes to serving ms",
            serving.number("click_to_serving_ms"),
            SERVES_MS,
        );
        Relay::of(&self.scene.stage, &sponsor.host, sponsor.name())
    }

    /// Waits until all of them are at full quality; how long that took since `yes`.
    pub fn whole(&mut self, viewers: &[&Viewer], yes: Instant) -> Result<()> {
        let took = last_full(viewers, yes)?;
        self.verdict.at_most("yes to all whole ms", took, WHOLE_MS);
        Ok(())
    }

    /// The same after the relay that all hung on was killed: what is promised then is not always kept yet.
    pub fn whole_again(&mut self, viewers: &[&Viewer], yes: Instant) -> Result<()> {
        let took = last_full(viewers, yes)?;
        self.verdict.wish_at_most("yes to all whole ms", took, WHOLE_MS);
        Ok(())
    }

    /// The same of a relay that was left, because it cheats: nobody is whole by what it sends.
    pub fn whole_without(&mut self, cheat: &str, viewers: &[&Viewer], yes: Instant) -> Result<()> {
        let mut last = Duration::ZERO;
        for viewer in viewers {
            last = last.max(full_without(viewer, cheat, yes)?.at - yes);
        }
        let took = last.as_millis() as u64;
        self.verdict.wish_at_most("yes to all whole ms", took, WHOLE_MS);
        Ok(())
    }

    /// The coordinator says that a relay has come, or gone.
    pub fn coordinator_says(&self, name: &str) -> Result<Event> {
        self.scene.broadcast.program.wait(name, PATIENCE, |_| true)
    }

    /// Nobody stalled, and nothing was lost.
    pub fn check_unharmed(&mut self, viewers: &[&Viewer]) {
        for viewer in viewers {
            self.verdict.check(viewer.check_lost_nothing());
            let (what, stalls) = stalls(viewer);
            self.verdict.at_most(&what, stalls, 0);
        }
    }

    /// Nothing was lost; whether anybody stalled is told, where somebody came in the same moment as a relay, or a relay was killed.
    pub fn check_lost_nothing(&mut self, viewers: &[&Viewer]) {
        for viewer in viewers {
            self.verdict.check(viewer.check_lost_nothing());
            let (what, stalls) = stalls(viewer);
            self.verdict.wish_at_most(&what, stalls, 0);
        }
    }
}

/// How often a viewer stalled so far, and what that figure is called.
fn stalls(viewer: &Viewer) -> (String, usize) {
    let stalls = viewer.watch.program.events().all("stall").len();
    (format!("stalls of {}", viewer.name()), stalls)
}

/// How many milliseconds after `yes` the last of them is at full quality.
fn last_full(viewers: &[&Viewer], yes: Instant) -> Result<u64> {
    let mut last = Duration::ZERO;
    for viewer in viewers {
        last = last.max(full_after(viewer, yes)?.at - yes);
    }
    Ok(last.as_millis() as u64)
}

/// The first `stats` after `since` with all stripes of the full quality.
pub fn full_after(viewer: &Viewer, since: Instant) -> Result<Event> {
    let full = first_full(viewer, since, |_| true);
    full.with_context(|| format!("{} is not at full quality", viewer.name()))
}

/// The same, none of them by `parent`: what is shown for a while after it was left may still have come from there.
fn full_without(viewer: &Viewer, parent: &str, since: Instant) -> Result<Event> {
    let full = first_full(viewer, since, |stats| {
        parents(stats).values().all(|by| by != parent)
    });
    full.with_context(|| format!("{} is not at full quality without {parent}", viewer.name()))
}

fn first_full(viewer: &Viewer, since: Instant, holds: impl Fn(&Event) -> bool) -> Result<Event> {
    let is_full = |stats: &Event| {
        stats.at > since
            && stats.fields["tier"] == TOP
            && stats.fields["stripes_receiving"].as_u64() >= Some(STRIPES)
            && holds(stats)
    };
    viewer.watch.program.wait("stats", PATIENCE, is_full)
}

/// Waits until all that a viewer gets comes from `parent`.
pub fn hangs_on(viewer: &Viewer, parent: &str) -> Result<()> {
    let is_below = |stats: &Event| {
        let parents = parents(stats);
        parents.len() as u64 >= STRIPES && parents.values().all(|other| other == parent)
    };
    let (program, mark) = (&viewer.watch.program, viewer.watch.program.events().count());
    let waited = program.wait_from(mark, "stats", PATIENCE, is_below);
    waited.with_context(|| format!("{} does not hang on {parent} with every stripe", viewer.name()))?;
    Ok(())
}

/// How many events each has told so far.
pub fn mark(viewers: &[&Viewer]) -> Mark {
    let counts = viewers.iter().map(|viewer| viewer.watch.program.events().count());
    Mark(counts.collect())
}

/// Waits until each shows what it is served, after the mark: the lowest tier at least.
pub fn served_since(viewers: &[&Viewer], mark: &Mark) -> Result<()> {
    for (viewer, mark) in viewers.iter().zip(&mark.0) {
        let is_served = |stats: &Event| stats.fields["stripes_receiving"].as_u64() >= Some(1);
        viewer
            .watch
            .program
            .wait_from(*mark, "stats", PATIENCE, is_served)?;
    }
    Ok(())
}
