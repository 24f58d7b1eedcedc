//! What runs in this person's name, and what it costs.

use banyan::notice::Sponsored;
use banyan_protocol::io::RelayState;

/// What is known of relays that run, whoever started them.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Relays {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// It is being looked for.
    Looking,
    /// What was found.
    Found {
        /// What runs.
        relays: Vec<Found>,
        /// Why there may be more: what could not be looked at, a sentence each.
        unseen: Vec<String>,
    },
    /// It could not be looked for: why, and what to do.
    Failed(String),
}

/// A relay that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its lease, by which it is ended; its machine's handle where the machine's tags name none.
    pub lease: String,
    /// Whose machine it is and where, in words.
    pub place: String,
    /// Minutes that are left; none: it is past its lease.
    pub minutes_left: Option<u64>,
    /// What it has cost so far, in US dollars.
    pub spent_usd: Option<f64>,
    /// Why it should be ended, if it should.
    pub orphaned: Option<String>,
}

impl Relays {
    /// Takes in what a look showed. What was found stays in sight while it is looked at anew.
    pub(super) fn take(&mut self, seen: Self) {
        if !matches!((&self, &seen), (Self::Found { .. }, Self::Looking)) {
            *self = seen;
        }
    }

    /// Whether there is something that may change by itself.
    pub fn change(&self) -> bool {
        match self {
            Self::Found { relays, unseen } => !relays.is_empty() || !unseen.is_empty(),
            Self::Unknown | Self::Looking | Self::Failed(_) => false,
        }
    }

    /// Takes out those that have ended since.
    pub(super) fn forget_ended(&mut self, own: &[Sponsored]) {
        let ended = |found: &Found| {
            let is_it = |relay: &&Sponsored| relay.relay == found.lease;
            let known = own.iter().find(is_it);
            known.is_some_and(|relay| relay.state == RelayState::Ended)
        };
        if let Self::Found { relays, .. } = self {
            relays.retain(|found| !ended(found));
        }
    }

    /// Those that nobody commands any more or that are past their lease.
    pub fn orphans(&self) -> usize {
        match self {
            Self::Found { relays, .. } => relays.iter().filter(|relay| relay.orphaned.is_some()).count(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn what_was_found_stays_in_sight_while_it_is_looked_at_anew() {
        let mut relays = samples::sponsoring().relays;
        let before = relays.clone();
        relays.take(Relays::Looking);
        assert!(relays == before && relays.change());
        relays.take(Relays::Failed("no network".into()));
        assert_eq!(relays, Relays::Failed("no network".into()));
        relays.take(Relays::Looking);
        assert_eq!(relays, Relays::Looking);
    }
}
