//! How long blocks take from capture to completeness.

use crate::time::{ChannelTime, Duration};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How far back the figures look.
const SPAN: Duration = Duration::from_secs(10);

/// The most samples kept: a block a tick, and some that come in a burst.
const SAMPLES_MAX: usize = 128;

/// Arrival times of the last blocks.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// When the first chunk came: what was captured before could not have come sooner.
    since: Option<ChannelTime>,
    samples: VecDeque<(ChannelTime, Duration)>,
}

impl Arrivals {
    /// A chunk came.
    pub(super) fn chunk(&mut self, now: ChannelTime) {
        self.since.get_or_insert(now);
    }

    /// A block that was captured at `captured` became complete.
    pub(super) fn complete(&mut self, now: ChannelTime, captured: ChannelTime) {
        if self.since.is_none_or(|since| captured < since) {
            return;
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((now, now.since(captured)));
    }

    /// When the first chunk came.
    pub(super) fn since(&self) -> Option<ChannelTime> {
        self.since
    }

    /// The 99th percentile of the last 10 s; zero if nothing came.
    pub(super) fn p99(&self, now: ChannelTime) -> Duration {
        let recent = self.samples.iter().filter(|(at, _)| now.since(*at) <= SPAN);
        let mut times: Vec<Duration> = recent.map(|(_, time)| *time).collect();
        let rank = (times.len() * 99).div_ceil(100);
        rank.checked_sub(1)
            .map_or(Duration::ZERO, |index| *times.select_nth_unstable(index).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::at;

    #[test]
    fn the_99th_percentile_of_ten_seconds_without_the_backlog() {
        let mut arrivals = Arrivals::default();
        arrivals.chunk(at(10_000));
        arrivals.complete(at(10_000), at(7_000));
        assert_eq!(
            arrivals.p99(at(10_000)),
            Duration::ZERO,
            "captured before we joined"
        );
        for n in 0..100 {
            let late = if n == 50 { 900 } else { 100 + n };
            arrivals.complete(at(11_000 + n * 100), at(11_000 + n * 100 - late));
        }
        assert_eq!(arrivals.p99(at(20_900)), Duration::from_millis(199));
        assert_eq!(
            arrivals.p99(at(26_500)),
            Duration::from_millis(199),
            "half of them are too old"
        );
        assert_eq!(arrivals.p99(at(60_000)), Duration::ZERO);
    }
}
