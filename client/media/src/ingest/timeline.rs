//! The channel's media clock: an input's times, moved so that they only grow.

/// Units of the media clock in a second.
const HZ: i64 = 90_000;

/// Where the media clock begins: late enough that frames decoded before they are shown have times above zero.
const ORIGIN: i64 = HZ;

/// How far behind the last of its track a packet may be before the input's clock is said to jump.
const BACK_MAX: i64 = HZ;

/// Moves times of one input, over all its restarts. Picture and sound move alike.
pub(crate) struct Timeline {
    offset: i64,
    end: i64,
    last: [Option<i64>; 2],
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Self {
            offset: 0,
            end: ORIGIN,
            last: [None; 2],
        }
    }

    /// From now on `first`, the time at which the input's first frame is shown, is the end of what came before, or
    /// `at_least` if that is later.
    pub(crate) fn anchor(&mut self, first: i64, at_least: i64) {
        self.offset = self.end.max(at_least) - first;
        self.last = [None; 2];
    }

    /// An input's time on the media clock.
    pub(crate) fn map(&self, time: i64) -> i64 {
        time.saturating_add(self.offset)
    }

    /// The input's time of one on the media clock.
    pub(crate) fn unmap(&self, time: i64) -> i64 {
        time.saturating_sub(self.offset)
    }

    /// Whether a mapped decoding time of a track is so far from the last ones that the input's clock must have jumped.
    pub(crate) fn jumps(&self, track: u8, dts: i64, ahead_max_s: i64) -> bool {
        let newest = self.last.iter().flatten().max();
        let ahead = newest.is_some_and(|&newest| dts > newest + ahead_max_s * HZ);
        let back = self.last[usize::from(track)].is_some_and(|last| dts < last - BACK_MAX);
        ahead || back
    }

    /// Notes a mapped packet.
    pub(crate) fn note(&mut self, track: u8, dts: i64, pts: i64, duration: u32) {
        self.last[usize::from(track)] = Some(dts);
        self.end = self.end.max(pts + i64::from(duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_goes_on_where_it_ended() {
        let mut timeline = Timeline::new();
        timeline.anchor(500, 0);
        assert_eq!(timeline.map(500), ORIGIN);
        timeline.note(0, timeline.map(3500), timeline.map(6500), 3000);
        timeline.anchor(500, 0);
        assert_eq!(timeline.map(500), ORIGIN + 9000);
    }

    #[test]
    fn a_jump_is_noticed_both_ways_and_a_small_one_is_none() {
        let mut timeline = Timeline::new();
        timeline.anchor(0, 0);
        timeline.note(0, 10 * HZ, 10 * HZ, 3000);
        timeline.note(1, 10 * HZ, 10 * HZ, 1920);
        assert!(timeline.jumps(0, 2 * HZ, 3));
        assert!(timeline.jumps(1, 14 * HZ, 3));
        assert!(!timeline.jumps(1, 12 * HZ, 3));
        assert!(!timeline.jumps(0, 9 * HZ + HZ / 2, 3));
    }
}
