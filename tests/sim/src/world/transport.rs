//! What QUIC does for a driver: frames leave in parcels as the uplink and the send window allow, and wait otherwise.

use super::{Happening, NodeIndex, SideIndex, Watch, World};
use crate::chance::Chance;
use crate::net::link::{EndState, lane_index};
use crate::net::{LOSS_EXTRA, Micros, PARCEL_MAX, wire};
use banyan_protocol::io::{Lane, LinkId};
use bytes::Bytes;
use std::mem;

/// Frames of one lane that travel together.
#[derive(Debug)]
pub(super) struct Parcel {
    /// On this link.
    pub(super) link: u32,
    /// To this side of it.
    pub(super) to: SideIndex,
    /// On this lane.
    pub(super) lane: Lane,
    /// Their bytes.
    pub(super) bytes: u32,
    /// The first, and the only one as a rule.
    pub(super) first: Bytes,
    /// Those after it, in this order. In a box, so that an event stays small.
    #[expect(clippy::box_collection, reason = "three words less in each event")]
    pub(super) more: Option<Box<Vec<Bytes>>>,
}

/// A parcel that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    parcel: Parcel,
    /// When the last of its frames leaves.
    departs: Micros,
}

impl Filling {
    fn new((link, side, lane): Route, frame: Bytes, departs: Micros) -> Self {
        let parcel = Parcel {
            link,
            to: 1 - side,
            lane,
            bytes: frame.len() as u32,
            first: frame,
            more: None,
        };
        Self { parcel, departs }
    }

    fn add(&mut self, frame: Bytes, departs: Micros) {
        self.parcel.bytes += frame.len() as u32;
        self.parcel.more.get_or_insert_default().push(frame);
        self.departs = departs;
    }
}

/// Where a frame is on its way out.
type Route = (u32, SideIndex, Lane);

impl<W: Watch, A> World<W, A> {
    /// Sends a frame; the data lanes' frames may have to wait.
    pub(super) fn send(&mut self, node: NodeIndex, link: LinkId, lane: Lane, frame: Bytes) {
        let Some((link, side)) = self.node(node).links.get(link) else {
            return;
        };
        let frame = self.maybe_forged(node, lane, frame);
        if lane == Lane::Control || self.may_go(link, side) {
            self.take(node, (link, side, lane), frame);
        } else {
            self.end_mut(link, side).hold(lane, frame);
            self.await_room(link, side);
        }
    }

    /// Gives up what waits on a lane.
    pub(super) fn reset(&mut self, node: NodeIndex, link: LinkId, lane: Lane) {
        let Some((link, side)) = self.node(node).links.get(link) else {
            return;
        };
        self.end_mut(link, side).reset(lane);
        self.touched.push((link, side));
    }

    /// Bounds what may be under way on a link.
    pub(super) fn set_window(&mut self, node: NodeIndex, link: LinkId, bytes: u64) {
        if let Some((link, side)) = self.node(node).links.get(link) {
            self.end_mut(link, side).set_window(bytes);
        }
    }

    /// Whether the next data frame need not wait: nothing waits before it, uplink and window have room.
    fn may_go(&mut self, link: u32, side: SideIndex) -> bool {
        let now = self.now;
        let end = self.end_mut(link, side);
        if end.holds() || !end.has_window(now) {
            return false;
        }
        let node = end.node;
        self.node(node).uplink.has_room(now)
    }

    /// Puts a frame into the uplink's queue.
    fn take(&mut self, node: NodeIndex, route: Route, frame: Bytes) {
        let (link, side, lane) = route;
        let now = self.now;
        let bytes = frame.len() as u32;
        let to = self.end(link, side).peer;
        self.watch.sent(now, node, to, lane, &frame);
        let open = self.open_parcel(route, bytes);
        let cost = wire::sent(u64::from(bytes), open.is_none());
        let sender = self.node_mut(node);
        sender.sent += cost;
        let departs = sender.uplink.push(now, cost);
        match open {
            Some(place) => self.parcels[place].add(frame, departs),
            None => self.parcels.push(Filling::new(route, frame, departs)),
        }
        if lane != Lane::Control {
            self.occupy_window(link, side, bytes, departs);
        }
    }

    fn occupy_window(&mut self, link: u32, side: SideIndex, bytes: u32, departs: Micros) {
        let receiver = self.end(link, side).peer;
        let answers = self.node(receiver).runs();
        let end = self.end_mut(link, side);
        let at = if answers {
            departs + 2 * end.delay
        } else {
            Micros::MAX
        };
        end.take(bytes, at);
        self.touched.push((link, side));
    }

    /// The parcel that is being filled for this route, if so many bytes still fit into it. A step fills few.
    fn open_parcel(&self, (link, side, lane): Route, bytes: u32) -> Option<usize> {
        let is_on_route = |filling: &Filling| {
            let parcel = &filling.parcel;
            (parcel.link, parcel.to, parcel.lane) == (link, 1 - side, lane)
        };
        let place = self.parcels.iter().rposition(is_on_route)?;
        let fits = (self.parcels[place].parcel.bytes + bytes) as usize <= PARCEL_MAX;
        fits.then_some(place)
    }

    /// Puts all parcels that were filled on their way.
    pub(super) fn dispatch_parcels(&mut self) {
        let mut parcels = mem::take(&mut self.parcels);
        for filling in parcels.drain(..) {
            let at = self.arrival(&filling);
            self.queue.push(at, Happening::Arrive(filling.parcel));
        }
        self.parcels = parcels;
    }

    /// When a parcel arrives, after delay, jitter and the repair of what is lost; never before what left earlier.
    fn arrival(&mut self, filling: &Filling) -> Micros {
        let parcel = &filling.parcel;
        let delay = self.end(parcel.link, 1 - parcel.to).delay;
        let jitter = match self.weather.jitter {
            0 => 0,
            jitter => self.rng.below(jitter),
        };
        let mut at = filling.departs + delay + jitter;
        let intact = (1.0 - self.weather.loss).powi(wire::packets(u64::from(parcel.bytes)) as i32);
        if self.weather.loss > 0.0 && self.rng.happens(1.0 - intact) {
            at += 2 * delay + LOSS_EXTRA;
        }
        let lane = lane_index(parcel.lane);
        let end = self.end_mut(parcel.link, 1 - parcel.to);
        at = at.max(end.arrivals[lane]);
        end.arrivals[lane] = at;
        at
    }

    /// Has a held frame looked at again when the uplink has room, or the window opens.
    pub(super) fn await_room(&mut self, link: u32, side: SideIndex) {
        let now = self.now;
        let end = self.end_mut(link, side);
        if mem::replace(&mut end.waiting, true) {
            return;
        }
        let (node, open, window) = (end.node, end.has_window(now), end.window_at());
        if open {
            self.node_mut(node).waiting.push_back((link, side));
            self.await_uplink(node);
        } else if let Some(at) = window {
            self.queue.push(at, Happening::Window { link, side });
        }
    }

    fn await_uplink(&mut self, node: NodeIndex) {
        let now = self.now;
        let entry = self.node_mut(node);
        if !mem::replace(&mut entry.room_awaited, true) {
            let at = entry.uplink.room_at().max(now);
            self.queue.push(at, Happening::Room(node));
        }
    }

    /// The uplink has room: waiting links take turns, a frame each.
    pub(super) fn room(&mut self, node: NodeIndex) {
        self.node_mut(node).room_awaited = false;
        if !self.node(node).runs() {
            return;
        }
        while self.node(node).uplink.has_room(self.now) {
            let Some((link, side)) = self.node_mut(node).waiting.pop_front() else {
                break;
            };
            self.end_mut(link, side).waiting = false;
            self.release_one(node, link, side);
        }
        if !self.node(node).waiting.is_empty() {
            self.await_uplink(node);
        }
        self.settle(node);
    }

    /// Acknowledgements have come for a link whose window was full.
    pub(super) fn window(&mut self, link: u32, side: SideIndex) {
        let end = self.end_mut(link, side);
        if end.state != EndState::Open {
            return;
        }
        end.waiting = false;
        let node = end.node;
        if end.holds() && self.node(node).runs() {
            self.await_room(link, side);
        }
    }

    fn release_one(&mut self, node: NodeIndex, link: u32, side: SideIndex) {
        let now = self.now;
        let end = self.end_mut(link, side);
        if end.state != EndState::Open {
            return;
        }
        if end.has_window(now)
            && let Some((lane, frame)) = end.release()
        {
            self.take(node, (link, side, lane), frame);
        }
        if self.end_mut(link, side).holds() {
            self.await_room(link, side);
        }
    }

    /// A node runs again: it acknowledges what lay there, and sends on.
    pub(super) fn resume(&mut self, node: NodeIndex) {
        for (link, side) in self.open_ends(node) {
            let now = self.now;
            let other = self.end_mut(link, 1 - side);
            other.acknowledge_all(now + other.delay);
            for side in [side, 1 - side] {
                let end = self.end_mut(link, side);
                end.waiting = false;
                if end.holds() {
                    self.await_room(link, side);
                }
            }
        }
    }
}
