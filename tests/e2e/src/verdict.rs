//! What a scenario promised and what came: every broken promise is told, not only the first, and every figure is kept.

use crate::percentile::percentile;
use crate::scene::is_long;
use crate::stage::build_folder;
use anyhow::{Result, bail};
use std::fmt::Display;
use std::fs::File;
use std::io::Write;

/// Collects the outcome of one scenario.
pub struct Verdict {
    scenario: String,
    broken: Vec<String>,
}

impl Verdict {
    /// For the scenario of that name.
    pub fn of(scenario: &str) -> Self {
        Self {
            scenario: scenario.into(),
            broken: Vec::new(),
        }
    }

    /// Notes `complaint` unless `holds`.
    pub fn expect(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(complaint());
        }
    }

    /// Tells `complaint` unless `holds`, where SPECIFICATION.md says that the promise is not kept yet: the long form fails by it, the
    /// short form does not.
    pub fn wish(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds && !is_long() {
            println!("{:<10} FALLS SHORT: {}", self.scenario, complaint());
        } else {
            self.expect(holds, complaint);
        }
    }

    /// Notes what went wrong, if it did.
    pub fn check<T>(&mut self, result: Result<T>) -> Option<T> {
        result
            .inspect_err(|error| self.broken.push(format!("{error:#}")))
            .ok()
    }

    /// Keeps a figure, and promises that it is not above `most`.
    pub fn at_most<N: PartialOrd + Display>(&mut self, what: &str, value: N, most: N) {
        self.keep(what, &value, &format!("at most {most}"));
        self.expect(value <= most, || {
            format!("{what} is {value}, at most {most} is promised")
        });
    }

    /// Keeps a figure, and wishes that it is not above `most`; see [`wish`](Self::wish).
    pub fn wish_at_most<N: PartialOrd + Display>(&mut self, what: &str, value: N, most: N) {
        self.keep(what, &value, &format!("at most {most}"));
        self.wish(value <= most, || {
            format!("{what} is {value}, at most {most} is promised")
        });
    }

    /// Keeps the 95th percentile of `values` as a figure, and notes a complaint if it is above `most`, or if there is none.
    pub fn p95_at_most(&mut self, what: &str, values: &[u64], most: u64) {
        match percentile(values, 95) {
            Some(p95) => self.at_most(&format!("{what} p95 of {}", values.len()), p95, most),
            None => self.broken.push(format!("{what}: nothing was measured")),
        }
    }

    /// Keeps a figure that nothing was promised about.
    pub fn note(&self, what: &str, value: impl Display) {
        self.keep(what, &value, "");
    }

    /// Succeeds if every promise was held; else the error lists those that were not.
    pub fn close(self) -> Result<()> {
        if self.broken.is_empty() {
            return Ok(());
        }
        bail!(
            "{}: {} promises broken\n  - {}",
            self.scenario,
            self.broken.len(),
            self.broken.join("\n  - ")
        )
    }

    fn keep(&self, what: &str, value: &dyn Display, promise: &str) {
        let line = format!("{:<10} {what}: {value} {promise}", self.scenario);
        println!("{line}");
        let kept = build_folder().map(|folder| folder.join("e2e/figures.txt"));
        let kept = kept.and_then(|path| Ok(File::options().create(true).append(true).open(path)?));
        if let Ok(mut file) = kept {
            // Figures are for people: they are on standard output too.
            let _ = writeln!(file, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_promise_is_told() {
        let mut verdict = Verdict::of("test");
        verdict.expect(false, || "first".into());
        verdict.check(Err::<(), _>(anyhow::anyhow!("second")));
        verdict.at_most("third", 2, 2);
        verdict.p95_at_most("fourth", &[], 2);
        let error = verdict.close().unwrap_err().to_string();
        assert!(
            error.contains("3 promises") && error.contains("first") && error.contains("second"),
            "{error}"
        );
        assert!(Verdict::of("test").close().is_ok());
    }
}
