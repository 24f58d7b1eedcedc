//! The line: the player's own clock.

use std::time::Duration;

/// Units of the line in a second: those of the media clock.
pub(super) const SECOND: i64 = banyan_protocol::media::PACKET_CLOCK_HZ as i64;

/// A length of time in units of the line.
pub(super) const fn ticks(time: Duration) -> i64 {
    (time.as_micros() as i64) * (SECOND / 1000) / 1000
}

/// Units of the line as a length of time; none below zero.
pub(super) const fn duration(ticks: i64) -> Duration {
    if ticks <= 0 {
        return Duration::ZERO;
    }
    Duration::from_nanos(ticks as u64 * 1_000_000 / (SECOND as u64 / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_same() {
        for ms in [0, 1, 40, 100, 60_000] {
            let time = Duration::from_millis(ms);
            assert_eq!(ticks(time), ms as i64 * 90);
            assert_eq!(duration(ticks(time)), time);
        }
        assert_eq!(duration(-5), Duration::ZERO);
    }
}
