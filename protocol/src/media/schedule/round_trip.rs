//! What a link's round trips say of the queues on the way.

use super::lateness::LATE;
use crate::time::{Duration, Instant};

/// A round trip that takes so much longer than the least has a queue in it: more than jitter and a moment's burst do, and a third of
/// what home routers hold.
const SWOLLEN: Duration = Duration::from_millis(100);

/// How much of the least is forgotten with each measurement, about one a second: when a path has become longer for good, that is soon
/// what it takes.
const CREEP: Duration = Duration::from_millis(2);

/// A queue that has stood for so long is no burst of chunks that somebody pulled.
const STANDS: Duration = Duration::from_secs(1);

/// How long round trips on a link take, and how long at least.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    least: Option<Duration>,
    /// Since when the queue on the way makes late whatever goes through it.
    late_since: Option<Instant>,
    /// Since when there is a queue on the way at all.
    swollen_since: Option<Instant>,
}

impl RoundTrip {
    /// It was measured.
    pub(super) fn note(&mut self, now: Instant, time: Duration) {
        let least = self.least.map_or(time, |least| (least + CREEP).min(time));
        self.least = Some(least);
        let since = self.late_since.unwrap_or(now);
        self.late_since = (time > least + LATE).then_some(since);
        let since = self.swollen_since.unwrap_or(now);
        self.swollen_since = (time >= least + SWOLLEN).then_some(since);
    }

    /// The least of late, if it was ever measured.
    pub(super) fn least(&self) -> Option<Duration> {
        self.least
    }

    /// Whether it was ever measured.
    pub(super) fn is_known(&self) -> bool {
        self.least.is_some()
    }

    /// Whether a queue stands on the way in which what is sent becomes late.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.late_since.is_some_and(|since| now.since(since) >= STANDS)
    }

    /// Whether something waits in a queue on the way.
    pub(super) fn is_swollen(&self) -> bool {
        self.swollen_since.is_some()
    }

    /// Whether a queue stands on the way: it is no burst that has gone out since, which is known with the next measurement only.
    pub(super) fn stays_swollen(&self, now: Instant) -> bool {
        self.swollen_since.is_some_and(|since| now.since(since) >= STANDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_swells_it_and_a_longer_path_does_so_for_a_while_only() {
        let mut round_trip = RoundTrip::default();
        assert!(!round_trip.is_swollen(), "nothing is known");
        let mut after = |ms: u64, times: usize| {
            for _ in 0..times {
                round_trip.note(Instant::ZERO, Duration::from_millis(ms));
            }
            round_trip.is_swollen()
        };
        assert!(!after(300, 1), "far away is not swollen");
        assert!(!after(40, 1));
        assert!(!after(139, 1), "jitter");
        assert!(after(200, 1));
        assert!(!after(40, 1));
        assert!(after(200, 20), "it still waits");
        assert!(!after(200, 60), "the path is longer now");
    }

    #[test]
    fn what_goes_through_a_long_queue_is_late_once_the_queue_stands() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let mut round_trip = RoundTrip::default();
        let mut note = |ms, time| {
            round_trip.note(at(ms), Duration::from_millis(time));
            round_trip.is_late(at(ms))
        };
        assert!(!note(0, 40) && !note(1000, 300), "a burst");
        assert!(!note(1500, 50) && !note(2000, 300), "another");
        assert!(note(3000, 290));
        assert!(!note(4000, 230), "long, and not so long that chunks are late");
    }
}
