//! The only clock: everything that a state machine hears of time comes from here.

use banyan_protocol::time::{ChannelClock, ChannelTime, Instant};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A monotonic clock, and what time of day it was when it started.
///
/// Steps of the system's time of day after the start do not move it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    day: ChannelClock,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let time_of_day = ChannelTime::from_micros(since_epoch.as_micros() as u64);
        Self {
            origin: std::time::Instant::now(),
            day: ChannelClock::new(Instant::ZERO, time_of_day),
        }
    }

    /// The time since the origin.
    pub fn now(&self) -> Instant {
        Instant::from_micros(self.origin.elapsed().as_micros() as u64)
    }

    /// The time of day, as a broadcaster's machine is told it when it is made.
    pub fn channel_now(&self) -> ChannelTime {
        self.day.channel(self.now())
    }

    /// `at` as the runtime's timers want it.
    pub(crate) fn to_tokio(self, at: Instant) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.origin + Duration::from_micros(at.as_micros()))
    }
}
