//! The offset to channel time, by the echo with the least round trip.

use crate::time::{ChannelClock, ChannelTime, Duration, Instant};

/// How much worse a sample is held to be for each second of its age, in microseconds: clocks drift by some 50 parts in a
/// million, and paths change.
const AGING_US: u64 = 100;

/// The first echo comes so long after the link came up: the crowd of a start is over, and it may meet no queue where the welcome did.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// Clocks drift apart by a few milliseconds in two minutes; every answer is paid for by the broadcaster's uplink.
const CALM_EVERY: Duration = Duration::from_secs(120);

/// Channel time as far as it is known, and when to ask again.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct ClockSync {
    clock: ChannelClock,
    next: Option<Instant>,
    best: Option<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    round_trip: Duration,
    at: Instant,
}

impl ClockSync {
    /// A link to the coordinator is up: what it says counts anew, for it may be another run of it. Its welcome tells the time first.
    pub(super) fn restart(&mut self, now: Instant) {
        self.best = None;
        self.next = Some(now + FIRST_AFTER);
    }

    /// The link is gone; the offset stays.
    pub(super) fn pause(&mut self) {
        self.next = None;
    }

    /// When to send the next echo.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }

    /// An echo was sent.
    pub(super) fn asked(&mut self, now: Instant) {
        self.next = Some(now + CALM_EVERY);
    }

    /// The answer `theirs` to what was sent at `sent`.
    pub(super) fn answered(&mut self, now: Instant, sent: Instant, theirs: ChannelTime) {
        let round_trip = now.since(sent);
        if self.best.is_some_and(|best| round_trip > best.aged(now)) {
            return;
        }
        self.best = Some(Sample { round_trip, at: now });
        self.clock = ChannelClock::new(now, theirs + round_trip / 2);
    }

    /// Channel time at `now`.
    pub(super) fn channel(&self, now: Instant) -> ChannelTime {
        self.clock.channel(now)
    }

    /// When it is `time` in the channel.
    pub(super) fn instant(&self, time: ChannelTime) -> Instant {
        self.clock.instant(time)
    }
}

impl Sample {
    fn aged(&self, now: Instant) -> Duration {
        self.round_trip + Duration::from_micros(now.since(self.at).as_secs() * AGING_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    const fn channel(ms: u64) -> ChannelTime {
        ChannelTime::from_micros(ms * 1000)
    }

    #[test]
    fn the_least_round_trip_counts() {
        let mut clock = ClockSync::default();
        clock.restart(ms(0));
        clock.answered(ms(40), ms(0), channel(10_020));
        assert_eq!(clock.channel(ms(50)), channel(10_050));
        clock.answered(ms(300), ms(200), channel(10_290));
        assert_eq!(
            clock.channel(ms(300)),
            channel(10_300),
            "a queue on the way there is not believed"
        );
        clock.answered(ms(420), ms(400), channel(10_415));
        assert_eq!(clock.channel(ms(420)), channel(10_425));
    }

    #[test]
    fn old_samples_and_other_runs_give_way() {
        let mut clock = ClockSync::default();
        clock.restart(ms(0));
        clock.answered(ms(20), ms(0), channel(10_010));
        clock.answered(ms(300_045), ms(300_000), channel(310_030));
        assert_eq!(
            clock.channel(ms(300_045)),
            channel(310_052).before(Duration::from_micros(0)) + Duration::from_micros(500)
        );
        clock.restart(ms(400_000));
        clock.answered(ms(400_500), ms(400_000), channel(7_250));
        assert_eq!(clock.channel(ms(400_500)), channel(7_500));
    }

    #[test]
    fn asks_soon_and_then_now_and_then() {
        let mut clock = ClockSync::default();
        assert_eq!(clock.due(), None);
        clock.restart(ms(1000));
        assert_eq!(clock.due(), Some(ms(2000)), "the welcome comes before");
        clock.asked(ms(2000));
        assert_eq!(clock.due(), Some(ms(122_000)));
        clock.pause();
        assert_eq!(clock.due(), None);
    }
}
