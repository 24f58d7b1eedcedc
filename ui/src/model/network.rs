//! A channel's network, to look at: who feeds whom, and how it went.

use super::{Broadcasting, History, Model, Page, Watching};
use banyan::trees::Trees;

/// A channel's network, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// Who feeds whom.
    pub trees: Option<Trees>,
    /// How it went.
    pub history: History,
}

impl Model {
    /// Whether there are two to look at: that of the channel that is watched, and that of one's own.
    pub fn has_two_networks(&self) -> bool {
        self.watching.is_some() && self.broadcasting.is_some()
    }

    /// Begins to watch a channel: its network begins with it.
    pub fn watch(&mut self, watching: Watching) {
        self.watching = Some(watching);
        self.network = Network::default();
        self.page = Page::Watch;
    }

    /// Begins to go on the air, and with that one's own network.
    pub fn go_live(&mut self, broadcasting: Broadcasting) {
        self.preview = None;
        self.broadcasting = Some(broadcasting);
        self.own_network = Network::default();
    }

    /// The one that is looked at: where there is a choice, as chosen.
    pub fn network(&self) -> &Network {
        match self.has_two_networks() {
            true if self.looks_at_own => &self.own_network,
            false if self.broadcasting.is_some() => &self.own_network,
            _ => &self.network,
        }
    }

    /// Who feeds whom: a whole network is one's own channel's.
    pub(super) fn trees(&mut self, trees: Trees) {
        let network = match trees.whole {
            true => &mut self.own_network,
            false => &mut self.network,
        };
        network.trees = Some(trees);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn what_is_begun_has_no_history_yet() {
        let mut model = samples::on_air();
        model.watch(samples::watching());
        assert!(model.network.history.is_empty() && !model.own_network.history.is_empty());
        model.go_live(Broadcasting::default());
        assert!(model.own_network == Network::default() && model.preview.is_none());
    }

    #[test]
    fn who_watches_and_broadcasts_has_two_and_chooses() {
        let mut model = samples::on_air();
        assert!(!model.has_two_networks() && model.network().trees.as_ref().unwrap().whole);
        model.watching = Some(samples::watching());
        model.trees(samples::neighbours());
        assert!(model.has_two_networks() && !model.network().trees.as_ref().unwrap().whole);
        model.looks_at_own = true;
        assert!(model.network().trees.as_ref().unwrap().whole);
    }
}
