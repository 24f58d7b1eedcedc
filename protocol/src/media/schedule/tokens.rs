//! A token bucket over time that is passed in.

use crate::time::{Duration, Instant};

/// A level is kept in millionths, so that no microsecond's refill is lost.
const SCALE: i64 = 1_000_000;

/// More a second than anything here needs, and little enough that no product overflows.
const RATE_MAX: u64 = 100_000_000_000;

/// No refill reckons with more time than this, for the same reason; every bucket is full by then.
const REFILL_MAX_US: u64 = 10_000_000;

/// Fills at a rate up to a depth. May be overdrawn: then nothing is left until the debt is paid.
#[derive(Clone, Debug)]
pub struct Tokens {
    rate: u64,
    depth: Duration,
    level: i64,
    at: Instant,
}

impl Tokens {
    /// A full bucket of `rate` tokens a second that holds what comes in `depth`, at most ten seconds.
    pub fn new(rate: u64, depth: Duration) -> Self {
        let mut tokens = Self {
            rate: rate.min(RATE_MAX),
            depth,
            level: 0,
            at: Instant::ZERO,
        };
        tokens.level = tokens.depth_level();
        tokens
    }

    /// Changes the rate; what is there stays, as far as it still fits in.
    pub fn set_rate(&mut self, now: Instant, rate: u64) {
        self.refill(now);
        self.rate = rate.min(RATE_MAX);
        self.level = self.level.min(self.depth_level());
    }

    /// Tokens a second.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// The most that it holds.
    pub fn depth(&self) -> u64 {
        (self.depth_level() / SCALE) as u64
    }

    /// How many there are; less than zero if it is overdrawn.
    pub fn level(&mut self, now: Instant) -> i64 {
        self.refill(now);
        self.level.div_euclid(SCALE)
    }

    /// Takes tokens, whether they are there or not.
    pub fn take(&mut self, now: Instant, tokens: u64) {
        self.refill(now);
        self.level = self.level.saturating_sub(scaled(tokens));
    }

    /// Takes a token if there is one.
    pub fn try_take(&mut self, now: Instant) -> bool {
        let there = self.level(now) >= 1;
        if there {
            self.take(now, 1);
        }
        there
    }

    /// Lets it not be overdrawn by more than what comes in `time`.
    pub fn forgive_beyond(&mut self, time: Duration) {
        self.level = self.level.max(-worth(self.rate, time));
    }

    /// When there will be `tokens`; an hour from now if the rate is zero.
    pub fn when(&self, now: Instant, tokens: u64) -> Instant {
        let lacking = scaled(tokens).saturating_sub(self.level).max(0) as u64;
        let from = self.at.max(now);
        match lacking.div_ceil(self.rate.max(1)) {
            _ if self.rate == 0 => from + Duration::from_secs(3600),
            us => self.at + Duration::from_micros(us),
        }
        .max(now)
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.since(self.at);
        if !passed.is_zero() {
            self.level = (self.level + worth(self.rate, passed)).min(self.depth_level());
            self.at = now;
        }
    }

    fn depth_level(&self) -> i64 {
        worth(self.rate, self.depth)
    }
}

fn scaled(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX).saturating_mul(SCALE)
}

fn worth(rate: u64, time: Duration) -> i64 {
    let us = (time.as_micros() as u64).min(REFILL_MAX_US);
    (rate * us) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn fills_at_its_rate_up_to_its_depth() {
        let mut tokens = Tokens::new(1000, Duration::from_millis(20));
        assert_eq!(tokens.level(at(0)), 20);
        tokens.take(at(0), 50);
        assert_eq!(tokens.level(at(0)), -30);
        assert_eq!(tokens.level(at(25)), -5);
        assert_eq!(tokens.when(at(25), 10), at(40));
        assert_eq!(tokens.level(at(40)), 10);
        assert_eq!(tokens.level(at(9000)), 20);
    }

    #[test]
    fn no_microsecond_is_lost_however_often_it_is_asked() {
        let mut tokens = Tokens::new(125_000, Duration::from_secs(1));
        tokens.take(at(0), 125_000);
        for us in 0..=100_000 {
            tokens.level(Instant::from_micros(us));
        }
        assert_eq!(tokens.level(at(100)), 12_500);
    }

    #[test]
    fn without_a_rate_it_stays_empty() {
        let mut tokens = Tokens::new(0, Duration::from_secs(1));
        assert!(!tokens.try_take(at(5)));
        assert_eq!(tokens.when(at(5), 1), at(5) + Duration::from_secs(3600));
        tokens.set_rate(at(5), u64::MAX);
        assert!(tokens.try_take(at(6)));
    }
}
