//! A case: a scenario, its size and a seed; run and judged.

use crate::args::Args;
use crate::promise::{self, Shortfall, Weight};
use crate::scenario::{Scenario, ScenarioError};
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
    /// What is wrong with it, each in a sentence: the run has failed.
    pub complaints: Vec<String>,
    /// What is promised and not kept yet, each in a sentence: the run has not failed by that.
    pub told: Vec<String>,
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
                ledger: args.ledger,
                room: args.room,
                late: args.late,
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
        let mut verdict = Verdict {
            result: outcome.result,
            complaints: outcome.broken.iter().map(ToString::to_string).collect(),
            told: outcome.unsettled,
        };
        if verdict.complaints.is_empty() {
            verdict.judge(&self.scenario, scenario.viewers);
        }
        Ok(verdict)
    }

    fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario::load(&self.scenario)?;
        if let Some(viewers) = self.viewers {
            scenario.viewers = viewers;
        }
        if let Some(minutes) = self.minutes {
            scenario.last(minutes);
        }
        Ok(scenario)
    }
}

impl Verdict {
    /// Holds a run to what is promised of it.
    fn judge(&mut self, scenario: &str, viewers: usize) {
        for Shortfall { weight, what } in promise::shortfalls(scenario, viewers, &self.result) {
            match weight {
                Weight::Gate => self.complaints.push(what),
                Weight::Told => self.told.push(what),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_shorter_than_its_quiet_time_comes_to_its_end() {
        let case = Case {
            scenario: "churn".into(),
            viewers: Some(3),
            minutes: Some(0.5),
            seed: 1,
            look: Look::default(),
        };
        let verdict = case.run().unwrap();
        assert_eq!((verdict.result.sim_s, verdict.complaints), (30.0, vec![]));
    }

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
