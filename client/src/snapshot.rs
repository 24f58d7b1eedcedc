//! All that a person may see of a session, at one time.

use crate::notice::{Notice, Own, Sponsored};
use banyan_protocol::event::{Capacity, Event, Stats};
use banyan_protocol::units::Bitrate;
use serde::Serialize;
use std::time::Instant;

/// A session, seen from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// The channel's title; empty if it has none.
    pub title: String,
    /// What it is doing.
    pub phase: Phase,
    /// Tiers of the channel, as far as known.
    pub tiers: usize,
    /// Stripes of the tier to show, as far as known.
    pub stripes: usize,
    /// What it sends, wire bits a second over the last second.
    pub up: Bitrate,
    /// What it receives, wire bits a second over the last second.
    pub down: Bitrate,
    /// Totals and a viewer's measurements.
    pub stats: Stats,
    /// Room on the channel; the broadcaster's alone.
    pub capacity: Option<Capacity>,
    /// The request to sponsor that is open.
    pub request: Option<String>,
    /// This person's relays, as they were told last.
    pub relays: Vec<Sponsored>,
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Getting ready, or joining.
    #[default]
    Starting,
    /// The stream flows.
    Live,
    /// The stream is late, or the input gives none.
    Waiting,
    /// It has ended.
    Ended,
}

/// Keeps a [`Snapshot`] up to date from what is told.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) snapshot: Snapshot,
    measured: Option<Instant>,
}

impl Keeper {
    pub(crate) fn new(title: &str) -> Self {
        let snapshot = Snapshot {
            title: title.to_string(),
            ..Snapshot::default()
        };
        Self {
            snapshot,
            measured: None,
        }
    }

    pub(crate) fn take(&mut self, now: Instant, notice: &Notice) {
        match notice {
            Notice::Event(event) => self.event(now, event),
            Notice::Own(own) => self.own(own),
        }
    }

    fn event(&mut self, now: Instant, event: &Event) {
        let shot = &mut self.snapshot;
        match event {
            Event::Capacity(capacity) => shot.capacity = Some(capacity.clone()),
            Event::Joined { stripes, tiers, .. } => (shot.stripes, shot.tiers) = (*stripes, *tiers),
            Event::Playing { .. } | Event::Resumed { .. } => shot.phase = Phase::Live,
            Event::Stall => shot.phase = Phase::Waiting,
            Event::SponsorRequest { id, .. } => shot.request = Some(id.clone()),
            Event::SponsorWithdrawn { .. } => shot.request = None,
            Event::Stats(stats) => self.stats(now, stats),
            _ => {}
        }
    }

    fn own(&mut self, own: &Own) {
        match own {
            Own::Ready { .. } | Own::InputResumed => self.snapshot.phase = Phase::Live,
            Own::InputPaused { .. } => self.snapshot.phase = Phase::Waiting,
            Own::Ended { .. } => self.snapshot.phase = Phase::Ended,
            Own::Sponsoring(relay) => {
                self.snapshot.relays.retain(|known| known.number != relay.number);
                self.snapshot.relays.push(relay.clone());
            }
            Own::Serving { .. } | Own::Warning { .. } | Own::BenchResult(_) => {}
        }
    }

    fn stats(&mut self, now: Instant, stats: &Stats) {
        let shot = &mut self.snapshot;
        if let Some(last) = self.measured.replace(now) {
            let passed = now.duration_since(last);
            let rate = |new: u64, old: u64| Bitrate::of(new.saturating_sub(old), passed);
            shot.up = rate(stats.up_bytes, shot.stats.up_bytes);
            shot.down = rate(stats.down_bytes, shot.stats.down_bytes);
        }
        shot.stats = stats.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rates_come_from_totals() {
        let mut keeper = Keeper::new("T");
        let start = Instant::now();
        let stats = |up_bytes| {
            Notice::Event(Event::Stats(Stats {
                up_bytes,
                ..Stats::default()
            }))
        };
        keeper.take(start, &stats(1_000));
        assert_eq!(keeper.snapshot.up, Bitrate::ZERO);
        keeper.take(start + Duration::from_secs(2), &stats(251_000));
        assert_eq!(keeper.snapshot.up, Bitrate::from_kbps(1_000));
    }

    #[test]
    fn a_stall_is_waiting_until_it_is_over() {
        let mut keeper = Keeper::new("");
        let now = Instant::now();
        keeper.take(now, &Event::Playing { startup_ms: 1 }.into());
        assert_eq!(keeper.snapshot.phase, Phase::Live);
        keeper.take(now, &Event::Stall.into());
        assert_eq!(keeper.snapshot.phase, Phase::Waiting);
        keeper.take(now, &Event::Resumed { ms: 5 }.into());
        assert_eq!(keeper.snapshot.phase, Phase::Live);
    }
}
