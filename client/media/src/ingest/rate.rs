//! Whether a copied tier's rate has left the one that was announced.

use super::scan::Meter;
use banyan_protocol::units::Bitrate;

/// How long a lower rate must hold before the tier's rate follows it down, in 1/90,000 s.
const LOWER_AFTER: i64 = 30 * 90_000;

/// Measures one tier from the first packet of a session; what came before, perhaps of another input, tells nothing.
#[derive(Default)]
pub(crate) struct Drift {
    meter: Meter,
    /// Since when the greatest rate is that of the meter.
    since: Option<i64>,
}

impl Drift {
    /// A packet of `bytes`, decoded at `dts`.
    pub(crate) fn add(&mut self, dts: i64, bytes: usize) {
        self.since.get_or_insert(dts);
        self.meter.add(dts, bytes);
    }

    /// The rate to announce at `now` instead of `announced`, if that is far off. `beside` is what the tier has beside what
    /// is measured.
    pub(crate) fn from(&mut self, announced: Bitrate, now: i64, beside: Bitrate) -> Option<Bitrate> {
        let measured = self.meter.worst()?.percent(105) + beside;
        let settled = self.since.is_some_and(|since| now - since > LOWER_AFTER);
        if settled {
            self.since = Some(now);
            self.meter.forget_worst();
        }
        let lower = settled && measured < announced.percent(75);
        (lower || measured > announced.percent(120)).then_some(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: i64 = 9_000;

    /// Measures `ticks` of 100 ms with so many bytes each, from `first` on, and says where another rate was found.
    fn measure(announced: Bitrate, first: i64, ticks: i64, bytes: usize) -> Vec<(i64, Bitrate)> {
        let mut drift = Drift::default();
        let mut found = Vec::new();
        for tick in 0..ticks {
            let now = first + tick * TICK;
            drift.add(now, bytes);
            // A keyframe a second.
            let rate = (tick % 10 == 0).then(|| drift.from(announced, now, Bitrate::ZERO));
            found.extend(rate.flatten().map(|rate| (tick, rate)));
        }
        found
    }

    #[test]
    fn nothing_is_said_of_a_rate_that_stays_however_late_the_session_begins() {
        let hour = 3_600 * 90_000;
        assert_eq!(measure(Bitrate::from_kbps(1050), hour, 1_000, 12_500), []);
    }

    #[test]
    fn a_higher_rate_is_followed_as_soon_as_three_seconds_show_it() {
        let found = measure(Bitrate::from_kbps(500), 0, 40, 12_500);
        assert_eq!(found, [(30, Bitrate::from_kbps(1050))]);
    }

    #[test]
    fn a_lower_rate_is_followed_when_it_has_held_for_half_a_minute() {
        let found = measure(Bitrate::from_kbps(2000), 90_000, 320, 12_500);
        assert_eq!(found, [(310, Bitrate::from_kbps(1050))]);
    }
}
