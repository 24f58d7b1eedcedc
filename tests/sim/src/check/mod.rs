//! What must hold, whatever happens. Attachments are looked at as soon as they may have changed, the rest once a
//! simulated second.

mod joins;
mod strangers;
mod trees;

pub(crate) use trees::least_depth;

use crate::net::{Micros, SECOND};
use crate::prices::Prices;
use crate::score::Score;
use crate::world::{Life, Node, NodeIndex, World};
use banyan_protocol::id::{PeerId, PeerTag};
use banyan_protocol::limits::{DATA_FRAME_MAX, INBOUND_LINKS_MAX, LINK_BACKLOG_MAX};
use banyan_protocol::media::StripeId;
use banyan_protocol::units::Bitrate;
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// When it was seen.
    pub at: Micros,
    /// What it is.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s: {}", self.at as f64 / SECOND as f64, self.what)
    }
}

/// Who sends a node which stripe.
pub(crate) type Attachments = Vec<(StripeId, NodeIndex)>;

/// A stripe of the full stream.
#[cfg(test)]
const fn stripe(index: u8) -> StripeId {
    let tier = banyan_protocol::media::TierId(1);
    StripeId { tier, index }
}

/// The checks of one run.
pub(crate) struct Checks {
    prices: Prices,
    /// By the first half of their keys.
    nodes: HashMap<PeerTag, NodeIndex>,
    channel: PeerId,
    source: NodeIndex,
    attached: BTreeMap<NodeIndex, Attachments>,
    /// How often something was checked.
    pub(crate) count: u64,
    /// Attachments to viewers that failed, when they did.
    pub(crate) lost_attachments: u64,
    strangers: strangers::Strangers,
    joins: joins::Joins,
}

impl Checks {
    pub(crate) fn new(prices: Prices, channel: PeerId) -> Self {
        Self {
            prices,
            nodes: HashMap::new(),
            channel,
            source: 0,
            attached: BTreeMap::new(),
            count: 0,
            lost_attachments: 0,
            strangers: strangers::Strangers::default(),
            joins: joins::Joins::default(),
        }
    }

    /// The broadcaster is this node now.
    pub(crate) fn set_source(&mut self, node: NodeIndex) {
        self.source = node;
        self.nodes.insert(self.channel.tag(), node);
        // Whoever was attached to the former one is, as far as trees go, attached to the source.
        for attached in self.attached.values_mut() {
            for (_, parent) in attached.iter_mut().filter(|(_, parent)| *parent == 0) {
                *parent = node;
            }
        }
    }

    /// A viewer is new.
    pub(crate) fn add(&mut self, id: PeerId, node: NodeIndex) {
        self.nodes.insert(id.tag(), node);
    }

    /// The node of a key.
    pub(crate) fn node(&self, id: &PeerId) -> Option<NodeIndex> {
        self.nodes.get(&id.tag()).copied()
    }

    /// Looks at nodes whose attachments may have changed.
    pub(crate) fn look_at<A>(
        &mut self,
        world: &World<Score, A>,
        changed: &[NodeIndex],
    ) -> Result<(), Broken> {
        for node in changed {
            let fresh = self.attachments(world.node(*node));
            if self.attached.get(node) != Some(&fresh) {
                self.strangers.look_at(world.now(), *node, &fresh);
                self.joins.look_at(world.now(), *node, &fresh);
                self.attached.insert(*node, fresh);
                self.no_ring(world.now(), *node)?;
            }
        }
        Ok(())
    }

    fn attachments(&self, node: &Node) -> Attachments {
        let parents = node
            .machine()
            .map(|machine| machine.parents())
            .unwrap_or_default();
        let known = parents.into_iter();
        known
            .filter_map(|(stripe, id)| Some((stripe, *self.nodes.get(&id.tag())?)))
            .collect()
    }

    /// Everything, of all nodes.
    pub(crate) fn whole<A>(&mut self, world: &World<Score, A>) -> Result<(), Broken> {
        let present: Vec<NodeIndex> = self.present(world);
        self.look_at(world, &present)?;
        for node in &present {
            self.no_ring(world.now(), *node)?;
            self.within_uplink(world, *node)?;
            self.by_ticket(world, *node)?;
            self.is_bounded(world, *node)?;
            self.agrees_with_itself(world, *node)?;
        }
        self.attached.retain(|node, _| world.node(*node).is_here());
        self.queues_are_bounded(world)
    }

    fn agrees_with_itself<A>(&mut self, world: &World<Score, A>, node: NodeIndex) -> Result<(), Broken> {
        self.count += 1;
        let Some(machine) = world.node(node).machine() else {
            return Ok(());
        };
        let check = AssertUnwindSafe(|| machine.check_invariants());
        let panicked = panic::catch_unwind(check).err();
        panicked.map_or(Ok(()), |panic| {
            let words = panic_words(&*panic);
            self.broken(world.now(), format!("node {node} contradicts itself: {words}"))
        })
    }

    fn present<A>(&self, world: &World<Score, A>) -> Vec<NodeIndex> {
        let here = |(_, node): &(usize, &Node)| node.is_here();
        let nodes = world.nodes().iter().enumerate().filter(here);
        nodes.map(|(index, _)| index as NodeIndex).collect()
    }

    /// Children times slot is within the uplink.
    fn within_uplink<A>(&mut self, world: &World<Score, A>, node: NodeIndex) -> Result<(), Broken> {
        self.count += 1;
        let entry = world.node(node);
        let Some(machine) = entry.machine() else {
            return Ok(());
        };
        let children = machine.children();
        let used: Bitrate = children
            .iter()
            .map(|(_, stripe)| self.prices.slot(stripe.tier))
            .sum();
        let budget = Bitrate(entry.uplink.bps());
        if !world.watch.is_capped(node) || used <= budget {
            return Ok(());
        }
        let count = children.len();
        self.broken(
            world.now(),
            format!("node {node} feeds {count} stripes, {used} of {budget}"),
        )
    }

    /// A stripe is held by a valid ticket only.
    fn by_ticket<A>(&mut self, world: &World<Score, A>, node: NodeIndex) -> Result<(), Broken> {
        for (stripe, parent) in self.attached.get(&node).into_iter().flatten() {
            self.count += 1;
            if world.node(node).runs() && !world.watch.tickets.grants(world.now(), node, *stripe) {
                let what = format!("node {node} has {stripe} from node {parent} and no ticket for it");
                return self.broken(world.now(), what);
            }
        }
        Ok(())
    }

    /// When nothing has failed for a while, everybody hangs where the coordinator believes.
    pub(crate) fn by_plan<A>(&mut self, world: &World<Score, A>, node: NodeIndex) -> Result<(), Broken> {
        for (stripe, parent) in self.attached.get(&node).into_iter().flatten() {
            self.count += 1;
            let id = world.node(*parent).id;
            if world.node(node).runs() && !world.watch.tickets.names(world.now(), node, *stripe, &id) {
                let what =
                    format!("node {node} has {stripe} from node {parent}, which its ticket does not name");
                return self.broken(world.now(), what);
            }
        }
        Ok(())
    }

    fn is_bounded<A>(&mut self, world: &World<Score, A>, node: NodeIndex) -> Result<(), Broken> {
        self.count += 1;
        let links = world.node(node).link_count();
        if node == self.source || links <= INBOUND_LINKS_MAX + 64 {
            return Ok(());
        }
        self.broken(world.now(), format!("node {node} has {links} links"))
    }

    fn queues_are_bounded<A>(&mut self, world: &World<Score, A>) -> Result<(), Broken> {
        self.count += 1;
        let most = LINK_BACKLOG_MAX + DATA_FRAME_MAX as u64;
        let held = world.most_held();
        if held <= most {
            return Ok(());
        }
        self.broken(
            world.now(),
            format!("a link holds back {held} bytes, more than {most}"),
        )
    }

    fn broken<T>(&self, at: Micros, what: String) -> Result<T, Broken> {
        Err(Broken { at, what })
    }

    /// A node fails now: notes how many attachments are lost with it.
    pub(crate) fn failed<A>(&mut self, world: &World<Score, A>, node: NodeIndex) {
        let lost = |attached: &Attachments| attached.iter().filter(|(_, parent)| *parent == node).count();
        let here = self
            .attached
            .iter()
            .filter(|(child, _)| world.node(**child).life == Life::Running);
        self.lost_attachments += here.map(|(_, attached)| lost(attached) as u64).sum::<u64>();
        self.joins.disturbed();
        self.strangers.failed(world.now(), node, &self.attached);
    }

    /// Something happens, other than a failure, of which moves may come.
    pub(crate) fn disturbed(&mut self) {
        self.joins.disturbed();
        self.strangers.disturbed();
    }

    /// A viewer comes now, of which moves may come.
    pub(crate) fn came<A>(&mut self, world: &World<Score, A>) {
        self.strangers.disturbed();
        self.joins.came(world.now(), &self.attached);
    }

    /// Stripes that moved after failures although their parents lived.
    pub(crate) const fn strangers_moved(&self) -> u64 {
        self.strangers.moved
    }

    /// Moves of stripes that had moved for the same newcomer already.
    pub(crate) const fn moved_again(&self) -> u64 {
        self.joins.moved_again
    }
}

/// What a panic said.
pub(crate) fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "without a word".into())
}
