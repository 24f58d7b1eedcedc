//! How the cloud fails, in words for a viewer.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why the cloud did not do what was asked: one sentence, what to do about it, and what may be running because of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub why: Why,
    /// What happened and what to do, on one line.
    pub sentence: String,
    /// Machines that may be running all the same, as `banyan relays list` names them. Empty: nothing runs.
    pub may_run: Vec<String>,
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// There are no credentials.
    NoCredentials,
    /// They were good once.
    Expired,
    /// The provider does not know them.
    WrongCredentials,
    /// They do not allow it.
    Unauthorized,
    /// The account cannot be used yet, or not in this region.
    Account,
    /// The account has no network to start a machine in.
    NoNetwork,
    /// The account may not run more machines.
    Quota,
    /// The provider has no free machine of any type that would do.
    Capacity,
    /// The provider asked to be left alone for too long.
    Throttled,
    /// This machine's clock is wrong.
    Clock,
    /// The provider does not answer.
    Unreachable,
    /// It is not known whether a machine was started.
    Unsure,
    /// The money does not last.
    Budget,
    /// Nobody knows what it would cost.
    Price,
    /// There is nothing to boot from.
    Image,
    /// The boot data do not fit, or are damaged.
    BootData,
    /// The machine went away while it booted.
    Vanished,
    /// It did not get ready in time.
    Deadline,
    /// Nobody wants it any more.
    Cancelled,
    /// The provider refused for a reason that has no kind of its own.
    Refused,
    /// There is no such relay.
    NoRelay,
    /// The relay's program cannot be started.
    Program,
    /// The ledger cannot be written; nothing is launched without it.
    Ledger,
    /// The cloud child process failed.
    Child,
}

impl Failure {
    /// A failure that leaves nothing running.
    pub fn new(why: Why, sentence: impl Into<String>) -> Self {
        let sentence = one_line(&sentence.into());
        Self {
            why,
            sentence,
            may_run: Vec::new(),
        }
    }

    /// The same, with what may be running.
    pub fn leaving(mut self, machines: impl IntoIterator<Item = String>) -> Self {
        self.may_run.extend(machines);
        self
    }
}

/// Providers' words may have several lines, and be long.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(SENTENCE_MAX).collect()
}

/// Longer than any sentence of ours; a provider's encoded messages can have thousands of letters.
const SENTENCE_MAX: usize = 600;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        if !self.may_run.is_empty() {
            write!(
                f,
                "; this may be running: {} (banyan relays sweep ends it)",
                self.may_run.join(", ")
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_that_says_what_may_run() {
        let failure = Failure::new(Why::Unsure, "EC2 does\nnot   answer");
        assert_eq!(failure.to_string(), "EC2 does not answer");
        let failure = failure.leaving(["i-1 in eu-west-1".to_owned()]);
        assert_eq!(
            failure.to_string(),
            "EC2 does not answer; this may be running: i-1 in eu-west-1 (banyan relays sweep ends it)"
        );
        assert!(Failure::new(Why::Refused, "x".repeat(9999)).sentence.len() <= SENTENCE_MAX);
    }
}
