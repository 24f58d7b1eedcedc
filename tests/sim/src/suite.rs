//! The suite that CI runs: many seeds on all cores, a table, and one answer.

use crate::case::{Case, Verdict};
use crate::scenario::ScenarioError;
use crate::show::Look;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    /// All that is promised: 200 seeds of five minutes, 20 of them twice, five thousand viewers once.
    Ci,
    /// The same without the five thousand viewers.
    Seeds,
    /// A tenth of it.
    Quick,
    /// How fast it goes: three seeds of each size, one after the other in one thread.
    Speed,
}

impl Size {
    /// How many of a batch's runs it takes.
    const fn share(self, runs: u64) -> u64 {
        match self {
            Self::Ci | Self::Seeds => runs,
            Self::Quick | Self::Speed => runs.div_ceil(10),
        }
    }

    const fn batches(self) -> &'static [Batch] {
        match self {
            Self::Ci => &BATCHES,
            // All but the large one.
            Self::Seeds | Self::Quick => BATCHES.split_at(1).1,
            Self::Speed => &SPEED,
        }
    }

    fn threads(self) -> usize {
        match self {
            Self::Ci | Self::Seeds | Self::Quick => thread::available_parallelism().map_or(1, usize::from),
            Self::Speed => 1,
        }
    }
}

/// Seeds of one kind.
struct Batch {
    scenario: &'static str,
    viewers: Option<usize>,
    seeds: u64,
    twice: u64,
}

const fn batch(scenario: &'static str, viewers: Option<usize>, seeds: u64, twice: u64) -> Batch {
    Batch {
        scenario,
        viewers,
        seeds,
        twice,
    }
}

/// Of 300, 100 and 30 viewers 10, 40 and 150 seeds, 20 of them twice, and beside them those of a scenario's own size. The
/// longest runs come first, so that no core is left with one at the end.
const BATCHES: [Batch; 30] = [
    batch("large", None, 1, 0),
    batch("churn", Some(300), 10, 2),
    batch("churn", Some(100), 20, 4),
    batch("scarce", Some(100), 10, 0),
    batch("killer", Some(100), 10, 0),
    batch("signed", None, 4, 0),
    batch("flash", None, 5, 0),
    batch("unnamed", None, 10, 0),
    batch("home", None, 10, 0),
    batch("churn", Some(30), 110, 10),
    batch("scarce", Some(30), 20, 2),
    batch("killer", Some(30), 20, 2),
    batch("liars", None, 8, 0),
    batch("restart", None, 8, 0),
    batch("newcomer", None, 20, 0),
    batch("sponsored", None, 10, 0),
    batch("destroyed", None, 10, 0),
    batch("alone", None, 10, 0),
    batch("crashed", None, 10, 0),
    batch("withdrawn", None, 10, 0),
    batch("leases", None, 10, 0),
    batch("twins", None, 10, 0),
    batch("again", None, 10, 0),
    batch("overload", None, 10, 0),
    batch("altering", None, 10, 0),
    batch("withholding", None, 10, 0),
    batch("feigning", None, 10, 0),
    batch("choosy", None, 10, 0),
    batch("slander", None, 10, 0),
    batch("crowded", None, 10, 0),
];

const SPEED: [Batch; 3] = [
    batch("churn", Some(300), 30, 0),
    batch("churn", Some(100), 30, 0),
    batch("churn", Some(30), 30, 0),
];

/// A case, and how often it is run.
struct Job {
    case: Case,
    twice: bool,
}

fn jobs(size: Size) -> Vec<Job> {
    let mut jobs = Vec::new();
    for batch in size.batches() {
        for seed in 1..=size.share(batch.seeds) {
            let (scenario, viewers) = (batch.scenario.into(), batch.viewers);
            let case = Case {
                scenario,
                viewers,
                minutes: None,
                seed,
                look: Look::default(),
            };
            jobs.push(Job {
                case,
                twice: seed <= size.share(batch.twice),
            });
        }
    }
    jobs
}

/// Runs the suite and prints what came of it; whether nothing was broken.
///
/// # Errors
/// If a scenario is missing.
pub fn run(size: Size) -> Result<bool, ScenarioError> {
    let began = Instant::now();
    let jobs = jobs(size);
    let verdicts = run_all(&jobs, size.threads())?;
    let mut table = BTreeMap::<String, Row>::new();
    let mut failed = 0;
    for (job, verdict) in jobs.iter().zip(&verdicts) {
        let viewers = job
            .case
            .viewers
            .map_or(String::new(), |viewers| format!(" {viewers}"));
        table
            .entry(format!("{}{viewers}", job.case.scenario))
            .or_default()
            .add(verdict);
        failed += usize::from(!verdict.complaints.is_empty());
        for complaint in &verdict.complaints {
            println!("{}\n    {complaint}", job.case);
        }
    }
    println!("{HEAD}");
    for (name, row) in &table {
        println!("{name:<12}{row}");
    }
    let (runs, seconds) = (jobs.len(), began.elapsed().as_secs_f64());
    match failed {
        0 => println!("{runs} runs in {seconds:.0} s: all is well"),
        _ => println!(
            "{runs} runs in {seconds:.0} s: {failed} of them FAILED, by what is said above the table"
        ),
    }
    Ok(failed == 0)
}

fn run_all(jobs: &[Job], threads: usize) -> Result<Vec<Verdict>, ScenarioError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else { break };
                    let verdict = run_job(job);
                    done.lock()
                        .expect("no thread panics with it")
                        .insert(place, verdict);
                }
            });
        }
    });
    done.into_inner()
        .expect("no thread panics with it")
        .into_values()
        .collect()
}

fn run_job(job: &Job) -> Result<Verdict, ScenarioError> {
    let mut verdict = job.case.run()?;
    if job.twice {
        let again = job.case.run()?;
        if again.result.trace_hash != verdict.result.trace_hash {
            verdict.complaints.push("run twice, it leaves two traces".into());
        }
    }
    Ok(verdict)
}

/// `bad` runs failed; `short` ones only fell short of what is not a gate yet. Figures are the worst of all runs, times sums.
const HEAD: &str = "scenario    runs bad short  live  slots% depth/least startup continuity stalls repair control copies speed cpu s";

/// A line of the table: sums and worst cases of a batch.
#[derive(Default)]
struct Row {
    runs: usize,
    bad: usize,
    short: usize,
    live: f64,
    slots: f64,
    depth: f64,
    startup: u64,
    continuity: f64,
    stalls: u64,
    repair: u64,
    control: f64,
    copies: f64,
    speed: f64,
    cpu_ms: u64,
}

impl Row {
    fn add(&mut self, verdict: &Verdict) {
        let first = self.runs == 0;
        self.runs += 1;
        self.bad += usize::from(!verdict.complaints.is_empty());
        self.short += usize::from(!verdict.told.is_empty());
        let result = &verdict.result;
        let least = |old: f64, new: f64| if first { new } else { old.min(new) };
        self.live = self.live.max(result.live_after_s);
        self.slots = least(self.slots, result.slots_of_ceiling());
        self.depth = self.depth.max(result.depth_of_least());
        self.startup = self.startup.max(result.startup_ms_p95);
        self.continuity = least(self.continuity, result.continuity);
        self.stalls += result.stalls;
        self.repair = self.repair.max(result.repair_ms_p95);
        self.control = self.control.max(result.control_bps_per_viewer);
        self.copies = self.copies.max(result.source_copies_max);
        self.speed = least(self.speed, result.speed());
        self.cpu_ms += result.cpu_ms;
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:4} {:3} {:5} {:5.0} {:7.1} {:11.2} {:7} {:10.5} {:6} {:6} {:7.0} {:6.2} {:5.0} {:5.0}",
            self.runs,
            self.bad,
            self.short,
            self.live,
            self.slots * 100.0,
            self.depth,
            self.startup,
            self.continuity,
            self.stalls,
            self.repair,
            self.control,
            self.copies,
            self.speed,
            self.cpu_ms as f64 / 1000.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_is_as_large_as_promised() {
        let seeds = |size: usize| -> u64 {
            let ours = BATCHES.iter().filter(|batch| batch.viewers == Some(size));
            ours.map(|batch| batch.seeds).sum()
        };
        assert_eq!([seeds(30), seeds(100), seeds(300)], [150, 40, 10]);
        assert_eq!(BATCHES.iter().map(|batch| batch.twice).sum::<u64>(), 20);
        assert_eq!(jobs(Size::Speed).len(), 9);
    }
}
