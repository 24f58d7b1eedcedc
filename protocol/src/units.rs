//! Units in types, so that a rate is never taken for a size.

use crate::time::Duration;
use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign, Mul, Sub, SubAssign};
use serde::{Deserialize, Serialize};

/// Bits per second. Unless said otherwise these are wire bits: Ethernet to QUIC, acknowledgements and control included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bitrate(pub u64);

impl Bitrate {
    /// No bits at all.
    pub const ZERO: Self = Self(0);
    /// More than any link carries.
    pub const MAX: Self = Self(u64::MAX);

    /// `kbps` thousand bits per second.
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps * 1000)
    }

    /// Bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// How many bytes this rate carries in `time`.
    pub const fn bytes_in(self, time: Duration) -> u64 {
        (self.0 as u128 * time.as_micros() / 8_000_000) as u64
    }

    /// How long `bytes` take at this rate; for ever (an hour) at rate zero.
    pub const fn time_for(self, bytes: u64) -> Duration {
        if self.0 == 0 {
            return Duration::from_secs(3600);
        }
        Duration::from_micros((bytes as u128 * 8_000_000 / self.0 as u128) as u64)
    }

    /// The rate that carries `bytes` in `time`; zero if no time passed.
    pub const fn of(bytes: u64, time: Duration) -> Self {
        let us = time.as_micros();
        if us == 0 {
            return Self::ZERO;
        }
        Self((bytes as u128 * 8_000_000 / us) as u64)
    }

    /// This rate less `other`, not below zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `percent` hundredths of this rate.
    pub const fn percent(self, percent: u64) -> Self {
        Self((self.0 as u128 * percent as u128 / 100) as u64)
    }

    /// How many whole times `slot` fits into this rate; none if `slot` is zero.
    pub const fn slots(self, slot: Self) -> u64 {
        match self.0.checked_div(slot.0) {
            Some(slots) => slots,
            None => 0,
        }
    }
}

impl Add for Bitrate {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bitrate {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Bitrate {
    type Output = Self;
    /// Panics below zero in debug builds: budgets are checked before they are spent.
    fn sub(self, other: Self) -> Self {
        debug_assert!(self.0 >= other.0, "a rate below zero");
        self.saturating_sub(other)
    }
}

impl SubAssign for Bitrate {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Mul<u64> for Bitrate {
    type Output = Self;
    fn mul(self, by: u64) -> Self {
        Self(self.0.saturating_mul(by))
    }
}

impl Sum for Bitrate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        rates.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Bitrate {
    /// As people say it: `2.5 Mbit/s`, `500 kbit/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Self::MEGA.. => write!(
                f,
                "{}.{} Mbit/s",
                self.0 / Self::MEGA,
                self.0 % Self::MEGA / 100_000
            ),
            1_000.. => write!(f, "{} kbit/s", self.0 / 1000),
            bps => write!(f, "{bps} bit/s"),
        }
    }
}

impl Bitrate {
    const MEGA: u64 = 1_000_000;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_rate_times_a_time_is_a_size() {
        let rate = Bitrate::from_kbps(800);
        assert_eq!(rate.bytes_in(Duration::from_millis(100)), 10_000);
        assert_eq!(rate.time_for(10_000), Duration::from_millis(100));
        assert_eq!(Bitrate::of(10_000, Duration::from_millis(100)), rate);
        assert_eq!(Bitrate::from_kbps(2_500).slots(rate), 3);
        assert_eq!(Bitrate::from_kbps(2_500).slots(Bitrate::ZERO), 0);
    }

    #[test]
    fn prints_as_people_say_it() {
        assert_eq!(Bitrate(2_540_000).to_string(), "2.5 Mbit/s");
        assert_eq!(Bitrate(500_000).to_string(), "500 kbit/s");
    }
}
