//! Whether children get their chunks in time: what a peer's uplink is proved by.

use crate::time::{Duration, Instant};

/// A live chunk that waited longer than this for uplink or for the child's credit came late: two ticks, of the two seconds
/// that a viewer has for all hops. Waiting for others to be written with is a tenth of it.
pub(super) const LATE: Duration = Duration::from_millis(200);

/// Half of the time that is looked back on.
const WINDOW: Duration = Duration::from_millis(500);

/// How long chunks waited over the last half second to second.
#[derive(Debug, Default)]
pub struct Lateness {
    began: Instant,
    present: Tally,
    former: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: u64,
    late: u64,
    longest: Duration,
}

impl Tally {
    fn with(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            late: self.late + other.late,
            longest: self.longest.max(other.longest),
        }
    }
}

impl Lateness {
    /// A live chunk was sent after it had waited.
    pub fn note(&mut self, now: Instant, waited: Duration) {
        self.roll(now);
        self.present.sent += 1;
        self.present.late += u64::from(waited > LATE);
        self.present.longest = self.present.longest.max(waited);
    }

    /// Whether at most one live chunk in twenty came late, those counted that still wait and are `waiting` too long.
    pub fn in_time(&self, now: Instant, waiting: u64) -> bool {
        let seen = self.seen(now);
        (seen.late + waiting) * 20 <= seen.sent + waiting
    }

    /// The longest wait.
    pub fn wait_max(&self, now: Instant) -> Duration {
        self.seen(now).longest
    }

    fn seen(&self, now: Instant) -> Tally {
        match now.since(self.began) {
            age if age < WINDOW => self.present.with(self.former),
            age if age < WINDOW * 2 => self.present,
            _ => Tally::default(),
        }
    }

    fn roll(&mut self, now: Instant) {
        let age = now.since(self.began);
        if age < WINDOW {
            return;
        }
        let present = core::mem::take(&mut self.present);
        self.former = if age < WINDOW * 2 {
            present
        } else {
            Tally::default()
        };
        self.began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn one_in_twenty_may_be_late_and_what_is_past_is_forgotten() {
        let mut lateness = Lateness::default();
        assert!(lateness.in_time(at(0), 0));
        for n in 0..20 {
            let waited = if n == 0 { 201 } else { 200 };
            lateness.note(at(n), Duration::from_millis(waited));
        }
        assert!(lateness.in_time(at(20), 0));
        assert!(!lateness.in_time(at(20), 1), "what still waits counts");
        lateness.note(at(21), Duration::from_millis(900));
        assert!(!lateness.in_time(at(21), 0));
        assert_eq!(lateness.wait_max(at(21)), Duration::from_millis(900));
        assert!(!lateness.in_time(at(700), 0));
        assert!(lateness.in_time(at(1001), 0));
        assert_eq!(lateness.wait_max(at(1001)), Duration::ZERO);
    }
}
