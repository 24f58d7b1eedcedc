//! Which time of the line it is.
//!
//! The clock runs at the pace of the machine's own, and sound is its master: each time the device says when it plays what,
//! the clock moves towards that by a small step, or at once if it is far off. Without sound it just runs. It never passes
//! its limit, up to which everything to be played has come.

use super::line::{duration, ticks};
use std::time::{Duration, Instant};

/// Off by more than this, the clock is set instead of moved: a device was changed, or a machine slept.
const FAR: i64 = ticks(Duration::from_millis(50));

/// The most that is moved at once, so that pictures stay smooth.
const STEP: i64 = ticks(Duration::from_millis(2));

/// The share of what it is off by that is moved at once: devices tell their times with some jitter.
const SHARE: i64 = 8;

/// The player's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pace: Pace,
    limit: i64,
}

#[derive(Clone, Copy, Debug)]
enum Pace {
    Held { at: i64 },
    Runs { since: Instant, at: i64 },
}

impl Clock {
    /// One that stands at zero.
    pub(super) fn new() -> Self {
        let pace = Pace::Held { at: 0 };
        Self { pace, limit: 0 }
    }

    /// The line's time at `now`.
    pub(super) fn at(&self, now: Instant) -> i64 {
        match self.pace {
            Pace::Held { at } => at,
            Pace::Runs { .. } => self.unlimited(now).min(self.limit),
        }
    }

    /// When it will be `time`, if it runs so far.
    pub(super) fn when(&self, time: i64) -> Option<Instant> {
        match self.pace {
            Pace::Runs { since, at } if time <= self.limit => Some(since + duration(time - at)),
            _ => None,
        }
    }

    /// Whether it runs, or stands only because it has come to its limit.
    pub(super) fn runs(&self) -> bool {
        matches!(self.pace, Pace::Runs { .. })
    }

    /// Whether it has come to its limit.
    pub(super) fn is_at_limit(&self, now: Instant) -> bool {
        self.runs() && self.unlimited(now) >= self.limit
    }

    /// Stands at `time` until it is let run.
    pub(super) fn hold(&mut self, time: i64) {
        self.pace = Pace::Held { at: time };
    }

    /// Runs on from where it stands.
    pub(super) fn run(&mut self, now: Instant) {
        let at = self.at(now);
        self.pace = Pace::Runs { since: now, at };
    }

    /// It may run up to `time`.
    pub(super) fn limit(&mut self, time: i64) {
        self.limit = time;
    }

    /// The device plays what is at `time` on the line at `plays_at`; gives what the clock was off by, positive if it was
    /// behind.
    pub(super) fn heard(&mut self, plays_at: Instant, time: i64) -> i64 {
        if !self.runs() {
            return 0;
        }
        let off = time - self.unlimited(plays_at);
        let by = if off.abs() > FAR {
            off
        } else {
            (off / SHARE).clamp(-STEP, STEP)
        };
        if let Pace::Runs { at, .. } = &mut self.pace {
            *at += by;
        }
        off
    }

    /// Which time it would be at `when` without a limit.
    pub(super) fn unlimited(&self, when: Instant) -> i64 {
        match self.pace {
            Pace::Held { at } => at,
            Pace::Runs { since, at } => match when.checked_duration_since(since) {
                Some(after) => at + ticks(after),
                None => at - ticks(since - when),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 90;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn running(start: Instant) -> Clock {
        let mut clock = Clock::new();
        clock.hold(1000 * MS);
        clock.limit(100_000 * MS);
        clock.run(start);
        clock
    }

    #[test]
    fn without_sound_it_goes_with_the_machine_s_clock() {
        let start = Instant::now();
        let clock = running(start);
        assert_eq!(clock.at(start + ms(250)), 1250 * MS);
        assert_eq!(clock.when(1250 * MS), Some(start + ms(250)));
    }

    #[test]
    fn held_it_stands_and_goes_on_from_there() {
        let start = Instant::now();
        let mut clock = running(start);
        clock.hold(clock.at(start + ms(100)));
        assert_eq!(clock.at(start + ms(5000)), 1100 * MS);
        assert_eq!(clock.when(1200 * MS), None);
        clock.run(start + ms(5000));
        assert_eq!(clock.at(start + ms(5100)), 1200 * MS);
    }

    #[test]
    fn it_does_not_pass_its_limit() {
        let start = Instant::now();
        let mut clock = running(start);
        clock.limit(1100 * MS);
        assert!(!clock.is_at_limit(start + ms(99)));
        assert!(clock.is_at_limit(start + ms(100)));
        assert_eq!(clock.at(start + ms(900)), 1100 * MS);
        assert_eq!(clock.when(1101 * MS), None);
    }

    #[test]
    fn a_device_that_is_slower_by_a_thousandth_is_followed_in_small_steps() {
        let start = Instant::now();
        let mut clock = running(start);
        let mut before = clock.at(start);
        for step in 1..=1000 {
            let now = start + ms(20 * step);
            let heard = 1000 * MS + (20 * step as i64) * MS * 999 / 1000;
            clock.heard(now, heard);
            let at = clock.at(now);
            assert!((at - before - 20 * MS).abs() <= STEP, "step {step}");
            assert!((at - heard).abs() <= 2 * MS, "step {step}: off by {}", at - heard);
            before = at;
        }
    }

    #[test]
    fn jitter_of_the_device_s_times_hardly_moves_it() {
        let start = Instant::now();
        let mut clock = running(start);
        for step in 1..=200_i64 {
            let now = start + ms(20 * step as u64);
            let jitter = if step % 2 == 0 { 6 * MS } else { -6 * MS };
            clock.heard(now, 1000 * MS + 20 * step * MS + jitter);
            assert!((clock.at(now) - (1000 + 20 * step) * MS).abs() <= 2 * MS);
        }
    }

    #[test]
    fn far_off_it_is_set_at_once() {
        let start = Instant::now();
        let mut clock = running(start);
        assert_eq!(clock.heard(start + ms(100), 1400 * MS), 300 * MS);
        assert_eq!(clock.at(start + ms(100)), 1400 * MS);
    }
}
