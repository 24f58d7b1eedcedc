//! Which of the machines that are there should not be.

use crate::ledger::{Attempt, Book, InstallId, State};
use crate::provider::{Found, Life};
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::LeaseId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// A relay drains and powers its machine off by itself when its lease ends; this long is its own affair.
const GRACE: Duration = Duration::from_secs(60);

/// A machine whose tags name no lease ends itself after this; here it is ended if it did not.
const NO_LEASE_GRACE: Duration = Duration::from_secs(600);

/// Whether a machine may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does what it was launched for, as far as can be seen from here.
    Keep,
    /// Its lease is over.
    PastLease,
    /// Its tags name no lease.
    NoLease,
    /// It does not run, and would again if somebody started it.
    Stopped,
    /// The process that launched it is gone, and nobody was told its address.
    Abandoned,
    /// The request that made it was given up.
    Late,
    /// It was ended once already, or there is another for the same lease.
    Surplus,
}

impl fmt::Display for Verdict {
    /// The rest of a sentence that begins with “ended, because”.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "it was asked for",
            Self::PastLease => "its lease is over",
            Self::NoLease => "it has no lease that could be read",
            Self::Stopped => "it was stopped",
            Self::Abandoned => "the program that launched it is gone",
            Self::Late => "it came after it had been given up",
            Self::Surplus => "there is another for the same lease",
        })
    }
}

/// What is known when machines are judged.
pub struct Bench<'a> {
    /// The ledger's content, read after the machines were listed.
    pub book: &'a Book,
    /// This installation: the ledger says nothing of other ones' machines.
    pub install: InstallId,
    /// Leases for which a launch is under way in this process: it sees to them.
    pub busy: &'a BTreeSet<LeaseId>,
    /// The time.
    pub now: Utc,
}

impl Bench<'_> {
    /// Whether the machine may stay.
    pub fn judge(&self, found: &Found) -> Verdict {
        let (Some(lease), Some(tagged_end)) = (found.lease, found.ends) else {
            let young = self.now.since(found.launched) < NO_LEASE_GRACE;
            return if young { Verdict::Keep } else { Verdict::NoLease };
        };
        let own = found.install == Some(self.install);
        let account = self.book.account(lease).filter(|_| own);
        let ends = account.map_or(tagged_end, |account| account.lease.ends.max(tagged_end));
        if ends.after(GRACE) <= self.now {
            return Verdict::PastLease;
        }
        if found.state == Life::Stopped {
            return Verdict::Stopped;
        }
        if self.busy.contains(&lease) {
            return Verdict::Keep;
        }
        account.map_or(Verdict::Keep, |account| judge_own(found, &account.attempts))
    }
}

/// A machine of a lease that the ledger knows.
fn judge_own(found: &Found, attempts: &[Attempt]) -> Verdict {
    let made_it =
        |attempt: &&Attempt| attempt.is(&found.handle) || found.token.as_ref() == Some(&attempt.token);
    let other_lives = attempts.iter().any(|attempt| {
        let alive = matches!(&attempt.state, State::Alive { address: Some(_), .. });
        alive && !attempt.is(&found.handle)
    });
    if other_lives {
        return Verdict::Surplus;
    }
    // A token may have been used again after it was refused; the newest use counts.
    match attempts.iter().rev().find(made_it) {
        None => Verdict::Surplus,
        Some(attempt) => match &attempt.state {
            State::Alive { address: Some(_), .. } => Verdict::Keep,
            State::Asked | State::Alive { address: None, .. } if attempt.by.is_alive() => Verdict::Keep,
            State::Asked | State::Alive { address: None, .. } => Verdict::Abandoned,
            State::Refused => Verdict::Late,
            State::Ended { .. } => Verdict::Surplus,
        },
    }
}

#[cfg(test)]
mod tests;
