//! How far behind what has come a live stream plays: as little as plays without a stop.
//!
//! Playout hands packets over in bursts, a block of 100 ms at a time, and a keyframe that was smoothed over several blocks
//! comes after the sound that goes with it. So it begins with a margin, takes more each time that it runs out, and
//! goes a little faster or slower when what is left at the lowest is more or less than needed: also because no two
//! machines' clocks agree.

use super::line::{SECOND, ticks};
use std::time::{Duration, Instant};

/// What lies ready when it begins: three bursts.
const FIRST: i64 = ticks(Duration::from_millis(300));

/// How much more each time that it ran out.
const MORE: i64 = ticks(Duration::from_millis(200));

/// The most that is ever waited for.
const MOST: i64 = 2 * SECOND;

/// What is to be left at the lowest: one burst, and what a sound device takes ahead.
const LEAST: [i64; 2] = [
    ticks(Duration::from_millis(60)),
    ticks(Duration::from_millis(250)),
];

/// Where between the two speed is normal again.
const GOOD: i64 = ticks(Duration::from_millis(150));

/// How long the lowest is looked for: three of the longest keyframe intervals that are copied.
const WINDOW: Duration = Duration::from_secs(12);

/// How much faster or slower: nobody hears it, and it makes up for a second in about three minutes.
const STRETCH: f32 = 0.005;

/// The margin of a live stream.
#[derive(Debug)]
pub(super) struct Margin {
    wished: i64,
    since: Option<Instant>,
    lowest: i64,
    stretch: f32,
}

impl Margin {
    pub(super) fn new() -> Self {
        Self {
            wished: FIRST,
            since: None,
            lowest: i64::MAX,
            stretch: 0.0,
        }
    }

    /// What has to lie ready before it begins.
    pub(super) fn wished(&self) -> i64 {
        self.wished
    }

    /// How much faster it is to play, as a share.
    pub(super) fn stretch(&self) -> f32 {
        self.stretch
    }

    /// It ran out.
    pub(super) fn ran_out(&mut self) {
        self.wished = (self.wished + MORE).min(MOST);
        self.restart();
    }

    /// It plays at another place, or not live.
    pub(super) fn restart(&mut self) {
        (self.since, self.lowest, self.stretch) = (None, i64::MAX, 0.0);
    }

    /// So much lies ready at `now`.
    pub(super) fn left(&mut self, now: Instant, left: i64) {
        let since = *self.since.get_or_insert(now);
        self.lowest = self.lowest.min(left);
        if now.saturating_duration_since(since) < WINDOW {
            return;
        }
        let [least, most] = LEAST;
        self.stretch = match self.lowest {
            lowest if lowest > most => STRETCH,
            lowest if lowest < least => -STRETCH,
            lowest if self.stretch > 0.0 && lowest > GOOD => STRETCH,
            lowest if self.stretch < 0.0 && lowest < GOOD => -STRETCH,
            _ => 0.0,
        };
        (self.since, self.lowest) = (Some(now), left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 90;

    /// A margin, and the time.
    struct World(Margin, Instant);

    impl World {
        fn new() -> Self {
            Self(Margin::new(), Instant::now())
        }

        /// What speeds are taken while what is left swings between `low` and 200 ms more, for a minute.
        fn stretches(&mut self, low: i64) -> Vec<f32> {
            let mut stretches = Vec::new();
            for step in 0..600 {
                let swing = if step % 10 == 3 { 0 } else { 200 * MS };
                self.1 += Duration::from_millis(100);
                self.0.left(self.1, low * MS + swing);
                stretches.push(self.0.stretch());
            }
            stretches.dedup();
            stretches
        }
    }

    #[test]
    fn the_lowest_counts_and_speed_follows_it() {
        assert_eq!(World::new().stretches(600), [0.0, STRETCH]);
        assert_eq!(World::new().stretches(100), [0.0]);
        assert_eq!(World::new().stretches(20), [0.0, -STRETCH]);
    }

    #[test]
    fn speed_is_normal_again_only_in_the_middle() {
        let mut world = World::new();
        world.stretches(600);
        assert_eq!(world.stretches(200), [STRETCH]);
        assert_eq!(world.stretches(140), [STRETCH, 0.0]);
        assert_eq!(world.stretches(200), [0.0]);
    }

    #[test]
    fn each_time_it_runs_out_it_takes_more_up_to_a_bound() {
        let mut margin = Margin::new();
        assert_eq!(margin.wished(), FIRST);
        margin.ran_out();
        assert_eq!(margin.wished(), FIRST + MORE);
        (0..100).for_each(|_| margin.ran_out());
        assert_eq!(margin.wished(), MOST);
    }
}
