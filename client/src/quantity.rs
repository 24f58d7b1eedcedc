//! Quantities as people write them: rates `2.5M`, sizes `64KiB`, durations `1h30m`, money `1.50`.

use banyan_cloud::money::Usd;
use banyan_protocol::time::Duration;
use banyan_protocol::units::Bitrate;

/// Why a text is no such quantity, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not begin with a number.
    #[error("it begins with a number, as in {0}")]
    NoNumber(&'static str),
    /// The unit is missing or unknown.
    #[error("“{unit}” is no unit here; write {example}")]
    Unit {
        /// What stands where the unit should.
        unit: String,
        /// How it is written.
        example: &'static str,
    },
    /// More than can be meant.
    #[error("that is too much")]
    TooLarge,
}

/// Bits a second: `500k`, `2.5M`, `1G`, or plain `800000`.
pub fn rate(text: &str) -> Result<Bitrate, QuantityError> {
    const EXAMPLE: &str = "500k or 2.5M (bits per second)";
    let (number, unit) = split(text.trim(), EXAMPLE)?;
    let scale = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err(no_unit(unit, EXAMPLE)),
    };
    number.times(scale).map(Bitrate)
}

/// Bytes: `64KiB`, `10MB`, `1GiB`, or plain `4096`.
pub fn size(text: &str) -> Result<u64, QuantityError> {
    const EXAMPLE: &str = "64KiB or 10MB";
    let (number, unit) = split(text.trim(), EXAMPLE)?;
    let scale = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(no_unit(unit, EXAMPLE)),
    };
    number.times(scale)
}

/// A time: `250ms`, `2s`, `1h30m`. A number needs its unit.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    const EXAMPLE: &str = "250ms, 2s or 1h30m";
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    loop {
        let (number, after) = split(rest, EXAMPLE)?;
        let end = after
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let micros = match unit {
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(no_unit(unit, EXAMPLE)),
        };
        let part = Duration::from_micros(number.times(micros)?);
        total = total.checked_add(part).ok_or(QuantityError::TooLarge)?;
        if next.is_empty() {
            return Ok(total);
        }
        rest = next;
    }
}

/// Dollars: `1`, `0.50`, `$2`. What is below a millionth is cut.
pub fn usd(text: &str) -> Result<Usd, QuantityError> {
    const EXAMPLE: &str = "1 or 0.50 (US dollars)";
    let text = text.trim();
    let (number, unit) = split(text.strip_prefix('$').unwrap_or(text), EXAMPLE)?;
    match unit {
        "" => number.times(1_000_000).map(Usd::from_micros),
        _ => Err(no_unit(unit, EXAMPLE)),
    }
}

/// Hours of a lease: `1`, `0.5`, or a duration such as `1h30m`.
pub fn hours(text: &str) -> Result<Duration, QuantityError> {
    const EXAMPLE: &str = "2, 0.5 or 1h30m";
    match split(text.trim(), EXAMPLE)? {
        (number, "") => number.times(3_600_000_000).map(Duration::from_micros),
        _ => duration(text),
    }
}

/// A decimal number, exact: `digits` ÷ 10^`decimals`.
struct Number {
    digits: u64,
    decimals: u32,
}

impl Number {
    fn times(&self, scale: u64) -> Result<u64, QuantityError> {
        let whole = u128::from(self.digits) * u128::from(scale) / 10u128.pow(self.decimals);
        u64::try_from(whole).map_err(|_| QuantityError::TooLarge)
    }
}

/// The number that `text` begins with, and what follows it.
fn split<'a>(text: &'a str, example: &'static str) -> Result<(Number, &'a str), QuantityError> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') {
        return Err(QuantityError::NoNumber(example));
    }
    let digits = format!("{whole}{fraction}");
    if digits.len() > 18 {
        return Err(QuantityError::TooLarge);
    }
    let number = Number {
        digits: digits.parse().expect("up to 18 digits"),
        decimals: fraction.len() as u32,
    };
    Ok((number, rest.trim_start()))
}

fn no_unit(unit: &str, example: &'static str) -> QuantityError {
    QuantityError::Unit {
        unit: unit.trim().to_string(),
        example,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact() {
        assert_eq!(rate("500k"), Ok(Bitrate(500_000)));
        assert_eq!(rate("2.5M"), Ok(Bitrate(2_500_000)));
        assert_eq!(rate("0.1 M"), Ok(Bitrate(100_000)));
        assert_eq!(rate("0"), Ok(Bitrate(0)));
        assert_eq!(rate("800000"), Ok(Bitrate(800_000)));
        assert_eq!(rate("999999999999999999G"), Err(QuantityError::TooLarge));
        assert_eq!(rate("9999999999999999999"), Err(QuantityError::TooLarge));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            rate("2Q").unwrap_err().to_string(),
            "“Q” is no unit here; write 500k or 2.5M (bits per second)"
        );
        assert_eq!(
            duration("2").unwrap_err().to_string(),
            "“” is no unit here; write 250ms, 2s or 1h30m"
        );
        for text in ["", "k", "-1k", ".5M", "1.2.3M"] {
            assert!(matches!(rate(text), Err(QuantityError::NoNumber(_))), "{text}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_kilo() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1.5MB"), Ok(1_500_000));
        assert_eq!(size("12"), Ok(12));
        assert!(size("12 parsecs").is_err());
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert!(duration("1h30").is_err());
        assert!(duration("2 fortnights").is_err());
    }

    #[test]
    fn money_and_hours() {
        assert_eq!(usd("0.50"), Ok(Usd::from_cents(50)));
        assert_eq!(usd("$2"), Ok(Usd::from_cents(200)));
        assert!(usd("2EUR").is_err());
        assert_eq!(hours("0.5"), Ok(Duration::from_secs(1_800)));
        assert_eq!(hours("1h30m"), Ok(Duration::from_secs(5_400)));
    }
}
