//! The contract's `sim-result`.

use serde::Serialize;
use std::fmt;

/// What came of a run. Serialises to the contract's JSON object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "event", rename = "sim-result")]
pub struct SimResult {
    /// Milliseconds of simulated time, as in all events.
    pub t: u64,
    /// The seed.
    pub seed: u64,
    /// Viewers at the end.
    pub viewers: usize,
    /// Simulated seconds.
    pub sim_s: f64,
    /// How long it took.
    pub wall_ms: u64,
    /// How long its thread ran: less than that on a busy computer.
    pub cpu_ms: u64,
    /// Equal for equal runs.
    pub trace_hash: String,
    /// Viewers who play the full stream at the end.
    pub served_full: usize,
    /// Viewers who play less.
    pub degraded: usize,
    /// Viewers refused since the start.
    pub refused: u64,
    /// The longest, in seconds, that a viewer lacked the full stream while the coordinator counted room for it.
    pub kept_low_s: u64,
    /// Slots of the full stream that reach viewers, mean over the last two minutes without faults.
    pub slots_served: f64,
    /// What there could be.
    pub slots_ceiling: f64,
    /// Seconds from when faults stopped until everybody who had time to was at the live edge.
    pub live_after_s: f64,
    /// Seconds from when faults stopped until everybody hung where the coordinator believed.
    pub agreed_after_s: f64,
    /// Seconds from when faults stopped until, where there was plenty, everybody had the full stream.
    pub full_after_s: f64,
    /// Mean depth over the stripes that viewers play.
    pub depth_mean: f64,
    /// A bound that no forest of these uplinks goes below.
    pub depth_least: f64,
    /// 95 % began to play within so many milliseconds.
    pub startup_ms_p95: u64,
    /// The share of pictures played in time.
    pub continuity: f64,
    /// Stalls of all viewers together.
    pub stalls: u64,
    /// Those of viewers that had watched for a quarter of a minute and more.
    pub stalls_settled: u64,
    /// Of these, those of viewers that kept the quality that they had.
    pub stalls_kept: u64,
    /// 95 % of repairs took at most so many milliseconds.
    pub repair_ms_p95: u64,
    /// Stripes that moved in the five seconds after a failure, or until somebody joined, although their parents lived.
    pub strangers_moved: u64,
    /// Moves of viewers that had moved, on whatever stripe, in the ten seconds after the same newcomer already.
    pub moved_again: u64,
    /// What the broadcaster sent on control lanes, bits a second and viewer.
    pub control_bps_per_viewer: f64,
    /// The most copies that the broadcaster sent in any second.
    pub source_copies_max: f64,
    /// Members that cheated.
    pub cheats: u64,
    /// Those of them that the broadcaster named.
    pub cheats_named: u64,
    /// How long that took, at most.
    pub named_after_ms: u64,
    /// Others whom it named.
    pub wrongly_named: u64,
    /// Stalls of others since the first cheat began.
    pub stalls_by_cheats: u64,
    /// Whether the sponsor of a relay that cheats is served before others at the end.
    pub cheat_favoured: bool,
    /// Viewers, but for its sponsor, whom such a relay feeds at the end.
    pub fed_by_cheats: u64,
    /// Stalls of sponsors since the uplinks of their relays were too small, the blocks that they lost, and how often they lost quality.
    pub sponsor_stalls: u64,
    /// See there.
    pub sponsor_falls: u64,
    /// See there.
    pub sponsor_blocks_lost: u64,
    /// Seats that relays took back for want of uplink.
    pub sheds: u64,
    /// Those of them that were taken from a better class than somebody kept one of.
    pub unfair_sheds: u64,
    /// How often anybody else was asked to sponsor, at most, since many keys of one address came.
    pub prompts_by_crowd: u64,
    /// Their share of what relays sent since then.
    pub crowd_share: f64,
    /// Things that went wrong.
    pub faults: u64,
    /// How often something was checked.
    pub invariant_checks: u64,
}

impl SimResult {
    /// Simulated seconds for each second of the thread that ran it.
    pub fn speed(&self) -> f64 {
        self.sim_s * 1000.0 / self.cpu_ms.max(1) as f64
    }

    /// Served slots over those that there could be.
    pub fn slots_of_ceiling(&self) -> f64 {
        self.slots_served / self.slots_ceiling.max(1.0)
    }

    /// Mean depth over the least possible.
    pub fn depth_of_least(&self) -> f64 {
        self.depth_mean / self.depth_least.max(1.0)
    }
}

impl fmt::Display for SimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} s of simulated time at {:.1} times its speed in one thread, {} faults",
            self.seed,
            self.sim_s,
            self.speed(),
            self.faults
        )?;
        writeln!(
            f,
            "  viewers      {:6}   full {}, less {}, refused {}",
            self.viewers, self.served_full, self.degraded, self.refused
        )?;
        let share = 100.0 * self.slots_of_ceiling();
        writeln!(
            f,
            "  slots        {:6.0}   of {:.0} that there could be ({share:.1} %)",
            self.slots_served, self.slots_ceiling
        )?;
        writeln!(
            f,
            "  depth        {:6.2}   least possible {:.2}",
            self.depth_mean, self.depth_least
        )?;
        writeln!(
            f,
            "  live edge    {:6.0} s after faults stopped",
            self.live_after_s
        )?;
        writeln!(f, "  start-up     {:6} ms 95th percentile", self.startup_ms_p95)?;
        writeln!(
            f,
            "  continuity   {:8.4} {} stalls, {} after a quarter of a minute, {} of those in the same quality",
            self.continuity, self.stalls, self.stalls_settled, self.stalls_kept
        )?;
        writeln!(
            f,
            "  repair       {:6} ms 95th percentile; {} stripes moved whose parents lived, {} twice for a newcomer",
            self.repair_ms_p95, self.strangers_moved, self.moved_again
        )?;
        writeln!(
            f,
            "  control      {:6.0} bit/s a viewer; the broadcaster sent {:.2} copies at most",
            self.control_bps_per_viewer, self.source_copies_max
        )?;
        if self.cheats > 0 {
            writeln!(
                f,
                "  cheats       {:6}   {} named after {} ms at most, {} others named; {} stalls, {} still fed, favoured: {}",
                self.cheats,
                self.cheats_named,
                self.named_after_ms,
                self.wrongly_named,
                self.stalls_by_cheats,
                self.fed_by_cheats,
                self.cheat_favoured
            )?;
        }
        if self.sheds > 0 {
            writeln!(
                f,
                "  sheds        {:6}   {} out of turn; sponsors: {} stalls, {} blocks lost, quality lost {} times",
                self.sheds,
                self.unfair_sheds,
                self.sponsor_stalls,
                self.sponsor_blocks_lost,
                self.sponsor_falls
            )?;
        }
        if self.crowd_share > 0.0 || self.prompts_by_crowd > 0 {
            writeln!(
                f,
                "  crowd        {:6.3}   of what relays sent; {} prompts",
                self.crowd_share, self.prompts_by_crowd
            )?;
        }
        write!(
            f,
            "  checks       {:6}   trace {}",
            self.invariant_checks, self.trace_hash
        )
    }
}

/// The value that `percent` of `values` do not exceed; 0 of none.
pub(crate) fn percentile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    rank.checked_sub(1).map_or(0, |index| sorted[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let values: Vec<u64> = (1..=20).rev().collect();
        assert_eq!(percentile(&values, 95), 19);
        assert_eq!(percentile(&values, 100), 20);
        assert_eq!(percentile(&[7], 95), 7);
        assert_eq!(percentile(&[], 95), 0);
    }
}
