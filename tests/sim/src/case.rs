//! A case: a scenario, its size and a seed; run and judged.

use crate::args::Args;
use crate::scenario::{Expect, Scenario, ScenarioError};
use crate::score::SimResult;
use crate::show::{Look, Show};
use std::fmt;

/// What can be run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// One of our scenarios, or a file.
    pub scenario: String,
    /// Viewers at the start, if not the scenario's.
    pub viewers: Option<usize>,
    /// Simulated minutes, if not the scenario's.
    pub minutes: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// What is printed while it runs.
    pub look: Look,
}

/// How a case ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What came of it, up to where it broke.
    pub result: SimResult,
    /// What is wrong with it, each in a sentence.
    pub complaints: Vec<String>,
}

impl fmt::Display for Case {
    /// The command that runs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "banyan-sim --scenario {} --seed {}", self.scenario, self.seed)?;
        if let Some(viewers) = self.viewers {
            write!(f, " --viewers {viewers}")?;
        }
        if let Some(minutes) = self.minutes {
            write!(f, " --minutes {minutes}")?;
        }
        Ok(())
    }
}

impl Case {
    /// The case that a command line asks for.
    pub fn of(args: &Args) -> Self {
        Self {
            scenario: args.scenario.clone(),
            viewers: args.viewers,
            minutes: args.minutes,
            seed: args.seed,
            look: Look {
                follow: args.follow,
                pulse: args.pulse,
            },
        }
    }

    /// Runs it to its end, or to the first thing that is broken.
    ///
    /// # Errors
    /// If there is no such scenario.
    pub fn run(&self) -> Result<Verdict, ScenarioError> {
        let scenario = self.scenario()?;
        let outcome = Show::run(&scenario, self.seed, self.look);
        let mut complaints: Vec<String> = outcome.broken.iter().map(ToString::to_string).collect();
        if complaints.is_empty() {
            complaints.extend(complaints_about(&outcome.result, &scenario.expect));
        }
        Ok(Verdict {
            result: outcome.result,
            complaints,
        })
    }

    fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario::load(&self.scenario)?;
        if let Some(viewers) = self.viewers {
            scenario.viewers = viewers;
        }
        if let Some(minutes) = self.minutes {
            scenario.minutes = minutes;
        }
        Ok(scenario)
    }
}

/// What falls short of what the scenario expects.
fn complaints_about(result: &SimResult, expect: &Expect) -> Vec<String> {
    let slots = result.slots_served / result.slots_ceiling.max(1.0);
    let depth = result.depth_mean / result.depth_least.max(1.0);
    let least = [
        ("served slots over the ceiling", slots, expect.slots_of_ceiling),
        ("continuity", result.continuity, expect.continuity),
    ];
    let most = [
        ("mean depth over the least", depth, expect.depth_of_least),
        (
            "control bit/s a viewer",
            result.control_bps_per_viewer,
            expect.control_bps,
        ),
        (
            "start-up ms (p95)",
            result.startup_ms_p95 as f64,
            expect.startup_ms_p95,
        ),
        (
            "repair ms (p95)",
            result.repair_ms_p95 as f64,
            expect.repair_ms_p95,
        ),
    ];
    let too_little = least.into_iter().filter_map(|(name, value, bound)| {
        let bound = bound.filter(|bound| value < *bound)?;
        Some(format!("{name}: {value:.4}, and at least {bound} is promised"))
    });
    let too_much = most.into_iter().filter_map(|(name, value, bound)| {
        let bound = bound.filter(|bound| value > *bound)?;
        Some(format!("{name}: {value:.4}, and at most {bound} is promised"))
    });
    too_little.chain(too_much).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_names_the_command_that_runs_it() {
        let case = Case {
            scenario: "churn".into(),
            viewers: Some(100),
            minutes: Some(2.5),
            seed: 9,
            look: Look::default(),
        };
        assert_eq!(
            case.to_string(),
            "banyan-sim --scenario churn --seed 9 --viewers 100 --minutes 2.5"
        );
    }
}
