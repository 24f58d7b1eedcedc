//! Time, passed in: a monotonic instant that a driver supplies, and the channel's own clock.

use core::num::NonZeroU64;
use core::ops::{Add, AddAssign, Sub};
use serde::{Deserialize, Serialize};

pub use core::time::Duration;

/// One tick: the broadcaster cuts one block of every tier in each.
pub const TICK: Duration = Duration::from_millis(100);

/// A monotonic point in time, in microseconds since an origin that the driver chose when it started.
///
/// One more than that is kept, so that an `Option<Instant>` is no larger than an instant: state is full of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// The driver's origin.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// The instant `us` microseconds after the origin; for `u64::MAX`, the one before that.
    pub const fn from_micros(us: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(us))
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// This instant less `by`, not before the origin.
    pub const fn before(self, by: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_sub(by.as_micros() as u64))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_micros() as u64))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// The first of some instants, as far as there are any. Asked so often that it does not branch.
pub fn earliest<const N: usize>(instants: [Option<Instant>; N]) -> Option<Instant> {
    let before = |at: Option<Instant>| at.map_or(0, |at| at.0.get()).wrapping_sub(1);
    let first = instants.into_iter().map(before).fold(u64::MAX, u64::min);
    NonZeroU64::new(first.wrapping_add(1)).map(Instant)
}

/// A point in channel time: the broadcaster's clock, in microseconds since the Unix epoch.
///
/// It grows over restarts of the broadcaster, as far as that machine's clock does. Peers keep an offset to it, measured
/// by control echoes (`docs/protocol.md` §6.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelTime(u64);

impl ChannelTime {
    /// The channel time `us` microseconds after the Unix epoch.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This time less `by`, not before the Unix epoch.
    pub const fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by.as_micros() as u64))
    }
}

impl Add<Duration> for ChannelTime {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_micros() as u64))
    }
}

/// A point in civil time, in whole seconds since the Unix epoch: for what lasts beyond a process, as leases do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Utc(u64);

impl Utc {
    /// The time `s` seconds after the Unix epoch.
    pub const fn from_secs(s: u64) -> Self {
        Self(s)
    }

    /// Seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// So much later, in whole seconds.
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_secs()))
    }

    /// How long it is from `earlier` to this; zero if this is the earlier one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// Maps between a driver's monotonic clock and channel time: channel time = instant + offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelClock {
    offset_us: i64,
}

impl ChannelClock {
    /// The clock in which `now` is the channel time `channel`.
    pub const fn new(now: Instant, channel: ChannelTime) -> Self {
        Self {
            offset_us: channel.0 as i64 - now.as_micros() as i64,
        }
    }

    /// The channel time at `instant`.
    pub fn channel(&self, instant: Instant) -> ChannelTime {
        ChannelTime((instant.as_micros() as i64).saturating_add(self.offset_us).max(0) as u64)
    }

    /// The instant at which it is `time` in the channel; the origin for anything before that.
    pub fn instant(&self, time: ChannelTime) -> Instant {
        Instant::from_micros((time.0 as i64).saturating_sub(self.offset_us).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_that_may_be_missing_takes_no_more_room() {
        assert_eq!(size_of::<Option<Instant>>(), size_of::<u64>());
        assert_eq!(Instant::default(), Instant::from_micros(0));
        for us in [0, 1, u64::MAX - 1] {
            assert_eq!(Instant::from_micros(us).as_micros(), us);
        }
        assert!(Some(Instant::ZERO) > None);
    }

    #[test]
    fn the_earliest_is_one_of_those_that_there_are() {
        let at = |us| Some(Instant::from_micros(us));
        assert_eq!(earliest([at(7), None, at(0), at(9)]), at(0));
        assert_eq!(earliest([None, at(u64::MAX)]), at(u64::MAX));
        assert_eq!(earliest([None, None]), None);
    }

    #[test]
    fn clock_maps_there_and_back() {
        let clock = ChannelClock::new(Instant::from_micros(5), ChannelTime::from_micros(1_000_005));
        let later = Instant::from_micros(77);
        assert_eq!(clock.channel(later).as_micros(), 1_000_077);
        assert_eq!(clock.instant(clock.channel(later)), later);
        assert_eq!(clock.instant(ChannelTime::from_micros(3)), Instant::ZERO);
    }
}
