//! The simulated world: nodes that run state machines, links between them, and one queue of events.
//!
//! It drives [`Machine`](banyan_protocol::io::Machine)s as `peer/` does, through the same boundary, and knows nothing
//! of what they are for. What is interesting about a run is told to a [`Watch`]; what is to happen from outside comes
//! back as alarms, so that a script can act on the world between events.

mod deliver;
mod dial;
mod fate;
mod follow;
mod names;
mod node;
mod step;
#[cfg(test)]
mod tests;
mod transport;

pub use node::{Life, Node, NodeIndex, NodeSetup, Role};

use crate::net::link::{End, LANES, Link};
use crate::net::queue::Queue;
use crate::net::{Micros, SECOND};
use banyan_protocol::event::Event;
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{CloudOrder, Ended, Lane, LinkEnd, LinkId, Outbox, Play};
use banyan_protocol::rng::Rng;
use banyan_protocol::time::Instant;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use transport::{Filling, Parcel};

/// What differs between one seed's network and another's.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Range of the one-way delay between two nodes, which is drawn once a pair.
    pub delay: (Micros, Micros),
    /// The most by which a parcel comes later than that.
    pub jitter: Micros,
    /// The share of packets lost.
    pub loss: f64,
}

/// Hears what happens.
pub trait Watch {
    /// A node told its person something.
    fn event(&mut self, _now: Micros, _node: NodeIndex, _event: &Event) {}
    /// A viewer plays.
    fn play(&mut self, _now: Micros, _node: NodeIndex, _play: &Play) {}
    /// A machine wants something of its cloud provider.
    fn cloud(&mut self, _node: NodeIndex, _order: &CloudOrder) {}
    /// A machine ended.
    fn ended(&mut self, _now: Micros, _node: NodeIndex, _how: &Ended) {}
    /// A frame begins its way.
    fn sent(&mut self, _now: Micros, _from: NodeIndex, _to: NodeIndex, _lane: Lane, _frame: &Bytes) {}
    /// A frame has come.
    fn came(&mut self, _now: Micros, _from: NodeIndex, _to: NodeIndex, _lane: Lane, _frame: &Bytes) {}
}

/// Why [`World::run`] comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause<A> {
    /// An alarm.
    Alarm(A),
    /// Nodes spoke with others: who feeds whom may have changed. [`World::take_changed`] says which nodes.
    Changed,
}

/// A side of a link: the dialler's is 0, the acceptor's 1.
type SideIndex = u8;

/// What waits in the queue.
#[derive(Debug)]
enum Happening<A> {
    Wake(NodeIndex),
    Report(NodeIndex),
    Arrive(Parcel),
    /// In a box: there are few, and the others are moved in and out of the queue all the time.
    DialArrives(Box<Dialling>),
    DialFails {
        node: NodeIndex,
        id: LinkId,
        why: LinkEnd,
    },
    LinkUp {
        link: u32,
        side: SideIndex,
    },
    LinkDown {
        link: u32,
        side: SideIndex,
        why: LinkEnd,
    },
    ProbeArrives {
        node: NodeIndex,
        peer: PeerId,
        addresses: Vec<SocketAddr>,
    },
    Probed {
        node: NodeIndex,
        peer: PeerId,
        reached: Vec<SocketAddr>,
    },
    Room(NodeIndex),
    Window {
        link: u32,
        side: SideIndex,
    },
    FrozenLong {
        node: NodeIndex,
        since: Micros,
    },
    Alarm(A),
}

/// A dial under way.
#[derive(Clone, Debug)]
struct Dialling {
    node: NodeIndex,
    id: LinkId,
    /// Whoever answers, if nobody is named.
    peer: Option<PeerId>,
    addresses: Vec<SocketAddr>,
    began: Micros,
    again: bool,
}

/// The world. `A` is what a script puts into the queue for itself.
pub struct World<W, A> {
    /// Hears what happens.
    pub watch: W,
    now: Micros,
    queue: Queue<Happening<A>>,
    nodes: Vec<Node>,
    at: BTreeMap<SocketAddr, NodeIndex>,
    links: Vec<Link>,
    parcels: Vec<Filling>,
    touched: Vec<(u32, SideIndex)>,
    lying: BTreeMap<NodeIndex, Vec<Happening<A>>>,
    changed: Vec<NodeIndex>,
    outbox: Outbox,
    weather: Weather,
    seed: u64,
    rng: Rng,
    trace: u64,
    handled: u64,
    followed: Option<NodeIndex>,
}

impl<W: Watch, A> World<W, A> {
    /// An empty world.
    pub fn new(seed: u64, weather: Weather, watch: W) -> Self {
        Self {
            watch,
            now: 0,
            queue: Queue::default(),
            nodes: Vec::new(),
            at: BTreeMap::new(),
            links: Vec::new(),
            parcels: Vec::new(),
            touched: Vec::new(),
            lying: BTreeMap::new(),
            changed: Vec::new(),
            outbox: Outbox::new(),
            weather,
            seed,
            rng: Rng::new(seed ^ 0x006e_6574_776f_726b),
            trace: seed,
            handled: 0,
            followed: None,
        }
    }

    /// The simulated time.
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// The simulated time, as machines see it.
    pub const fn instant(&self) -> Instant {
        Instant::from_micros(self.now + SECOND)
    }

    /// A hash over all that machines have put out so far: equal for equal runs.
    pub const fn trace(&self) -> u64 {
        self.trace
    }

    /// How many inputs machines have handled.
    pub const fn handled(&self) -> u64 {
        self.handled
    }

    /// All nodes there ever were, in the order of their making.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Changes the share of packets lost.
    pub const fn set_loss(&mut self, loss: f64) {
        self.weather.loss = loss;
    }

    /// Has [`run`](Self::run) come back at `at` with `alarm`.
    pub fn set_alarm(&mut self, at: Micros, alarm: A) {
        self.queue.push(at.max(self.now), Happening::Alarm(alarm));
    }

    /// Lets time pass until the next alarm, or until who feeds whom may have changed; `None` if nothing will ever happen
    /// any more.
    pub fn run(&mut self) -> Option<Pause<A>> {
        loop {
            let (at, happening) = self.queue.pop()?;
            self.now = at;
            if let Happening::Alarm(alarm) = happening {
                return Some(Pause::Alarm(alarm));
            }
            self.happen(happening);
            if !self.changed.is_empty() {
                return Some(Pause::Changed);
            }
        }
    }

    /// The nodes that said or heard something on a control lane, or lost a link, since the last call.
    pub fn take_changed(&mut self, into: &mut Vec<NodeIndex>) {
        into.clear();
        into.append(&mut self.changed);
        into.sort_unstable();
        into.dedup();
    }

    /// Frames that a link's data lanes hold back, in bytes, the most of all links.
    pub fn most_held(&self) -> u64 {
        let ends = self.links.iter().flat_map(|link| &link.ends);
        ends.map(End::held_bytes).max().unwrap_or(0)
    }
}

const _: () = assert!(LANES <= u8::MAX as usize, "lanes are numbered by bytes");
const _: () = assert!(size_of::<Option<Happening<()>>>() <= 64, "a cache line each");
