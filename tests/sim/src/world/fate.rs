//! How nodes end, crash, stop and go on.

use super::{Happening, Life, NodeIndex, SideIndex, Watch, World};
use crate::chance::Chance;
use crate::net::IDLE_TIMEOUT;
use crate::net::link::EndState;
use banyan_protocol::io::{Ended, Lane, LinkEnd};
use banyan_protocol::wire::chunk::HEADER;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::framing::PREFIX;
use bytes::Bytes;

impl<W: Watch, A> World<W, A> {
    /// The machine ended: its links close.
    pub(super) fn end_node(&mut self, node: NodeIndex, how: &Ended) {
        self.watch.ended(self.now, node, how);
        for (link, side) in self.open_ends(node) {
            self.close_end(link, side, LinkEnd::Closed(CloseCode::Leaving));
        }
        self.bury(node);
    }

    /// A node stops existing without a word. Its peers notice when they have heard nothing for long enough.
    pub fn crash(&mut self, node: NodeIndex) {
        for (link, side) in self.open_ends(node) {
            self.end_mut(link, side).close();
            self.time_out(link, 1 - side);
        }
        self.bury(node);
    }

    fn time_out(&mut self, link: u32, side: SideIndex) {
        let heard = self.end(link, 1 - side).arrivals.into_iter().max().unwrap_or(0);
        let at = self.now.max(heard) + IDLE_TIMEOUT;
        let why = LinkEnd::TimedOut;
        self.queue.push(at, Happening::LinkDown { link, side, why });
    }

    fn bury(&mut self, node: NodeIndex) {
        self.lying.remove(&node);
        let entry = self.node_mut(node);
        entry.life = Life::Gone;
        entry.machine = None;
        entry.links.clear();
        entry.waiting.clear();
        entry.ever_linked = Vec::new();
        let address = entry.address;
        if self.at.get(&address) == Some(&node) {
            self.at.remove(&address);
        }
    }

    /// A node stops handling anything (SIGSTOP).
    pub fn freeze(&mut self, node: NodeIndex) {
        let since = self.now;
        self.node_mut(node).life = Life::Frozen(since);
        self.queue
            .push(since + IDLE_TIMEOUT, Happening::FrozenLong { node, since });
    }

    /// It is frozen for so long that its peers give it up, and it will give them up when it looks at the clock.
    pub(super) fn frozen_long(&mut self, node: NodeIndex, since: u64) {
        if self.node(node).life != Life::Frozen(since) {
            return;
        }
        for (link, side) in self.open_ends(node) {
            for side in [side, 1 - side] {
                self.link_down(link, side, LinkEnd::TimedOut);
            }
        }
    }

    /// A frozen node goes on (SIGCONT), with all that has come for it.
    pub fn thaw(&mut self, node: NodeIndex) {
        if !self.is_frozen(node) {
            return;
        }
        let entry = self.node_mut(node);
        entry.life = Life::Running;
        entry.wake = None;
        for happening in self.lying.remove(&node).unwrap_or_default() {
            self.queue.push(self.now, happening);
        }
        self.resume(node);
        self.settle(node);
    }

    pub(super) fn is_frozen(&self, node: NodeIndex) -> bool {
        matches!(self.node(node).life, Life::Frozen(_))
    }

    /// Puts aside what comes for a frozen node.
    pub(super) fn lay(&mut self, node: NodeIndex, happening: Happening<A>) {
        self.lying.entry(node).or_default().push(happening);
    }

    /// The ends of its links that are not closed.
    pub(super) fn open_ends(&mut self, node: NodeIndex) -> Vec<(u32, SideIndex)> {
        let links = &self.links;
        let open = |&(link, side): &(u32, SideIndex)| {
            links[link as usize].ends[usize::from(side)].state != EndState::Closed
        };
        let ever_linked = &mut self.nodes[node as usize].ever_linked;
        ever_linked.retain(open);
        ever_linked.clone()
    }

    /// A forger's chunk, now and then: one byte is another.
    pub(super) fn maybe_forged(&mut self, node: NodeIndex, lane: Lane, frame: Bytes) -> Bytes {
        let forges = self.node(node).forges;
        let is_chunk = lane != Lane::Control && frame.len() > PREFIX + HEADER;
        if forges == 0.0 || !is_chunk || !self.rng.happens(forges) {
            return frame;
        }
        let mut altered = frame.to_vec();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        altered.into()
    }
}
