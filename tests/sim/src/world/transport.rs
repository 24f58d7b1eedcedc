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
    /// In this order.
    pub(super) frames: Vec<Bytes>,
    /// Their bytes.
    pub(super) bytes: u64,
    departs: Micros,
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
            self.end_mut(link, side).window = bytes;
        }
    }

    /// Whether the next data frame need not wait: nothing waits before it, uplink and window have room.
    fn may_go(&mut self, link: u32, side: SideIndex) -> bool {
        let now = self.now;
        let end = self.end_mut(link, side);
        if !end.held.is_empty() || !end.has_window(now) {
            return false;
        }
        let node = end.node;
        self.node(node).uplink.has_room(now)
    }

    /// Puts a frame into the uplink's queue.
    fn take(&mut self, node: NodeIndex, route: Route, frame: Bytes) {
        let (link, side, lane) = route;
        let now = self.now;
        let bytes = frame.len() as u64;
        let to = self.links[link as usize].ends[usize::from(1 - side)].node;
        self.watch.sent(now, node, to, lane, &frame);
        let place = self.parcel(route, frame.len());
        let cost = wire::sent(bytes, self.parcels[place].frames.is_empty());
        let sender = self.node_mut(node);
        sender.sent += cost;
        let departs = sender.uplink.push(now, cost);
        let parcel = &mut self.parcels[place];
        parcel.frames.push(frame);
        parcel.bytes += bytes;
        parcel.departs = departs;
        if lane != Lane::Control {
            self.occupy_window(link, side, bytes, departs);
        }
    }

    fn occupy_window(&mut self, link: u32, side: SideIndex, bytes: u64, departs: Micros) {
        let entry = &self.links[link as usize];
        let receiver = entry.ends[usize::from(1 - side)].node;
        let answers = self.nodes[receiver as usize].runs();
        let at = if answers {
            departs + 2 * entry.delay
        } else {
            Micros::MAX
        };
        self.end_mut(link, side).take(bytes, at);
        self.touched.push((link, side));
    }

    /// The parcel that is being filled for this route, if the frame still fits into it, else a new one.
    fn parcel(&mut self, (link, side, lane): Route, frame: usize) -> usize {
        let lane_at = lane_index(lane);
        if let Some(place) = self.end_mut(link, side).open_parcels[lane_at] {
            let open = &self.parcels[place as usize];
            if open.bytes as usize + frame <= PARCEL_MAX {
                return place as usize;
            }
        }
        let place = self.parcels.len();
        self.end_mut(link, side).open_parcels[lane_at] = Some(place as u32);
        let frames = self.frame_lists.pop().unwrap_or_default();
        self.parcels.push(Parcel {
            link,
            to: 1 - side,
            lane,
            frames,
            bytes: 0,
            departs: 0,
        });
        place
    }

    /// Puts all parcels that were filled on their way.
    pub(super) fn dispatch_parcels(&mut self) {
        let mut parcels = mem::take(&mut self.parcels);
        for parcel in parcels.drain(..) {
            let at = self.arrival(&parcel);
            self.queue.push(at, Happening::Arrive(parcel));
        }
        self.parcels = parcels;
    }

    /// When a parcel arrives, after delay, jitter and the repair of what is lost; never before what left earlier.
    fn arrival(&mut self, parcel: &Parcel) -> Micros {
        let delay = self.links[parcel.link as usize].delay;
        let jitter = match self.weather.jitter {
            0 => 0,
            jitter => self.rng.below(jitter),
        };
        let mut at = parcel.departs + delay + jitter;
        let intact = (1.0 - self.weather.loss).powi(wire::packets(parcel.bytes) as i32);
        if self.weather.loss > 0.0 && self.rng.happens(1.0 - intact) {
            at += 2 * delay + LOSS_EXTRA;
        }
        let lane = lane_index(parcel.lane);
        let end = self.end_mut(parcel.link, 1 - parcel.to);
        end.open_parcels[lane] = None;
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
        if !end.held.is_empty() && self.node(node).runs() {
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
        if !self.end_mut(link, side).held.is_empty() {
            self.await_room(link, side);
        }
    }

    /// A node runs again: it acknowledges what lay there, and sends on.
    pub(super) fn resume(&mut self, node: NodeIndex) {
        for (link, side) in self.open_ends(node) {
            let (now, delay) = (self.now, self.links[link as usize].delay);
            let other = self.end_mut(link, 1 - side);
            other.acknowledge_all(now + delay);
            for side in [side, 1 - side] {
                let end = self.end_mut(link, side);
                end.waiting = false;
                if !end.held.is_empty() {
                    self.await_room(link, side);
                }
            }
        }
    }
}
