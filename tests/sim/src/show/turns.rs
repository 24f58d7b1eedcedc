//! Relays that go wrong: their uplinks become too small, or they cheat.

use super::{Alarm, Show};
use crate::cheat::{Cheat, Since};
use crate::net::{Micros, SECOND};
use crate::scenario::Conduct;
use crate::world::{NodeIndex, Role};
use banyan_protocol::id::PeerId;
use banyan_protocol::time::Duration;
use banyan_protocol::wire::control::DetachReason;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A relay that cheats does so to so many besides its sponsor: else there is nobody to notice.
const WITNESSES: usize = 4;

impl Show {
    /// The machine of a relay, any of which may go wrong later where the scenario says that one does.
    pub(super) fn turned(&mut self, relay: usize, sponsor: PeerId, machine: Box<dyn Role>) -> Box<dyn Role> {
        let turn = self.scenario.cloud.as_ref().and_then(|cloud| cloud.turn.as_ref());
        match turn.filter(|turn| turn.into != Conduct::Overloaded) {
            Some(turn) => {
                let since = Since::default();
                self.turns.insert(relay, since.clone());
                Box::new(Cheat::new(machine, turn.into, since, sponsor))
            }
            None => machine,
        }
    }

    /// When those who accuse others begin.
    fn slander_from(&self) -> Micros {
        (self.scenario.faults.from_s * SECOND as f64) as Micros
    }

    fn slanders(&self, number: u64) -> bool {
        let (viewers, slanderers) = (self.scenario.viewers, self.scenario.faults.slanderers);
        (viewers - slanderers.min(viewers)..viewers).contains(&(number as usize - 1))
    }

    /// The machine of a viewer; the last of them accuse others, where the scenario says so.
    pub(super) fn slanderer(&self, number: u64, machine: Box<dyn Role>) -> Box<dyn Role> {
        if !self.slanders(number) {
            return machine;
        }
        let since = Duration::from_micros(self.slander_from().saturating_sub(self.world.now()));
        let from = self.world.instant() + since;
        let since = Arc::new(from.into());
        Box::new(Cheat::new(machine, Conduct::Slanders, since, self.key.id()))
    }

    pub(super) fn plan_slander(&mut self, node: NodeIndex, number: u64) {
        if self.slanders(number) {
            let (id, from) = (self.world.node(node).id, self.slander_from());
            self.world.watch.wrongs.cheats(from, id, [node]);
        }
    }

    /// The first relay has booted: plans when one goes wrong.
    pub(super) fn plan_turn(&mut self, relay: usize) {
        let turn = self.scenario.cloud.as_ref().and_then(|cloud| cloud.turn.clone());
        let Some(turn) = turn.filter(|_| relay == 0) else {
            return;
        };
        let at = self.world.now() + (turn.after_s * SECOND as f64) as Micros;
        let overload = turn.into == Conduct::Overloaded;
        let alarm = if overload {
            Alarm::Overload(relay)
        } else {
            Alarm::Turn
        };
        self.world.set_alarm(at, alarm);
    }

    /// The first relay that serves enough others begins to cheat, as soon as there is one.
    pub(super) fn turn(&mut self) {
        let serves = |relay: &usize| self.witnesses(*relay) >= WITNESSES;
        let Some(relay) = (0..self.relays.len()).find(serves) else {
            return self.world.set_alarm(self.world.now() + SECOND, Alarm::Turn);
        };
        let (Some(node), sponsor) = (self.relays[relay].node, self.relays[relay].sponsor) else {
            return;
        };
        self.turns[&relay].get_or_init(|| self.world.instant());
        self.checks.disturbed();
        self.cheat = Some((node, sponsor));
        let (now, id) = (self.world.now(), self.world.node(node).id);
        self.world.watch.wrongs.cheats(now, id, [sponsor]);
    }

    /// How many a relay feeds besides its sponsor.
    fn witnesses(&self, relay: usize) -> usize {
        let machine = &self.relays[relay];
        let node = machine.node.and_then(|node| self.world.node(node).machine());
        let sponsor = self.world.node(machine.sponsor).id;
        let fed = node.into_iter().flat_map(|role| role.children());
        let fed: BTreeSet<PeerId> = fed
            .map(|(peer, _)| peer)
            .filter(|peer| *peer != sponsor)
            .collect();
        fed.len()
    }

    /// Cheats that there should be: whether one was found to turn or not.
    pub(super) fn cheats_planned(&self) -> u64 {
        let turn = self.scenario.cloud.as_ref().and_then(|cloud| cloud.turn.as_ref());
        u64::from(turn.is_some_and(|turn| turn.into != Conduct::Overloaded))
    }

    /// The relay's uplink carries half of what its children need from now on.
    pub(super) fn overload(&mut self, relay: usize) {
        let (Some(node), sponsor) = (self.relays[relay].node, self.relays[relay].sponsor) else {
            return;
        };
        self.count_fault();
        let children = self.world.node(node).machine().map(|machine| machine.children());
        let prices = &self.world.watch.prices;
        let top = prices.slot(prices.top()).as_bps();
        let needed = children.map_or(0, |children| children.len() as u64 * top);
        self.world.shape(node, needed / 2);
        let now = self.world.now();
        self.world.watch.wrongs.is_overloaded(now, sponsor);
    }

    /// Holds relays to the order in which they shed: while anybody of a worse class has a seat of the top tier, nobody of a better
    /// one loses it.
    pub(super) fn judge_sheds(&mut self) {
        for (relay, child, stripe, why) in core::mem::take(&mut self.world.watch.detached) {
            let Some(machine) = self.world.node(relay).machine() else {
                continue;
            };
            if why != DetachReason::Shed {
                continue;
            }
            self.sheds += 1;
            let tickets = &self.world.watch.tickets;
            let (now, sponsor) = (self.world.now(), self.sponsor_of(relay));
            // Its own sponsor's client it serves before everybody, whatever the ticket says.
            let is_other = |node: NodeIndex| Some(node) != sponsor;
            let best = |node: NodeIndex| (is_other(node), tickets.classes(now, node).0);
            let shed = (is_other(child), tickets.classes(now, child).1);
            let keeps = machine.children().into_iter();
            let worse = keeps.filter_map(|(peer, other)| {
                let node = self.checks.node(&peer)?;
                (other.tier >= stripe.tier && best(node) > shed).then_some(node)
            });
            let worse: Vec<NodeIndex> = worse.collect();
            self.checks.count += 1;
            if !worse.is_empty() {
                self.unfair_sheds += 1;
            }
        }
    }

    fn sponsor_of(&self, relay: NodeIndex) -> Option<NodeIndex> {
        let machine = self.relays.iter().find(|machine| machine.node == Some(relay));
        machine.map(|machine| machine.sponsor)
    }

    /// Whether the cheat's sponsor is still served before others, and how many are fed by the cheat though they are nothing to it.
    pub(super) fn cheats_gain(&self) -> (bool, u64) {
        let Some((cheat, sponsor)) = self.cheat else {
            return (false, 0);
        };
        let source = self.world.node(self.source).machine();
        let Some(plan) = source.and_then(|machine| machine.plan()) else {
            return (false, 0);
        };
        let (cheat, sponsor) = (self.world.node(cheat).id, self.world.node(sponsor).id);
        let favoured = plan
            .find(&sponsor)
            .is_some_and(|member| plan.class(member) == banyan_protocol::wire::ticket::Class::Sponsor);
        let hangs = |node: &NodeIndex| {
            let node = self.world.node(*node);
            let parents = node
                .machine()
                .map(|machine| machine.parents())
                .unwrap_or_default();
            node.id != sponsor && parents.iter().any(|(_, parent)| *parent == cheat)
        };
        (favoured, self.watching().filter(hangs).count() as u64)
    }
}
