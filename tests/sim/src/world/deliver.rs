//! What the queue hands out: each happening goes where it belongs.

use super::names::Place;
use super::transport::Parcel;
use super::{Happening, Life, NodeIndex, SideIndex, Watch, World};
use crate::net::link::{End, EndState};
use crate::net::{ROUND_TRIP_STEP, ROUND_TRIPS, WIRE_REPORTS, wire};
use banyan_protocol::io::{Input, LinkId};
use banyan_protocol::time::Duration;
use std::iter;

impl<W: Watch, A> World<W, A> {
    pub(super) fn happen(&mut self, happening: Happening<A>) {
        match happening {
            Happening::Wake(node) => self.wake(node),
            Happening::Report(node) => self.report(node),
            Happening::Arrive(parcel) => self.arrive(parcel),
            Happening::DialArrives(dialling) => self.dial_arrives(dialling),
            Happening::DialFails { node, id, why } => self.dial_fails(node, id, why),
            Happening::LinkUp { link, side } => self.link_up(link, side),
            Happening::LinkDown { link, side, why } => self.link_down(link, side, why),
            Happening::ProbeArrives {
                node,
                peer,
                addresses,
            } => self.probe_arrives(node, peer, &addresses),
            Happening::Probed { node, peer, reached } => self.tell(node, Input::Probed { peer, reached }),
            Happening::Room(node) => self.room(node),
            Happening::Window { link, side } => self.window(link, side),
            Happening::FrozenLong { node, since } => self.frozen_long(node, since),
            Happening::Alarm(_) => unreachable!("alarms go to the script"),
        }
    }

    fn arrive(&mut self, parcel: Parcel) {
        let node = self.end(parcel.link, parcel.to).node;
        match self.node(node).life {
            Life::Frozen(_) => self.lay(node, Happening::Arrive(parcel)),
            Life::Gone => {}
            Life::Running => self.take_in(node, parcel),
        }
    }

    /// Hands a parcel's frames to the machine, and acknowledges them.
    fn take_in(&mut self, node: NodeIndex, parcel: Parcel) {
        let Parcel { link, to, lane, .. } = parcel;
        let end = self.end(link, to);
        if end.state != EndState::Open {
            return;
        }
        let (id, from) = (end.id, end.peer);
        self.count_received(node, u64::from(parcel.bytes));
        let more = parcel.more.into_iter().flat_map(|more| *more);
        for frame in iter::once(parcel.first).chain(more) {
            if self.end(link, to).state != EndState::Open {
                break;
            }
            self.watch.came(self.now, from, node, lane, &frame);
            let link = id;
            self.handle(node, Input::Frame { link, lane, frame });
        }
        self.settle(node);
    }

    fn count_received(&mut self, node: NodeIndex, bytes: u64) {
        let now = self.now;
        let acknowledgement = wire::acknowledged(bytes);
        let entry = self.node_mut(node);
        entry.received += wire::sent(bytes, true);
        entry.sent += acknowledgement;
        entry.uplink.push(now, acknowledgement);
    }

    /// The driver's regular reports.
    fn report(&mut self, node: NodeIndex) {
        if !self.node(node).is_here() {
            return;
        }
        self.queue.push(self.now + WIRE_REPORTS, Happening::Report(node));
        if !self.node(node).runs() {
            return;
        }
        let entry = self.node_mut(node);
        entry.reports += 1;
        let (sent, received) = (entry.sent, entry.received);
        let whole = u64::from(entry.reports).is_multiple_of(ROUND_TRIPS / WIRE_REPORTS);
        self.handle(node, Input::Wire { sent, received });
        if whole {
            self.report_round_trips(node);
        }
        self.settle(node);
    }

    fn report_round_trips(&mut self, node: NodeIndex) {
        let links: Vec<(LinkId, Place)> = self.node(node).links.iter().collect();
        for (id, place) in links {
            if self.node(node).links.get(id).is_some() {
                self.report_round_trip(node, id, place);
            }
        }
    }

    /// Tells a node of a link's round-trip time, unless it is what it was: transports smooth theirs.
    pub(super) fn report_round_trip(&mut self, node: NodeIndex, id: LinkId, (link, side): Place) {
        let wait = self.node(node).uplink.wait(self.now);
        let end = self.end_mut(link, side);
        let time = 2 * end.delay + wait;
        if time.abs_diff(end.round_trip) < ROUND_TRIP_STEP {
            return;
        }
        end.round_trip = time;
        let time = Duration::from_micros(time);
        self.handle(node, Input::RoundTrip { link: id, time });
    }

    pub(super) fn end(&self, link: u32, side: SideIndex) -> &End {
        &self.links[link as usize].ends[usize::from(side)]
    }

    pub(super) fn end_mut(&mut self, link: u32, side: SideIndex) -> &mut End {
        &mut self.links[link as usize].ends[usize::from(side)]
    }
}
