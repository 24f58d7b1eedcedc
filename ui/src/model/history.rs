//! How it went: what the plots show.

use banyan::snapshot::Snapshot;
use std::collections::VecDeque;

/// Samples kept, one a second: five minutes.
const SAMPLES_MAX: usize = 300;

/// How things stood in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Sent, in wire Mbit/s.
    pub up_mbps: f64,
    /// Received, in wire Mbit/s.
    pub down_mbps: f64,
    /// Capture to playout, in seconds.
    pub latency_s: f64,
    /// Ready to be played, in seconds.
    pub buffer_s: f64,
    /// Stripes that come in.
    pub stripes: usize,
}

/// The last minutes, second by second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History(VecDeque<Sample>);

impl History {
    /// Adds a second. The oldest goes when there are too many.
    pub fn add(&mut self, snapshot: &Snapshot) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Sample::of(snapshot));
    }

    /// What `of` says of each second, with how many seconds ago it was (negative).
    pub fn points(&self, of: impl Fn(&Sample) -> f64) -> Vec<[f64; 2]> {
        let newest = self.0.len() as f64 - 1.0;
        let point = |(n, sample): (usize, &Sample)| [n as f64 - newest, of(sample)];
        self.0.iter().enumerate().map(point).collect()
    }

    /// Whether a stream came in: to a broadcaster none does.
    pub fn has_stream(&self) -> bool {
        self.0.iter().any(|second| second.stripes > 0)
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sample {
    fn of(snapshot: &Snapshot) -> Self {
        let viewer = snapshot.stats.viewer.as_ref();
        Self {
            up_mbps: snapshot.up.as_bps() as f64 / 1e6,
            down_mbps: snapshot.down.as_bps() as f64 / 1e6,
            latency_s: viewer.map_or(0.0, |viewer| viewer.latency_ms as f64 / 1e3),
            buffer_s: viewer.map_or(0.0, |viewer| viewer.buffer_ms as f64 / 1e3),
            stripes: viewer.map_or(0, |viewer| viewer.stripes_receiving),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn to_a_broadcaster_no_stream_comes() {
        assert!(samples::watch().network.history.has_stream());
        let own = samples::on_air().own_network.history;
        assert!(!own.is_empty() && !own.has_stream());
    }

    #[test]
    fn the_newest_is_at_zero_and_the_oldest_goes() {
        let mut history = History::default();
        for _ in 0..SAMPLES_MAX + 5 {
            history.add(&Snapshot::default());
        }
        let points = history.points(|sample| sample.up_mbps);
        assert_eq!(points.len(), SAMPLES_MAX);
        assert_eq!(points.last().unwrap()[0], 0.0);
        assert_eq!(points[0][0], 1.0 - SAMPLES_MAX as f64);
    }
}
