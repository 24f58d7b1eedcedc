//! What is promised of runs beyond that nothing breaks, scenario by scenario: one table, a line a promise.

use crate::score::SimResult;
use std::fmt;
use std::ops::RangeInclusive;

/// A figure of a run that something is promised of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Seconds after faults stopped until everybody is at the live edge.
    LiveAfter,
    /// Seconds after faults stopped until everybody hangs where the coordinator believes.
    AgreedAfter,
    /// Seconds after faults stopped until, where there is plenty, everybody has the full stream.
    FullAfter,
    /// Served slots over the ceiling, mean over the last two minutes without faults.
    SlotsOfCeiling,
    /// Mean depth over the least possible.
    DepthOfLeast,
    /// What the broadcaster sends on control lanes, bits a second and viewer.
    Control,
    /// The share of pictures played in time.
    Continuity,
    /// 95 % start within so many milliseconds.
    Startup,
    /// 95 % of repairs take at most so many milliseconds.
    Repair,
    /// Seconds for which a viewer lacked the full stream while the coordinator counted room for it, at most.
    KeptLow,
    /// Viewers refused.
    Refused,
    /// How often a viewer moved, on whatever stripe, that had moved for the same newcomer already.
    MovedAgain,
    /// How often a viewer stood still.
    Stalls,
    /// How often one did that had watched for long.
    StallsSettled,
    /// How often one did that had watched for long, and kept its quality.
    StallsKept,
    /// Cheats that the broadcaster did not name.
    Unnamed,
    /// Others whom it named.
    WronglyNamed,
    /// Stalls of others since somebody cheats.
    StallsByCheats,
    /// Viewers whom a cheat still feeds at the end, but for its sponsor; one more if that is still served first.
    CheatsGain,
    /// Stalls and lost blocks of sponsors since their relays' uplinks were too small, and how often they lost quality.
    SponsorHarm,
    /// Seats that relays took back out of turn.
    UnfairSheds,
    /// Seats that relays took back.
    Sheds,
    /// How often somebody was asked to sponsor because of many keys of one address.
    Prompts,
    /// Their share of what relays send.
    CrowdShare,
    /// Simulated seconds for each second of one thread.
    Speed,
}

impl Figure {
    /// What it was in a run.
    pub fn of(self, result: &SimResult) -> f64 {
        match self {
            Self::LiveAfter => result.live_after_s,
            Self::AgreedAfter => result.agreed_after_s,
            Self::FullAfter => result.full_after_s,
            Self::SlotsOfCeiling => result.slots_of_ceiling(),
            Self::DepthOfLeast => result.depth_of_least(),
            Self::Control => result.control_bps_per_viewer,
            Self::Continuity => result.continuity,
            Self::Startup => result.startup_ms_p95 as f64,
            Self::Repair => result.repair_ms_p95 as f64,
            Self::KeptLow => result.kept_low_s as f64,
            Self::Refused => result.refused as f64,
            Self::MovedAgain => result.moved_again as f64,
            Self::Stalls => result.stalls as f64,
            Self::StallsSettled => result.stalls_settled as f64,
            Self::StallsKept => result.stalls_kept as f64,
            Self::Unnamed => (result.cheats - result.cheats_named) as f64,
            Self::WronglyNamed => result.wrongly_named as f64,
            Self::StallsByCheats => result.stalls_by_cheats as f64,
            Self::CheatsGain => (result.fed_by_cheats + u64::from(result.cheat_favoured)) as f64,
            Self::SponsorHarm => {
                (result.sponsor_stalls + result.sponsor_blocks_lost + result.sponsor_falls) as f64
            }
            Self::UnfairSheds => result.unfair_sheds as f64,
            Self::Sheds => result.sheds as f64,
            Self::Prompts => result.prompts_by_crowd as f64,
            Self::CrowdShare => result.crowd_share,
            Self::Speed => result.speed(),
        }
    }

    /// Whether more of it is better.
    const fn more_is_better(self) -> bool {
        matches!(
            self,
            Self::SlotsOfCeiling | Self::Continuity | Self::Sheds | Self::Speed
        )
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LiveAfter => "s from the last fault until all are at the live edge",
            Self::AgreedAfter => "s from the last fault until all hang where the coordinator believes",
            Self::FullAfter => "s from the last fault until all have the full stream, where there is plenty",
            Self::SlotsOfCeiling => "of the ceiling's slots served",
            Self::DepthOfLeast => "times the least possible depth",
            Self::Control => "bit/s of control a viewer",
            Self::Continuity => "of the pictures played in time",
            Self::Startup => "ms of start-up (p95)",
            Self::Repair => "ms of repair (p95)",
            Self::KeptLow => "s with less than there is room for",
            Self::Refused => "viewers refused",
            Self::MovedAgain => "moves of viewers that had moved for the same newcomer",
            Self::Stalls => "stalls",
            Self::StallsSettled => "stalls of viewers that had watched for long",
            Self::StallsKept => "stalls of viewers that had watched for long and kept their quality",
            Self::Unnamed => "cheats that nobody named",
            Self::WronglyNamed => "members named who did no wrong",
            Self::StallsByCheats => "stalls of others since somebody cheated",
            Self::CheatsGain => "viewers still fed by a cheat, or its sponsor served first",
            Self::SponsorHarm => {
                "stalls, lost blocks and lost quality of a sponsor behind a relay with half the uplink"
            }
            Self::UnfairSheds => "seats taken back out of turn",
            Self::Sheds => "seats taken back",
            Self::Prompts => "prompts because of many keys of one address",
            Self::CrowdShare => "of what relays sent went to many keys of one address",
            Self::Speed => "times real time in one thread",
        })
    }
}

/// What follows when a promise is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The run has failed.
    Gate,
    /// The run's result says so: some seeds do not keep it yet.
    Told,
}

/// A promise: a figure's bound, in a scenario, with so many viewers.
#[derive(Clone, Debug)]
pub struct Promise {
    scenario: &'static str,
    viewers: RangeInclusive<usize>,
    figure: Figure,
    bound: f64,
    weight: Weight,
}

const fn promise(
    scenario: &'static str,
    viewers: RangeInclusive<usize>,
    figure: Figure,
    bound: f64,
    weight: Weight,
) -> Promise {
    Promise {
        scenario,
        viewers,
        figure,
        bound,
        weight,
    }
}

const ANY: RangeInclusive<usize> = 0..=usize::MAX;
const SMALL: RangeInclusive<usize> = 0..=60;
const MIDDLE: RangeInclusive<usize> = 61..=200;
const LARGE: RangeInclusive<usize> = 201..=400;

use Figure::{
    AgreedAfter, CheatsGain, Continuity, Control, CrowdShare, DepthOfLeast, FullAfter, KeptLow, LiveAfter,
    MovedAgain, Prompts, Refused, Repair, Sheds, SlotsOfCeiling, Speed, SponsorHarm, Stalls, StallsByCheats,
    StallsKept, StallsSettled, Startup, UnfairSheds, Unnamed, WronglyNamed,
};
use Weight::{Gate, Told};

/// All promises: the scenario, its viewers at the start, the figure, its bound, and whether a run fails by it.
/// A promise that all seeds of `--suite ci` keep is a gate.
#[rustfmt::skip]
const PROMISES: &[Promise] = &[
    promise("altering", ANY, LiveAfter, 10.0, Gate),
    promise("altering", ANY, Unnamed, 0.0, Gate),
    promise("altering", ANY, WronglyNamed, 0.0, Gate),
    promise("altering", ANY, StallsByCheats, 0.0, Gate),
    promise("altering", ANY, CheatsGain, 0.0, Gate),
    promise("altering", ANY, Refused, 0.0, Gate),
    promise("choosy", ANY, LiveAfter, 10.0, Gate),
    promise("choosy", ANY, Unnamed, 0.0, Gate),
    promise("choosy", ANY, WronglyNamed, 0.0, Gate),
    promise("choosy", ANY, StallsByCheats, 0.0, Told),
    promise("choosy", ANY, CheatsGain, 0.0, Gate),
    promise("choosy", ANY, Refused, 0.0, Gate),
    promise("feigning", ANY, LiveAfter, 10.0, Gate),
    promise("feigning", ANY, Unnamed, 0.0, Gate),
    promise("feigning", ANY, WronglyNamed, 0.0, Gate),
    promise("feigning", ANY, StallsByCheats, 0.0, Told),
    promise("feigning", ANY, CheatsGain, 0.0, Gate),
    promise("feigning", ANY, Refused, 0.0, Gate),
    promise("slander", ANY, LiveAfter, 10.0, Gate),
    promise("slander", ANY, Unnamed, 0.0, Gate),
    promise("slander", ANY, WronglyNamed, 0.0, Gate),
    promise("slander", ANY, StallsByCheats, 0.0, Gate),
    promise("slander", ANY, CheatsGain, 0.0, Gate),
    promise("slander", ANY, Refused, 0.0, Gate),
    promise("withholding", ANY, LiveAfter, 10.0, Gate),
    promise("withholding", ANY, Unnamed, 0.0, Gate),
    promise("withholding", ANY, WronglyNamed, 0.0, Gate),
    promise("withholding", ANY, StallsByCheats, 0.0, Gate),
    promise("withholding", ANY, CheatsGain, 0.0, Gate),
    promise("withholding", ANY, Refused, 0.0, Gate),
    promise("overload", ANY, LiveAfter, 10.0, Gate),
    promise("overload", ANY, SponsorHarm, 0.0, Gate),
    promise("overload", ANY, UnfairSheds, 0.0, Gate),
    promise("overload", ANY, Sheds, 1.0, Gate),
    promise("overload", ANY, Refused, 0.0, Gate),
    promise("crowded", ANY, LiveAfter, 10.0, Gate),
    promise("crowded", ANY, Prompts, 1.0, Gate),
    promise("crowded", ANY, CrowdShare, 0.1, Gate),
    promise("crowded", ANY, WronglyNamed, 0.0, Gate),
    promise("again",   ANY,    LiveAfter,      10.0,  Gate),
    promise("again",   ANY,    AgreedAfter,    30.0,  Gate),
    promise("again",   ANY,    FullAfter,      30.0,  Gate),
    promise("again",   ANY,    Refused,        0.0,   Gate),
    promise("again",   ANY,    Stalls,         0.0,   Told),
    promise("alone",   ANY,    LiveAfter,      10.0,  Gate),
    promise("alone",   ANY,    AgreedAfter,    30.0,  Gate),
    promise("alone",   ANY,    Refused,        0.0,   Gate),
    promise("alone",   ANY,    StallsKept,     0.0,   Told),
    promise("churn",   SMALL,  LiveAfter,      10.0,  Gate),
    promise("churn",   SMALL,  AgreedAfter,    30.0,  Told),
    promise("churn",   SMALL,  FullAfter,      30.0,  Told),
    promise("churn",   MIDDLE, LiveAfter,      10.0,  Gate),
    promise("churn",   MIDDLE, AgreedAfter,    30.0,  Told),
    promise("churn",   MIDDLE, FullAfter,      30.0,  Told),
    promise("churn",   LARGE,  LiveAfter,      10.0,  Gate),
    promise("churn",   LARGE,  AgreedAfter,    30.0,  Told),
    promise("churn",   LARGE,  FullAfter,      30.0,  Told),
    promise("churn",   ANY,    Control,        100.0, Told),
    promise("churn",   ANY,    DepthOfLeast,   1.5,   Told),
    promise("churn",   LARGE,  Speed,          25.0,  Told),
    promise("crashed", ANY,    LiveAfter,      10.0,  Gate),
    promise("crashed", ANY,    AgreedAfter,    30.0,  Gate),
    promise("crashed", ANY,    FullAfter,      30.0,  Gate),
    promise("crashed", ANY,    Refused,        0.0,   Gate),
    promise("crashed", ANY,    StallsSettled,  0.0,   Gate),
    promise("destroyed", ANY,  LiveAfter,      10.0,  Gate),
    promise("destroyed", ANY,  AgreedAfter,    30.0,  Gate),
    promise("destroyed", ANY,  FullAfter,      30.0,  Gate),
    promise("destroyed", ANY,  Refused,        0.0,   Gate),
    promise("destroyed", ANY,  KeptLow,        5.0,   Told),
    promise("exodus",  ANY,    LiveAfter,      10.0,  Gate),
    promise("exodus",  ANY,    AgreedAfter,    30.0,  Gate),
    promise("exodus",  ANY,    FullAfter,      30.0,  Gate),
    promise("exodus",  ANY,    KeptLow,        5.0,   Gate),
    promise("exodus",  ANY,    Refused,        0.0,   Gate),
    promise("flash",   ANY,    LiveAfter,      10.0,  Gate),
    promise("flash",   ANY,    Control,        100.0, Gate),
    promise("flash",   ANY,    AgreedAfter,    30.0,  Gate),
    promise("flash",   ANY,    FullAfter,      30.0,  Gate),
    promise("flash",   ANY,    DepthOfLeast,   1.5,   Told),
    promise("unnamed", ANY,    LiveAfter,      10.0,  Gate),
    promise("unnamed", ANY,    Refused,        0.0,   Gate),
    promise("unnamed", ANY,    Startup,        3000.0, Gate),
    promise("unnamed", ANY,    FullAfter,      30.0,  Gate),
    promise("unnamed", ANY,    Control,        100.0, Told),
    promise("unnamed", ANY,    Stalls,         0.0,   Told),
    promise("home",    ANY,    LiveAfter,      10.0,  Gate),
    promise("home",    ANY,    AgreedAfter,    30.0,  Gate),
    promise("home",    ANY,    FullAfter,      30.0,  Gate),
    promise("home",    ANY,    Continuity,     1.0,   Gate),
    promise("home",    ANY,    Startup,        1000.0, Gate),
    promise("killer",  SMALL,  LiveAfter,      10.0,  Gate),
    promise("killer",  SMALL,  AgreedAfter,    30.0,  Gate),
    promise("killer",  SMALL,  FullAfter,      30.0,  Gate),
    promise("killer",  MIDDLE, LiveAfter,      10.0,  Gate),
    promise("killer",  ANY,    Control,        100.0, Told),
    promise("killer",  MIDDLE, AgreedAfter,    30.0,  Told),
    promise("killer",  MIDDLE, FullAfter,      30.0,  Told),
    promise("killer",  ANY,    DepthOfLeast,   1.5,   Told),
    promise("killer",  SMALL,  Continuity,     0.999, Gate),
    promise("killer",  SMALL,  Repair,         700.0, Gate),
    promise("killer",  MIDDLE, Continuity,     0.999, Told),
    promise("killer",  MIDDLE, Repair,         700.0, Told),
    promise("large",   ANY,    LiveAfter,      10.0,  Told),
    promise("large",   ANY,    AgreedAfter,    30.0,  Told),
    promise("large",   ANY,    FullAfter,      30.0,  Told),
    promise("leases",  ANY,    LiveAfter,      10.0,  Told),
    promise("leases",  ANY,    Stalls,         0.0,   Told),
    promise("leases",  ANY,    StallsSettled,  0.0,   Gate),
    promise("leases",  ANY,    KeptLow,        5.0,   Told),
    promise("leases",  ANY,    Refused,        0.0,   Gate),
    promise("liars",   ANY,    LiveAfter,      10.0,  Gate),
    promise("liars",   ANY,    AgreedAfter,    30.0,  Gate),
    promise("liars",   ANY,    FullAfter,      30.0,  Gate),
    promise("newcomer", ANY,   LiveAfter,      10.0,  Gate),
    promise("newcomer", ANY,   AgreedAfter,    30.0,  Gate),
    promise("newcomer", ANY,   FullAfter,      30.0,  Gate),
    promise("newcomer", ANY,   Continuity,     1.0,   Gate),
    promise("newcomer", ANY,   MovedAgain,     0.0,   Gate),
    promise("restart", ANY,    LiveAfter,      10.0,  Gate),
    promise("restart", ANY,    AgreedAfter,    30.0,  Gate),
    promise("restart", ANY,    FullAfter,      30.0,  Gate),
    promise("scarce",  ANY,    LiveAfter,      10.0,  Gate),
    promise("scarce",  ANY,    AgreedAfter,    30.0,  Told),
    promise("scarce",  ANY,    FullAfter,      30.0,  Told),
    promise("scarce",  ANY,    SlotsOfCeiling, 0.92,  Gate),
    promise("scarce",  ANY,    DepthOfLeast,   1.5,   Gate),
    promise("scarce",  ANY,    KeptLow,        5.0,   Told),
    promise("scarce",  ANY,    Refused,        0.0,   Gate),
    promise("signed",  ANY,    LiveAfter,      10.0,  Gate),
    promise("signed",  ANY,    AgreedAfter,    30.0,  Gate),
    promise("signed",  ANY,    FullAfter,      30.0,  Gate),
    promise("sponsored", ANY,  LiveAfter,      10.0,  Gate),
    promise("sponsored", ANY,  AgreedAfter,    30.0,  Gate),
    promise("sponsored", ANY,  FullAfter,      30.0,  Gate),
    promise("sponsored", ANY,  KeptLow,        5.0,   Gate),
    promise("sponsored", ANY,  Refused,        0.0,   Gate),
    promise("sponsored", ANY,  Stalls,         0.0,   Gate),
    promise("sponsored", ANY,  Continuity,     1.0,   Gate),
    promise("twins",   ANY,    LiveAfter,      10.0,  Gate),
    promise("twins",   ANY,    AgreedAfter,    30.0,  Gate),
    promise("twins",   ANY,    FullAfter,      30.0,  Gate),
    promise("twins",   ANY,    Refused,        0.0,   Gate),
    promise("twins",   ANY,    Stalls,         0.0,   Told),
    promise("withdrawn", ANY,  LiveAfter,      10.0,  Gate),
    promise("withdrawn", ANY,  AgreedAfter,    30.0,  Gate),
    promise("withdrawn", ANY,  FullAfter,      30.0,  Gate),
    promise("withdrawn", ANY,  Refused,        0.0,   Gate),
    promise("withdrawn", ANY,  StallsSettled,  0.0,   Told),
];

/// A promise that a run did not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// What follows.
    pub weight: Weight,
    /// What it is, in a sentence.
    pub what: String,
}

/// The promises that a run of `scenario` with `viewers` at its start did not keep.
pub fn shortfalls(scenario: &str, viewers: usize, result: &SimResult) -> Vec<Shortfall> {
    let ours = PROMISES
        .iter()
        .filter(|promise| promise.scenario == scenario && promise.viewers.contains(&viewers));
    ours.filter_map(|promise| promise.judge(result)).collect()
}

impl Promise {
    fn judge(&self, result: &SimResult) -> Option<Shortfall> {
        let value = self.figure.of(result);
        let (kept, words) = if self.figure.more_is_better() {
            (value >= self.bound, "at least")
        } else {
            (value <= self.bound, "at most")
        };
        let (figure, bound) = (self.figure, self.bound);
        (!kept).then(|| Shortfall {
            weight: self.weight,
            what: format!("{value:.3} {figure}, and {words} {bound} is promised"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::NAMES;

    #[test]
    fn a_bound_is_kept_from_its_own_side() {
        let result = SimResult {
            live_after_s: 11.0,
            continuity: 0.9,
            ..SimResult::default()
        };
        let of = |figure, bound| promise("churn", ANY, figure, bound, Gate).judge(&result);
        assert_eq!(of(LiveAfter, 11.0), None);
        assert_eq!(of(Continuity, 0.9), None);
        assert!(of(Continuity, 0.91).is_some());
        let what = of(LiveAfter, 10.0).map(|shortfall| shortfall.what);
        assert_eq!(
            what.as_deref(),
            Some("11.000 s from the last fault until all are at the live edge, and at most 10 is promised")
        );
    }

    #[test]
    fn promises_are_of_our_own_scenarios_and_said_once() {
        for (at, one) in PROMISES.iter().enumerate() {
            assert!(NAMES.contains(&one.scenario), "{}", one.scenario);
            for other in &PROMISES[..at] {
                let apart =
                    one.viewers.start() > other.viewers.end() || one.viewers.end() < other.viewers.start();
                let same = (one.scenario, one.figure) == (other.scenario, other.figure);
                assert!(!same || apart, "{one:?} is said twice");
            }
        }
        assert!(
            NAMES
                .iter()
                .all(|name| PROMISES.iter().any(|one| one.scenario == *name))
        );
    }
}
