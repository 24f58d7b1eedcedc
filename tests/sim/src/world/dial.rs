//! How links begin and end.

use super::{Dialling, Happening, NodeIndex, SideIndex, Watch, World};
use crate::chance::mix;
use crate::net::link::{End, EndState, Link, lane_index};
use crate::net::{DIAL_RETRY, DIAL_TIMEOUT, Micros, NAT_MEMORY, wire};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Input, Lane, LinkEnd, LinkId, Side};
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::enrol::Binding;
use std::net::SocketAddr;

const DIALLER: SideIndex = 0;
const ACCEPTOR: SideIndex = 1;

impl<W: Watch, A> World<W, A> {
    /// The one-way delay between two addresses: drawn once a pair and seed.
    fn delay(&self, a: SocketAddr, b: SocketAddr) -> Micros {
        let (low, high) = self.weather.delay;
        let (a, b) = (address_number(a.min(b)), address_number(a.max(b)));
        let draw = mix(mix(self.seed, a), b);
        low + draw % (high - low + 1)
    }

    pub(super) fn dial(
        &mut self,
        node: NodeIndex,
        id: LinkId,
        peer: Option<PeerId>,
        addresses: Vec<SocketAddr>,
    ) {
        assert!(id.0.is_multiple_of(2), "dialled links have even names");
        let now = self.now;
        let entry = self.node_mut(node);
        entry.sent += wire::HANDSHAKE;
        entry.uplink.push(now, wire::HANDSHAKE);
        for address in &addresses {
            entry.contacted.insert(*address, now);
        }
        let nearest = self.nearest(node, &addresses);
        let dialling = Box::new(Dialling {
            node,
            id,
            peer,
            addresses,
            began: now,
            again: false,
        });
        self.queue.push(now + nearest, Happening::DialArrives(dialling));
    }

    /// The delay to the first of `addresses` that exists; any, if none does.
    fn nearest(&self, node: NodeIndex, addresses: &[SocketAddr]) -> Micros {
        let from = self.node(node).address;
        let found = addresses.iter().find(|address| self.at.contains_key(address));
        found.map_or(0, |address| self.delay(from, *address))
    }

    pub(super) fn dial_arrives(&mut self, mut dialling: Box<Dialling>) {
        if !self.node(dialling.node).is_here() {
            return;
        }
        if let Some(target) = self.answering(dialling.node, &dialling.addresses) {
            self.answer(&dialling, target);
        } else if dialling.again {
            let Dialling { node, id, began, .. } = *dialling;
            let why = LinkEnd::TimedOut;
            self.queue
                .push(began + DIAL_TIMEOUT, Happening::DialFails { node, id, why });
        } else {
            dialling.again = true;
            self.queue
                .push(self.now + DIAL_RETRY, Happening::DialArrives(dialling));
        }
    }

    /// The node at one of `addresses` that `from`'s packets reach, and that runs.
    fn answering(&self, from: NodeIndex, addresses: &[SocketAddr]) -> Option<NodeIndex> {
        addresses
            .iter()
            .filter_map(|address| self.at.get(address).copied())
            .find(|target| self.node(*target).runs() && self.lets_in(*target, from))
    }

    fn lets_in(&self, target: NodeIndex, from: NodeIndex) -> bool {
        let (target, from) = (self.node(target), self.node(from));
        let contacted = target.contacted.get(&from.address);
        !target.nat || contacted.is_some_and(|at| self.now < at + NAT_MEMORY)
    }

    fn answer(&mut self, dialling: &Dialling, target: NodeIndex) {
        let Dialling { node, id, peer, .. } = *dialling;
        let (from, to) = (self.node(node).address, self.node(target).address);
        let delay = self.delay(from, to);
        if peer.is_some_and(|peer| self.node(target).id != peer) {
            let why = LinkEnd::WrongKey;
            return self
                .queue
                .push(self.now + delay, Happening::DialFails { node, id, why });
        }
        let now = self.now;
        let acceptor = self.node_mut(target);
        acceptor.sent += wire::HANDSHAKE;
        acceptor.uplink.push(now, wire::HANDSHAKE);
        let accepted = acceptor.next_accepted();
        let link = self.links.len() as u32;
        self.links.push(Link {
            ends: [
                End::new(node, target, id, delay),
                End::new(target, node, accepted, delay),
            ],
        });
        self.node_mut(node).ever_linked.push((link, DIALLER));
        self.node_mut(target).ever_linked.push((link, ACCEPTOR));
        self.queue
            .push(now + delay, Happening::LinkUp { link, side: DIALLER });
        self.queue
            .push(now + 2 * delay, Happening::LinkUp { link, side: ACCEPTOR });
    }

    pub(super) fn dial_fails(&mut self, node: NodeIndex, id: LinkId, why: LinkEnd) {
        if self.is_frozen(node) {
            return self.lay(node, Happening::DialFails { node, id, why });
        }
        self.tell(node, Input::Unlinked { link: id, why });
    }

    pub(super) fn link_up(&mut self, link: u32, side: SideIndex) {
        let end = self.end(link, side);
        let (node, id, peer) = (end.node, end.id, end.peer);
        if end.state != EndState::Opening {
            return;
        }
        if self.is_frozen(node) {
            return self.lay(node, Happening::LinkUp { link, side });
        }
        self.end_mut(link, side).state = EndState::Open;
        self.node_mut(node).links.insert(id, (link, side));
        let other = self.node(peer);
        let (peer, address) = (other.id, other.address);
        let role = if side == DIALLER {
            Side::Dialler
        } else {
            Side::Acceptor
        };
        self.handle(
            node,
            Input::Linked {
                link: id,
                peer,
                address,
                side: role,
                binding: binding(link),
            },
        );
        if self.node(node).links.get(id).is_some() {
            self.report_round_trip(node, id, (link, side));
        }
        self.settle(node);
    }

    /// A machine closes its end; the other hears of it after what was sent before.
    pub(super) fn close(&mut self, node: NodeIndex, id: LinkId, code: CloseCode) {
        if let Some((link, side)) = self.node_mut(node).links.remove(id) {
            self.close_end(link, side, LinkEnd::Closed(code));
        }
    }

    pub(super) fn close_end(&mut self, link: u32, side: SideIndex, why: LinkEnd) {
        // What the last calls sent leaves first.
        self.dispatch_parcels();
        let now = self.now;
        let end = self.end_mut(link, side);
        let (node, delay, sent) = (end.node, end.delay, end.arrivals[lane_index(Lane::Control)]);
        end.close();
        let sender = self.node_mut(node);
        sender.sent += wire::CLOSE;
        let departs = sender.uplink.push(now, wire::CLOSE);
        let at = (departs + delay).max(sent);
        self.queue.push(
            at,
            Happening::LinkDown {
                link,
                side: 1 - side,
                why,
            },
        );
    }

    pub(super) fn link_down(&mut self, link: u32, side: SideIndex, why: LinkEnd) {
        let end = self.end(link, side);
        let (node, id) = (end.node, end.id);
        if end.state == EndState::Closed {
            return;
        }
        if self.is_frozen(node) {
            return self.lay(node, Happening::LinkDown { link, side, why });
        }
        self.end_mut(link, side).close();
        if self.node_mut(node).links.remove(id).is_some() {
            self.tell(node, Input::Unlinked { link: id, why });
        }
    }

    pub(super) fn probe(&mut self, node: NodeIndex, peer: PeerId, addresses: Vec<SocketAddr>) {
        let at = self.now + self.nearest(node, &addresses);
        self.queue.push(
            at,
            Happening::ProbeArrives {
                node,
                peer,
                addresses,
            },
        );
    }

    /// A probe comes from a socket that no NAT has heard of.
    pub(super) fn probe_arrives(&mut self, node: NodeIndex, peer: PeerId, addresses: &[SocketAddr]) {
        let reached: Vec<SocketAddr> = addresses
            .iter()
            .filter(|address| {
                self.at
                    .get(address)
                    .is_some_and(|at| self.answers_strangers(*at, peer))
            })
            .copied()
            .collect();
        let wait = if reached.is_empty() {
            DIAL_TIMEOUT
        } else {
            self.nearest(node, &reached)
        };
        self.queue
            .push(self.now + wait, Happening::Probed { node, peer, reached });
    }

    fn answers_strangers(&self, node: NodeIndex, peer: PeerId) -> bool {
        let node = self.node(node);
        node.runs() && !node.nat && node.id == peer
    }
}

fn address_number(address: SocketAddr) -> u64 {
    match address {
        SocketAddr::V4(v4) => u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port()),
        SocketAddr::V6(v6) => v6.ip().to_bits() as u64,
    }
}

/// What only the two ends of a link know.
fn binding(link: u32) -> Binding {
    let mut binding = Binding([0; 32]);
    binding.0[..4].copy_from_slice(&link.to_le_bytes());
    binding
}
