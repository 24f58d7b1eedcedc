//! A node: a machine, its uplink, and its driver's tables.

use super::names::Names;
use super::{Happening, SideIndex, Watch, World};
use crate::net::uplink::Uplink;
use crate::net::{Micros, UPLINK_FLOOR, WIRE_REPORTS};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{LinkId, Machine};
use banyan_protocol::media::StripeId;
use banyan_protocol::overlay::Overlay;
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// A node's place in the world's table; never used again.
pub type NodeIndex = u32;

/// A machine, and what the simulator may ask it beyond the boundary. A driver may run it on any thread.
pub trait Role: Machine + Any + Send {
    /// Who sends it which stripe.
    fn parents(&self) -> Vec<(StripeId, PeerId)> {
        Vec::new()
    }

    /// How far each stripe has come: the newest block that it holds, and the first that it lacks.
    fn holdings(&self) -> Vec<(StripeId, u64, u64)> {
        Vec::new()
    }

    /// Whom it sends which stripe.
    fn children(&self) -> Vec<(PeerId, StripeId)> {
        Vec::new()
    }

    /// Who hangs where, by its plan, if it is the coordinator.
    fn plan(&self) -> Option<&Overlay> {
        None
    }
}

/// Whether a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Running,
    /// It is stopped, since then; its links live until they time out.
    Frozen(Micros),
    /// It ended, or crashed.
    Gone,
}

/// What a node is made of.
pub struct NodeSetup {
    /// Its key.
    pub id: PeerId,
    /// Where it is.
    pub address: SocketAddr,
    /// Its uplink in wire bits a second.
    pub uplink_bps: u64,
    /// Whether it lets in only those that it contacted before.
    pub nat: bool,
    /// The share of chunks that it alters before it sends them.
    pub forges: f64,
    /// Its machine.
    pub machine: Box<dyn Role>,
}

/// A node. What each event touches comes first, in two cache lines.
#[repr(C, align(64))]
pub struct Node {
    /// Whether it runs.
    pub life: Life,
    /// Its uplink.
    pub uplink: Uplink,
    /// Wire bytes sent.
    pub sent: u64,
    /// Wire bytes received.
    pub received: u64,
    pub(super) machine: Option<Box<dyn Role>>,
    pub(super) links: Names,
    pub(super) wake: Option<Micros>,
    pub(super) spins: u32,
    pub(super) reports: u32,
    pub(super) room_awaited: bool,
    /// Whether it lets in only those that it contacted before.
    pub nat: bool,
    /// The share of chunks that it alters before it sends them.
    pub forges: f64,
    pub(super) waiting: VecDeque<(u32, SideIndex)>,
    pub(super) accepted: u64,
    pub(super) ever_linked: Vec<(u32, SideIndex)>,
    pub(super) contacted: BTreeMap<SocketAddr, Micros>,
    /// Its key.
    pub id: PeerId,
    /// Where it is.
    pub address: SocketAddr,
}

impl Node {
    fn new(setup: NodeSetup) -> Self {
        Self {
            id: setup.id,
            address: setup.address,
            life: Life::Running,
            uplink: Uplink::new(setup.uplink_bps),
            nat: setup.nat,
            forges: setup.forges,
            sent: 0,
            received: 0,
            machine: Some(setup.machine),
            links: Names::default(),
            accepted: 0,
            ever_linked: Vec::new(),
            wake: None,
            spins: 0,
            reports: 0,
            waiting: VecDeque::new(),
            room_awaited: false,
            contacted: BTreeMap::new(),
        }
    }

    /// Whether it handles what comes.
    pub fn runs(&self) -> bool {
        self.life == Life::Running
    }

    /// Whether it has not ended, though it may be frozen.
    pub fn is_here(&self) -> bool {
        self.life != Life::Gone
    }

    /// How many links it has.
    pub fn link_count(&self) -> usize {
        self.links.len()
    }

    /// Its machine, unless it is gone.
    pub fn machine(&self) -> Option<&dyn Role> {
        self.machine.as_deref()
    }

    /// A name for a link that it accepts: odd, and never used before.
    pub(super) fn next_accepted(&mut self) -> LinkId {
        self.accepted += 1;
        LinkId(self.accepted * 2 - 1)
    }
}

impl<W: Watch, A> World<W, A> {
    /// Puts a node into the world. From now on it is the one at its address.
    pub fn add(&mut self, setup: NodeSetup) -> NodeIndex {
        let index = self.nodes.len() as NodeIndex;
        self.at.insert(setup.address, index);
        self.nodes.push(Node::new(setup));
        let phase = self.now + self.rng.below(WIRE_REPORTS);
        self.queue.push(phase, Happening::Report(index));
        self.settle(index);
        index
    }

    /// A node's uplink is another from now on.
    pub fn shape(&mut self, node: NodeIndex, bps: u64) {
        let now = self.now;
        self.node_mut(node).uplink.shape(now, bps.max(UPLINK_FLOOR));
    }

    /// The node of this index.
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index as usize]
    }

    pub(super) fn node_mut(&mut self, index: NodeIndex) -> &mut Node {
        &mut self.nodes[index as usize]
    }
}
