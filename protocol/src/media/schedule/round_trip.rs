//! What a link's round trips say of the queues on the way.

use crate::time::Duration;

/// A round trip that takes so much longer than the least has a queue in it: more than jitter and a moment's burst do, and a third of
/// what home routers hold.
const SWOLLEN: Duration = Duration::from_millis(100);

/// How much of the least is forgotten with each measurement, about one a second: when a path has become longer for good, that is soon
/// what it takes.
const CREEP: Duration = Duration::from_millis(2);

/// How long round trips on a link take, and how long at least.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    present: Duration,
    least: Option<Duration>,
}

impl RoundTrip {
    /// It was measured.
    pub(super) fn note(&mut self, time: Duration) {
        self.present = time;
        self.least = Some(self.least.map_or(time, |least| (least + CREEP).min(time)));
    }

    /// Whether something waits in a queue on the way.
    pub(super) fn is_swollen(&self) -> bool {
        self.least.is_some_and(|least| self.present >= least + SWOLLEN)
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
                round_trip.note(Duration::from_millis(ms));
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
}
