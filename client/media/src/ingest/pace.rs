//! At which moment a packet of a file is due.

use std::time::{Duration, Instant};

/// A reader further behind than this goes on from where it is, instead of catching up.
const BEHIND_MAX: Duration = Duration::from_secs(2);

/// Ties the media clock to the wall clock.
#[derive(Default)]
pub(crate) struct Pacer {
    origin: Option<(Instant, i64)>,
}

impl Pacer {
    /// When the packet decoded at `dts` (1/90,000 s) is due.
    pub(crate) fn due(&mut self, dts: i64, now: Instant) -> Instant {
        let &mut (start, first) = self.origin.get_or_insert((now, dts));
        let ticks = u64::try_from(dts - first).unwrap_or(0);
        let due = start + Duration::from_micros(ticks * 100 / 9);
        if now.saturating_duration_since(due) > BEHIND_MAX {
            self.origin = Some((now, dts));
            return now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_media_is_a_second() {
        let mut pacer = Pacer::default();
        let start = Instant::now();
        assert_eq!(pacer.due(5000, start), start);
        assert_eq!(pacer.due(95_000, start), start + Duration::from_secs(1));
    }

    #[test]
    fn who_is_far_behind_goes_on_from_there() {
        let mut pacer = Pacer::default();
        let start = Instant::now();
        pacer.due(0, start);
        let late = start + Duration::from_secs(5);
        assert_eq!(pacer.due(90_000, late), late);
        assert_eq!(pacer.due(180_000, late), late + Duration::from_secs(1));
    }
}
