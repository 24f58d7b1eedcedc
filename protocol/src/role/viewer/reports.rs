//! What the coordinator and the person are told of how it goes.

use super::Viewer;
use crate::event::{Stats, ViewerStats};
use crate::id::PeerId;
use crate::io::Outbox;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::control::{Accusation, Message, Report};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Reports without news come that often (`docs/protocol.md` §6).
const CALM_EVERY: Duration = Duration::from_secs(10);

/// A report with news of our sending comes no sooner after another.
const NEWS_EVERY: Duration = Duration::from_secs(1);

/// Accusations and round-trip times of a report.
const LISTED_MAX: usize = 32;

/// A chunk that came so long ago still counts as a stripe that is received.
const RECEIVING: Duration = Duration::from_secs(1);

/// Whether children get theirs in time, how many there are, and what the uplink was found to carry.
type Sending = (bool, usize, Option<Bitrate>);

/// What is to be reported.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Reports {
    /// What it said of our sending.
    said: Sending,
    accusations: Vec<(PeerId, Accusation)>,
    /// Wire totals.
    pub(super) sent: u64,
    pub(super) received: u64,
    /// When the last report was sent.
    last: Instant,
    /// When it was last measured, what had been sent then, and what was sent since the time before, a second.
    measured: (Instant, u64),
    sending: Bitrate,
    pub(super) bad_chunks: u64,
}

impl Reports {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: now,
            said: (true, 0, None),
            accusations: Vec::new(),
            sent: 0,
            received: 0,
            measured: (now, 0),
            sending: Bitrate::ZERO,
            bad_chunks: 0,
        }
    }

    pub(super) fn wire(&mut self, sent: u64, received: u64) {
        self.sent = sent;
        self.received = received;
    }

    fn measure(&mut self, now: Instant) {
        let (before, sent) = self.measured;
        self.sending = Bitrate::of(self.sent.saturating_sub(sent), now.since(before));
        self.measured = (now, self.sent);
    }

    /// Each accusation is made once a report.
    pub(super) fn accuse(&mut self, peer: PeerId, what: Accusation) {
        let accusation = (peer, what);
        if self.accusations.len() < LISTED_MAX && !self.accusations.contains(&accusation) {
            self.accusations.push(accusation);
        }
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.accusations.len() <= LISTED_MAX);
    }
}

impl Viewer {
    /// Once a second: news of our sending, or the ten-second report.
    pub(super) fn run_reports(&mut self, now: Instant, out: &mut Outbox) {
        self.reports.measure(now);
        let waited = now.since(self.reports.last);
        let news = self.reports.said != self.sending() && waited >= NEWS_EVERY;
        if news || waited >= CALM_EVERY {
            self.report(now, out);
        }
    }

    /// After each step: faults of parents, and what the uplink was found to carry, are reported at once.
    pub(super) fn run_urgent_reports(&mut self, now: Instant, out: &mut Outbox) {
        let reports = &self.reports;
        let is_urgent = !reports.accusations.is_empty() || reports.said.2 != self.forwarder.found_uplink();
        if is_urgent && self.session.is_member() {
            self.report(now, out);
        }
    }

    fn sending(&self) -> Sending {
        let forwarder = &self.forwarder;
        (
            forwarder.in_time(),
            forwarder.child_count(),
            forwarder.found_uplink(),
        )
    }

    fn report(&mut self, now: Instant, out: &mut Outbox) {
        if !self.session.is_member() {
            return;
        }
        let said = self.sending();
        let round_trips = self.links.iter().filter_map(|link| {
            let millis = link.round_trip?.as_millis();
            Some((link.peer, u16::try_from(millis).unwrap_or(u16::MAX)))
        });
        let reports = &mut self.reports;
        let report = Report {
            children_in_time: said.0,
            sending: reports.sending,
            carries: said.2,
            round_trips: round_trips.take(LISTED_MAX).collect(),
            accusations: core::mem::take(&mut reports.accusations),
        };
        reports.last = now;
        reports.said = said;
        self.tell_coordinator(&Message::Report(report), out);
    }

    /// The event that comes once a second.
    pub(super) fn stats(&self, now: Instant) -> Stats {
        Stats {
            up_bytes: self.reports.sent,
            down_bytes: self.reports.received,
            children: self.forwarder.child_count(),
            viewer: Some(self.viewer_stats(now)),
        }
    }

    fn viewer_stats(&self, now: Instant) -> ViewerStats {
        let playing = self.screen.stats(self.at(now));
        let tier = playing.tier.or(self.screen.target()).unwrap_or_default();
        let receiving = self.feeds.iter().filter(|feed| {
            let fresh = feed.newest.is_some() && now.since(feed.watch.heard()) < RECEIVING;
            feed.stripe.tier == tier && fresh
        });
        ViewerStats {
            stripes_receiving: receiving.count(),
            tier,
            latency_ms: playing.latency.as_millis() as u64,
            arrival_ms_p99: playing.arrival_p99.as_millis() as u64,
            buffer_ms: playing.buffered.as_millis() as u64,
            stalls: playing.stalls,
            stall_ms: playing.stalled.as_millis() as u64,
            blocks_lost: playing.blocks_lost,
            bad_chunks: self.reports.bad_chunks,
            parents: self.parents(),
        }
    }

    fn parents(&self) -> BTreeMap<crate::media::StripeId, PeerId> {
        let named = self.feeds.iter().filter_map(|feed| {
            let main = feed.main.as_ref().filter(|main| main.link.is_some())?;
            Some((feed.stripe, main.peer))
        });
        named.collect()
    }
}
