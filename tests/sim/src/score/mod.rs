//! What came of a run: heard while it goes, summed up at its end.

mod ledger;
mod pulse;
mod result;
mod seat;
mod stalls;
mod tickets;
mod wrongs;

pub use result::SimResult;
pub(crate) use result::percentile;
pub(crate) use seat::{Seat, captured};

use crate::check::Broken;
use crate::media::Media;
use crate::net::Micros;
use crate::prices::Prices;
use crate::scenario::Scenario;
use crate::world::{NodeIndex, Watch};
use banyan_protocol::event::{Event, Stats};
use banyan_protocol::id::{PeerId, PublicKey, Verify};
use banyan_protocol::io::{CloudOrder, Ended, Lane, Play};
use banyan_protocol::media::StripeId;
use banyan_protocol::wire::chunk::Data;
use banyan_protocol::wire::control::{DetachReason, Message};
use bytes::Bytes;
use stalls::Stalls;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickets::Tickets;
use wrongs::Wrongs;

/// Hears a run.
pub struct Score {
    media: Media,
    channel: PublicKey,
    verify: Arc<dyn Verify>,
    verifies_chunks: bool,
    source: NodeIndex,
    pub(crate) prices: Prices,
    pub(crate) seats: BTreeMap<NodeIndex, Seat>,
    pub(crate) tickets: Tickets,
    pub(crate) startups_ms: Vec<u64>,
    pub(crate) repairs_ms: Vec<u64>,
    pub(crate) stalls: Stalls,
    pub(crate) refused: u64,
    /// Bytes of frames that the broadcaster sent on control lanes, and on data lanes: messages with their length, without the
    /// datagrams, acknowledgements and handshakes that QUIC adds.
    pub(crate) control_bytes: u64,
    pub(crate) data_bytes: u64,
    /// What children asked of the broadcaster after a parent failed.
    pub(crate) unplanned_requests: u64,
    pub(crate) pulse: Option<pulse::Pulse>,
    pub(crate) ledger: Option<ledger::Ledger>,
    broken: Option<Broken>,
    /// What came of members that go wrong.
    pub(crate) wrongs: Wrongs,
    /// Seats that relays took back: whose, on which stripe, and why.
    pub(crate) detached: Vec<(NodeIndex, NodeIndex, StripeId, DetachReason)>,
    /// Who was asked to sponsor, and has not answered.
    pub(crate) asked: Vec<NodeIndex>,
    /// What sponsors want of their provider.
    pub(crate) orders: Vec<(NodeIndex, CloudOrder)>,
}

impl Score {
    pub(crate) fn new(
        scenario: &Scenario,
        prices: Prices,
        channel: PublicKey,
        verify: Arc<dyn Verify>,
    ) -> Self {
        Self {
            media: Media::new(&scenario.stream.tiers_kbps, scenario.stream.keyframe_s),
            channel,
            verifies_chunks: scenario.has_forgers(),
            source: 0,
            prices,
            seats: BTreeMap::new(),
            tickets: Tickets::new(channel, verify.clone()),
            verify,
            startups_ms: Vec::new(),
            repairs_ms: Vec::new(),
            stalls: Stalls::default(),
            refused: 0,
            control_bytes: 0,
            data_bytes: 0,
            unplanned_requests: 0,
            pulse: None,
            ledger: None,
            broken: None,
            wrongs: Wrongs::default(),
            detached: Vec::new(),
            asked: Vec::new(),
            orders: Vec::new(),
        }
    }

    pub(crate) fn set_source(&mut self, node: NodeIndex) {
        self.source = node;
    }

    /// From now on, prints what travelled in each second.
    pub(crate) fn feel_pulse(&mut self) {
        self.pulse = Some(pulse::Pulse::default());
    }

    /// From now on, books what the broadcaster says.
    pub(crate) fn keep_ledger(&mut self) {
        self.ledger = Some(ledger::Ledger::default());
    }

    /// A viewer comes.
    pub(crate) fn joins(&mut self, node: NodeIndex, viewer: PeerId, seat: Seat) {
        self.tickets.expect(node, viewer);
        self.seats.insert(node, seat);
    }

    /// Whether the node's uplink has a cap that it must keep to.
    pub(crate) fn is_capped(&self, node: NodeIndex) -> bool {
        node == self.source || self.seats.get(&node).is_some_and(|seat| seat.person.capped)
    }

    /// The first thing that was broken, if any.
    pub(crate) fn broken(&mut self) -> Result<(), Broken> {
        self.broken.take().map_or(Ok(()), Err)
    }

    fn breaks(&mut self, at: Micros, what: String) {
        self.broken.get_or_insert(Broken { at, what });
    }

    fn hear_request(&mut self, message: &Message) {
        let unplanned = match message {
            Message::Orphaned(_) => true,
            Message::Moved(moved) => !moved.planned,
            _ => false,
        };
        self.unplanned_requests += u64::from(unplanned);
    }

    fn hear_relay(&mut self, relay: NodeIndex, to: NodeIndex, lane: Lane, frame: &Bytes) {
        self.wrongs.relay_sent(to, lane, frame.len());
        if lane == Lane::Control
            && let Ok(Message::Detached { stripe, why }) = Message::parse(frame)
        {
            self.detached.push((relay, to, stripe, why));
        }
    }

    /// An honest node passes nothing on that the broadcaster did not sign.
    fn check_chunk(&mut self, now: Micros, from: NodeIndex, frame: &Bytes) {
        let is_cheat = |node: NodeIndex| {
            self.tickets
                .key(node)
                .is_some_and(|key| self.wrongs.is_cheat(key))
        };
        if self.seats.get(&from).is_some_and(|seat| seat.person.forges) || is_cheat(from) {
            return;
        }
        if let Ok(Data::Chunk(chunk)) = Data::parse(frame.clone())
            && !chunk.is_signed_by(&self.channel, &*self.verify)
        {
            self.breaks(
                now,
                format!("node {from} passes on a forged chunk of {}", chunk.header.stripe),
            );
        }
    }
}

impl Watch for Score {
    fn event(&mut self, now: Micros, node: NodeIndex, event: &Event) {
        match event {
            Event::Playing { startup_ms } => self.startups_ms.push(*startup_ms),
            Event::Repaired { gap_ms, .. } => self.repairs_ms.push(*gap_ms),
            Event::SponsorRequest { .. } => {
                self.wrongs.prompted(node);
                self.asked.push(node);
            }
            Event::Stall if !self.is_excused(now, node) => {
                self.wrongs.stalled(now, node);
                let joined = self.seats.get(&node).map_or(0, |seat| seat.joined);
                self.stalls.stalled(now, node, joined);
            }
            Event::Tier { tier, was, .. } => {
                self.stalls.goes_over(now, node);
                if tier < was {
                    self.wrongs.fell(node);
                }
            }
            Event::Stats(Stats {
                viewer: Some(stats), ..
            }) => self.wrongs.lost(node, stats.blocks_lost),
            Event::PeerBlamed { peer, what, .. } if node == self.source => {
                self.wrongs.blamed(now, *peer, what);
            }
            _ => {}
        }
    }

    fn play(&mut self, now: Micros, node: NodeIndex, play: &Play) {
        let Some(seat) = self.seats.get_mut(&node) else {
            return;
        };
        if let Err(what) = seat.play(now, play, &self.media) {
            self.breaks(now, format!("node {node} {what}"));
        }
    }

    fn cloud(&mut self, node: NodeIndex, order: &CloudOrder) {
        self.orders.push((node, order.clone()));
    }

    fn ended(&mut self, now: Micros, node: NodeIndex, how: &Ended) {
        if matches!(how, Ended::Refused(_)) {
            self.refused += 1;
        }
        if let Some(seat) = self.seats.get_mut(&node) {
            seat.ended = Some(how.clone());
            seat.leave(now);
        }
    }

    fn sent(&mut self, now: Micros, from: NodeIndex, to: NodeIndex, lane: Lane, frame: &Bytes) {
        if from == self.source {
            if let Some(ledger) = self.ledger.as_mut().filter(|_| lane == Lane::Control) {
                ledger.said(to, frame, &self.tickets);
            }
            match lane {
                Lane::Control => self.control_bytes += frame.len() as u64,
                Lane::Data(_) => self.data_bytes += frame.len() as u64,
            }
        }
        if self.tickets.is_relay(from) {
            self.hear_relay(from, to, lane, frame);
        }
        if self.verifies_chunks && lane != Lane::Control {
            self.check_chunk(now, from, frame);
        }
    }

    fn came(&mut self, now: Micros, from: NodeIndex, to: NodeIndex, lane: Lane, frame: &Bytes) {
        if let Some(pulse) = &mut self.pulse {
            pulse.came(to, lane, frame);
        }
        let is_of_interest = from == self.source || to == self.source || self.tickets.is_relay(to);
        if lane != Lane::Control || !is_of_interest {
            return;
        }
        let Ok(message) = Message::parse(frame) else {
            return self.breaks(now, format!("node {from} says to node {to} what cannot be read"));
        };
        let message = match from == self.source {
            true => self.tickets.hear(to, message),
            false => Ok(message),
        };
        let Ok(message) = message else {
            return self.breaks(now, format!("node {to} is told what is new in no ticket"));
        };
        if let Message::Amend(amendments) = &message
            && let Err(what) = self.tickets.amend(now, to, amendments)
        {
            return self.breaks(now, format!("node {to} is told of amendments that {what}"));
        }
        let given = match &message {
            _ if to == self.source => return self.hear_request(&message),
            Message::Assign(assign) => self.tickets.give(now, to, &assign.ticket),
            Message::Order(commanded) => self.tickets.order(now, from, to, commanded),
            _ => return,
        };
        if let Err(what) = given {
            self.breaks(now, format!("node {to} is given a ticket that {what}"));
        }
    }
}

impl Score {
    /// Whether a stall of this node is its own affair: it stood still itself not long ago.
    fn is_excused(&self, now: Micros, node: NodeIndex) -> bool {
        self.seats.get(&node).is_none_or(|seat| seat.is_excused(now))
    }
}
