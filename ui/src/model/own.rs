//! This person's relays for the channel that is watched, and what becomes of them when this person leaves.

use super::{Command, Model, RelayOrder};
use banyan::notice::Sponsored;
use banyan_cloud::provider::Kind;
use banyan_protocol::io::RelayState;

/// What this person is about to leave while a relay of theirs runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The channel.
    Channel,
    /// The program.
    Program,
}

impl Leaving {
    /// What does it.
    fn command(self) -> Command {
        match self {
            Self::Channel => Command::Leave,
            Self::Program => Command::Quit,
        }
    }
}

impl Model {
    /// Relays of this person's that have not ended.
    pub fn own_relays(&self) -> impl Iterator<Item = &Sponsored> {
        let watching = self.watching.iter();
        let relays = watching.flat_map(|watching| &watching.snapshot.relays);
        relays.filter(|relay| relay.state != RelayState::Ended)
    }

    /// Leaves at once if no relay of this person's runs; else asks first what is to become of it.
    pub fn leave(&mut self, what: Leaving, out: &mut Vec<Command>) {
        if self.closing.is_some() {
            // Everything is being left.
        } else if self.own_relays().next().is_some() {
            self.leaving = Some(what);
        } else {
            out.push(what.command());
        }
    }

    /// Leaves what was asked about; the relays run on to the end of their leases, or hand over and end.
    pub fn leave_relays(&mut self, run_on: bool, out: &mut Vec<Command>) {
        if let Some(what) = self.leaving.take() {
            out.extend([Command::RunOn(run_on), what.command()]);
        }
    }

    /// Minutes that are left of a relay's lease.
    pub fn minutes_left(&self, relay: &Sponsored) -> u64 {
        relay.ends_at.saturating_sub(self.now_s).div_ceil(60)
    }
}

/// Where a relay runs, in words.
pub fn place(relay: &Sponsored) -> String {
    match (relay.provider, &relay.region) {
        (Kind::Local, _) => "on this computer".into(),
        (Kind::Ec2, Some(region)) => format!("at Amazon EC2 in {region}"),
        (Kind::Ec2, None) => "at Amazon EC2".into(),
    }
}

/// Whom it serves, in words.
pub fn serves(relay: &Sponsored) -> String {
    match relay.serves {
        0 => "It serves nobody yet".into(),
        1 => "It serves 1 peer".into(),
        peers => format!("It serves {peers} peers"),
    }
}

/// So much time, as people say it.
pub fn hours(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Lets a relay run longer.
pub fn longer(relay: &Sponsored, minutes: u32) -> Command {
    Command::Relay(RelayOrder::Extend(relay.relay.clone(), minutes))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn who_has_no_relay_leaves_at_once_and_who_has_one_is_asked() {
        let mut out = Vec::new();
        samples::watch().leave(Leaving::Channel, &mut out);
        assert_eq!(out, [Command::Leave]);
        let mut model = samples::sponsoring();
        model.leave(Leaving::Program, &mut out);
        assert_eq!((out.len(), model.leaving), (1, Some(Leaving::Program)));
        model.leave_relays(true, &mut out);
        assert_eq!(out[1..], [Command::RunOn(true), Command::Quit]);
        assert_eq!(model.leaving, None);
    }

    #[test]
    fn who_leaves_already_does_not_begin_anew() {
        let (mut model, mut out) = (samples::known(), Vec::new());
        model.close();
        model.leave(Leaving::Program, &mut out);
        assert_eq!((out, model.leaving), (vec![], None));
    }

    #[test]
    fn a_relay_that_has_ended_is_none() {
        let mut model = samples::sponsoring();
        let relays = &mut model.watching.as_mut().unwrap().snapshot.relays;
        relays[0].state = RelayState::Ended;
        assert_eq!(model.own_relays().count(), 0);
    }

    #[test]
    fn time_is_said_as_people_say_it() {
        assert_eq!([hours(45), hours(60), hours(90)], ["45 min", "1 h", "1 h 30 min"]);
    }
}
