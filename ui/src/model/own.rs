//! This person's relays for the channel that is watched.

use super::{Command, Model, RelayOrder};
use banyan::notice::Sponsored;
use banyan::trees::{Node, NodeKind};
use banyan_cloud::provider::Kind;
use banyan_protocol::io::RelayState;

impl Model {
    /// Relays of this person's that have not ended.
    pub fn own_relays(&self) -> impl Iterator<Item = &Sponsored> {
        let watching = self.watching.iter();
        let relays = watching.flat_map(|watching| &watching.snapshot.relays);
        relays.filter(|relay| relay.state != RelayState::Ended)
    }

    /// Whom a relay serves, in words. Who that is, beside this person, the broadcaster alone is told.
    pub fn serves(&self, relay: &Sponsored) -> String {
        let is_fed = self.is_fed_by(relay);
        match (relay.serves, is_fed) {
            (0, _) => "It serves nobody yet".into(),
            (1, true) => "It serves you alone".into(),
            (1, false) => "It serves 1 person".into(),
            (people, true) => format!("It serves {people} people, you among them"),
            (people, false) => format!("It serves {people} people"),
        }
    }

    /// Whether a relay sends this person something, as far as is known: of several, which is which is not.
    fn is_fed_by(&self, relay: &Sponsored) -> bool {
        let Some(trees) = &self.network.trees else {
            return false;
        };
        let is_only = self.own_relays().all(|own| own.relay == relay.relay);
        let me = trees.nodes.iter().find(|node| node.is_me).map(|me| me.peer);
        let is_own = |parent| {
            let own = |node: &&Node| node.kind == NodeKind::Relay && node.sponsor == me;
            trees.nodes.iter().filter(own).any(|node| node.peer == parent)
        };
        is_only
            && trees
                .edges
                .iter()
                .any(|edge| Some(edge.child) == me && is_own(edge.parent))
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
    fn a_relay_that_has_ended_is_none() {
        let mut model = samples::sponsoring();
        let relays = &mut model.watching.as_mut().unwrap().snapshot.relays;
        relays[0].state = RelayState::Ended;
        assert_eq!(model.own_relays().count(), 0);
    }

    #[test]
    fn who_is_served_is_counted_and_this_person_is_named() {
        let mut model = samples::sponsoring();
        let mut relay = model.own_relays().next().unwrap().clone();
        assert_eq!(model.serves(&relay), "It serves 7 people, you among them");
        relay.serves = 1;
        assert_eq!(model.serves(&relay), "It serves you alone");
        model.network.trees = None;
        assert_eq!(model.serves(&relay), "It serves 1 person");
        relay.serves = 0;
        assert_eq!(model.serves(&relay), "It serves nobody yet");
    }

    #[test]
    fn which_of_two_relays_serves_this_person_is_not_guessed() {
        let mut model = samples::sponsoring();
        let relays = &mut model.watching.as_mut().unwrap().snapshot.relays;
        let mut other = relays[0].clone();
        (other.relay, other.serves) = ("11ab".into(), 2);
        relays.push(other.clone());
        assert_eq!(model.serves(&other), "It serves 2 people");
    }

    #[test]
    fn time_is_said_as_people_say_it() {
        assert_eq!([hours(45), hours(60), hours(90)], ["45 min", "1 h", "1 h 30 min"]);
    }
}
