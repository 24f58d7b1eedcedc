//! What a ledger's entries amount to.

use super::entry::{Entry, Token};
use crate::money::Usd;
use crate::process::Mark;
use crate::provider::Kind;
use crate::region::Region;
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// All leases of this installation, with what was done for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    leases: BTreeMap<LeaseId, Account>,
    /// Images of ours that were made here and not dropped here, and where they are.
    images: BTreeMap<String, Region>,
}

/// One lease: one yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The lease as it is now.
    pub lease: Lease,
    /// The requests made for it, in order. At most one of them is [open](State::is_open) unless something failed.
    pub attempts: Vec<Attempt>,
}

/// One request for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it was announced.
    pub at: Utc,
    /// Who was asked.
    pub provider: Kind,
    /// Where.
    pub region: Option<Region>,
    /// In which zone.
    pub zone: String,
    /// For which type.
    pub kind: String,
    /// Its token.
    pub token: Token,
    /// The digest of everything else in it.
    pub hash: String,
    /// What the machine costs an hour.
    pub hourly: Usd,
    /// What a gigabyte costs.
    pub egress_gb: Usd,
    /// The process that asked.
    pub by: Mark,
    /// What came of it.
    pub state: State,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody knows: it may have made a machine.
    Asked,
    /// It made none.
    Refused,
    /// It made a machine.
    Alive {
        /// Which.
        handle: String,
        /// Where it listens, once that was told to whoever asked.
        address: Option<SocketAddr>,
    },
    /// Its machine has ended.
    Ended {
        /// Which.
        handle: String,
        /// When that was written down.
        at: Utc,
    },
}

impl State {
    /// Whether a machine may be running because of it.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Asked | Self::Alive { .. })
    }
}

impl Book {
    pub(super) fn of(entries: impl Iterator<Item = (Utc, Entry)>) -> Self {
        let mut book = Self::default();
        for (at, entry) in entries {
            book.take(at, entry);
        }
        book
    }

    /// A lease's account.
    pub fn account(&self, lease: LeaseId) -> Option<&Account> {
        self.leases.get(&lease)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.leases.values()
    }

    /// The regions in which images of ours were left.
    pub fn image_regions(&self) -> BTreeSet<Region> {
        self.images.values().cloned().collect()
    }

    /// The regions in which a machine was ever asked of `provider`.
    pub fn regions(&self, provider: Kind) -> BTreeSet<Region> {
        let attempts = self.accounts().flat_map(|account| &account.attempts);
        let asked = attempts.filter(|attempt| attempt.provider == provider);
        asked.filter_map(|attempt| attempt.region.clone()).collect()
    }

    fn take(&mut self, at: Utc, entry: Entry) {
        match entry {
            Entry::Install { .. } => {}
            Entry::Image { region, image, .. } => drop(self.images.insert(image, region)),
            Entry::ImageDropped { image } => drop(self.images.remove(&image)),
            Entry::Attempt {
                lease,
                provider,
                region,
                zone,
                kind,
                token,
                hash,
                hourly,
                egress_gb,
                by,
            } => self.attempt(
                lease,
                Attempt {
                    at,
                    provider,
                    region,
                    zone,
                    kind,
                    token,
                    hash,
                    hourly,
                    egress_gb,
                    by,
                    state: State::Asked,
                },
            ),
            Entry::Refused { lease, token, .. } => self.set(lease, |attempt| {
                (attempt.token == token && attempt.state == State::Asked).then_some(State::Refused)
            }),
            Entry::Alive { lease, token, handle } => self.set(lease, |attempt| {
                let address = None;
                (attempt.token == token).then(|| State::Alive {
                    handle: handle.clone(),
                    address,
                })
            }),
            Entry::Ready {
                lease,
                handle,
                address,
            } => self.set(lease, |attempt| {
                attempt.is(&handle).then(|| State::Alive {
                    handle: handle.clone(),
                    address: Some(address),
                })
            }),
            Entry::Renewed { lease } => {
                if let Some(account) = self.leases.get_mut(&lease.id) {
                    account.lease = lease;
                }
            }
            Entry::Ended { lease, handle, .. } => self.set(lease, |attempt| {
                attempt.is(&handle).then(|| State::Ended {
                    handle: handle.clone(),
                    at,
                })
            }),
        }
    }

    fn attempt(&mut self, lease: Lease, attempt: Attempt) {
        let fresh = || Account {
            lease,
            attempts: Vec::new(),
        };
        let account = self.leases.entry(lease.id).or_insert_with(fresh);
        // The same token means the same request: a process that takes over asks again.
        account.attempts.retain(|earlier| earlier.token != attempt.token);
        account.attempts.push(attempt);
    }

    /// Sets the state of the newest attempt for which `state` gives one.
    fn set(&mut self, lease: LeaseId, state: impl Fn(&Attempt) -> Option<State>) {
        let account = self.leases.get_mut(&lease);
        let attempts = account
            .into_iter()
            .flat_map(|account| account.attempts.iter_mut().rev());
        for attempt in attempts {
            if let Some(state) = state(attempt) {
                attempt.state = state;
                return;
            }
        }
    }
}

impl Attempt {
    /// Whether it made this machine, as far as is known.
    pub fn is(&self, of: &str) -> bool {
        matches!(&self.state, State::Alive { handle, .. } | State::Ended { handle, .. } if handle == of)
    }
}

impl Account {
    /// The newest request that may have a machine running.
    pub fn open(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.state.is_open())
    }
}
