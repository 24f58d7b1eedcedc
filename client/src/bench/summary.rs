//! The result of the benchmark.

use super::child::Tally;
use super::plan::STRIPES;
use serde::Serialize;
use std::time::Duration;

/// What `bench relay` measured: the fields of the command-line contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchResult {
    /// Children fed.
    pub children: usize,
    /// The stream's payload rate, bits a second.
    pub rate_bps: u64,
    /// How long was measured.
    pub seconds: u64,
    /// The share of all chunks that came, 0 to 1.
    pub delivered: f64,
    /// CPU time of the forwarding process for 10⁹ bits of delivered payload.
    pub cpu_s_per_gbit: f64,
    /// Last byte in to last byte out of a chunk, median.
    pub added_ms_p50: f64,
    /// Last byte in to last byte out of a chunk, 99th percentile.
    pub added_ms_p99: f64,
    /// Memory of the forwarding process for a child.
    pub kib_per_child: f64,
    /// Children that do not read; what was delivered is counted without them.
    pub stalled: usize,
    /// The most memory that the forwarding process had, in MiB.
    pub peak_mib: f64,
    /// Chunks that the children verified.
    pub verified: u64,
}

/// What was measured, to be summed up.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) rate_bps: u64,
    pub(super) seconds: u64,
    /// Blocks that count.
    pub(super) blocks: u64,
    /// Payload of a chunk, in bytes.
    pub(super) payload: usize,
    pub(super) cpu: Duration,
    /// What the memory grew by with the children, in bytes.
    pub(super) memory: u64,
    pub(super) stalled: usize,
    /// The most memory, in bytes.
    pub(super) peak: u64,
    pub(super) tallies: Vec<Tally>,
}

impl Measured {
    pub(super) fn summary(self) -> BenchResult {
        let readers = self.tallies.len();
        let children = readers + self.stalled;
        let mut took_us: Vec<u32> = Vec::new();
        let mut verified = 0;
        for (child, tally) in self.tallies.iter().enumerate() {
            let worst_ms = tally.took_us.iter().max().copied().unwrap_or(0) / 1000;
            tracing::debug!(child, chunks = tally.took_us.len(), worst_ms, "counted");
            took_us.extend(&tally.took_us);
            verified += tally.verified;
        }
        took_us.sort_unstable();
        let expected = self.blocks * u64::from(STRIPES) * readers as u64;
        let gigabits = took_us.len() as f64 * self.payload as f64 * 8.0 / 1e9;
        BenchResult {
            children,
            rate_bps: self.rate_bps,
            seconds: self.seconds,
            delivered: rounded(took_us.len() as f64 / expected.max(1) as f64, 5),
            cpu_s_per_gbit: rounded(self.cpu.as_secs_f64() / gigabits.max(f64::MIN_POSITIVE), 3),
            added_ms_p50: milliseconds(&took_us, 50),
            added_ms_p99: milliseconds(&took_us, 99),
            kib_per_child: rounded(self.memory as f64 / 1024.0 / children.max(1) as f64, 1),
            stalled: self.stalled,
            peak_mib: rounded(self.peak as f64 / 1_048_576.0, 1),
            verified,
        }
    }
}

/// The `percent`th percentile of a sorted list of microseconds.
fn milliseconds(sorted_us: &[u32], percent: usize) -> f64 {
    let index = (sorted_us.len() * percent / 100).min(sorted_us.len().saturating_sub(1));
    sorted_us
        .get(index)
        .map_or(0.0, |us| rounded(f64::from(*us) / 1000.0, 2))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_right() {
        let tally = |took_us: Vec<u32>| Tally {
            took_us,
            verified: 1,
            bad: 0,
        };
        let measured = Measured {
            rate_bps: 4_000_000,
            seconds: 1,
            blocks: 10,
            payload: 5_000,
            cpu: Duration::from_millis(2),
            memory: 400 * 1024,
            stalled: 2,
            peak: 64 << 20,
            tallies: vec![
                tally((1..=100).map(|ms| ms * 1_000).collect()),
                tally(vec![500; 50]),
            ],
        };
        let result = measured.summary();
        assert_eq!(result.delivered, 0.75);
        // 150 chunks of 40,000 bits in 2 ms.
        assert_eq!(result.cpu_s_per_gbit, 0.333);
        assert_eq!((result.added_ms_p50, result.added_ms_p99), (26.0, 99.0));
        assert_eq!((result.children, result.kib_per_child), (4, 100.0));
        assert_eq!((result.stalled, result.peak_mib), (2, 64.0));
        assert_eq!(result.verified, 2);
    }

    #[test]
    fn nothing_delivered_is_no_division_by_zero() {
        let measured = Measured {
            rate_bps: 1,
            seconds: 1,
            blocks: 10,
            payload: 1,
            cpu: Duration::ZERO,
            memory: 0,
            stalled: 0,
            peak: 0,
            tallies: vec![Tally::default()],
        };
        let result = measured.summary();
        assert_eq!(
            (result.delivered, result.cpu_s_per_gbit, result.added_ms_p99),
            (0.0, 0.0, 0.0)
        );
    }
}
