//! Money, exact.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// US dollars, exact to a millionth: the prices of lists have four places, and a limit must not drift by rounding.
/// Serialises as whole micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usd(u64);

const MICROS: u64 = 1_000_000;

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `micros` millionths of a dollar.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `cents` hundredths of a dollar.
    pub const fn from_cents(cents: u64) -> Self {
        Self(cents.saturating_mul(10_000))
    }

    /// In millionths of a dollar.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// For JSON and for people's programs; sums are made before.
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / MICROS as f64
    }

    /// The sum, at most what fits.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; `None` below zero.
    pub const fn minus(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// What `time` costs at this price an hour, rounded up.
    pub fn for_hours(self, time: Duration) -> Self {
        Self(up(u128::from(self.0) * time.as_millis(), 3_600_000))
    }

    /// What `bytes` cost at this price a gigabyte (10⁹ bytes), rounded up.
    pub fn for_bytes(self, bytes: u64) -> Self {
        Self(up(u128::from(self.0) * u128::from(bytes), 1_000_000_000))
    }

    /// How many bytes it buys at `price` a gigabyte, rounded down; `None` if they cost nothing.
    pub fn buys_bytes(self, price: Self) -> Option<u64> {
        let bytes = (u128::from(self.0) * 1_000_000_000).checked_div(u128::from(price.0))?;
        Some(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

fn up(amount: u128, by: u128) -> u64 {
    u64::try_from(amount.div_ceil(by)).unwrap_or(u64::MAX)
}

impl fmt::Display for Usd {
    /// `$1.25`; below ten cents with the places that matter: `$0.0208`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.0 == 0 || self.0 >= 100_000 { 2 } else { 4 };
        let unit = MICROS / 10u64.pow(places);
        let rounded = self.0.div_ceil(unit);
        let (whole, part) = (rounded / 10u64.pow(places), rounded % 10u64.pow(places));
        write!(f, "${whole}.{part:0width$}", width = places as usize)
    }
}

/// The text is no amount such as `0.0208`, with at most six places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is written like 1.50, with at most six places")]
pub struct NoAmount;

impl FromStr for Usd {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.chars().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
            return Err(NoAmount);
        }
        let whole: u64 = whole.parse().map_err(|_| NoAmount)?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| NoAmount)?;
        let micros = whole
            .checked_mul(MICROS)
            .and_then(|micros| micros.checked_add(part));
        micros.map(Self).ok_or(NoAmount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(usd("0.0208").as_micros(), 20_800);
        assert_eq!(usd("1"), Usd::from_cents(100));
        assert_eq!(usd("0.000001").as_micros(), 1);
        for wrong in [
            "",
            ".5",
            "1.2.3",
            "-1",
            "0.0000001",
            "1e3",
            "99999999999999999999",
        ] {
            assert_eq!(wrong.parse::<Usd>(), Err(NoAmount), "{wrong}");
        }
    }

    #[test]
    fn what_is_charged_is_rounded_up_and_what_is_bought_down() {
        assert_eq!(usd("0.0208").for_hours(HOUR / 2), usd("0.0104"));
        assert_eq!(usd("0.000001").for_hours(Duration::from_secs(1)).as_micros(), 1);
        assert_eq!(usd("0.09").for_bytes(1_000_000_000), usd("0.09"));
        assert_eq!(usd("0.09").for_bytes(1).as_micros(), 1);
        assert_eq!(usd("0.09").buys_bytes(usd("0.09")), Some(1_000_000_000));
        assert_eq!(usd("1").buys_bytes(usd("0.09")), Some(11_111_111_111));
        assert_eq!(usd("1").buys_bytes(Usd::ZERO), None);
    }

    #[test]
    fn bought_bytes_never_cost_more_than_was_given() {
        for (money, price) in [("0.97", "0.09"), ("0.000007", "0.1093"), ("123.456789", "0.126")] {
            let bytes = usd(money).buys_bytes(usd(price)).unwrap();
            assert!(usd(price).for_bytes(bytes) <= usd(money), "{money} at {price}");
        }
    }

    #[test]
    fn amounts_are_shown_with_the_places_that_matter() {
        assert_eq!(usd("1.25").to_string(), "$1.25");
        assert_eq!(usd("0.0208").to_string(), "$0.0208");
        assert_eq!(usd("0.1").to_string(), "$0.10");
        assert_eq!(Usd::ZERO.to_string(), "$0.00");
        assert_eq!(usd("12.999999").to_string(), "$13.00");
    }
}
