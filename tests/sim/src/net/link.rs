//! A link between two nodes: two ends, each with what it has sent and what it holds back.

use super::Micros;
use banyan_protocol::io::{Lane, LinkId};
use banyan_protocol::limits::{LINK_BACKLOG_MAX, TIERS_MAX};
use bytes::Bytes;
use std::collections::VecDeque;

/// Control, and a data lane a tier.
pub const LANES: usize = 1 + TIERS_MAX;

/// A lane's place in tables.
pub fn lane_index(lane: Lane) -> usize {
    match lane {
        Lane::Control => 0,
        Lane::Data(tier) => 1 + usize::from(tier.0).min(TIERS_MAX - 1),
    }
}

/// Whether an end of a link is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndState {
    /// The handshake is under way.
    Opening,
    /// Its node knows it.
    Open,
    /// Nothing more comes of it.
    Closed,
}

/// One end of a link, and what it sends.
#[derive(Debug)]
pub struct End {
    /// The node.
    pub node: u32,
    /// That node's name for the link.
    pub id: LinkId,
    /// Whether the node uses it.
    pub state: EndState,
    /// Frames of data lanes that the transport has not taken yet, oldest first.
    pub held: VecDeque<(Lane, Bytes)>,
    /// Their bytes.
    pub held_bytes: u64,
    /// Whether it waits for its node's uplink or for acknowledgements.
    pub waiting: bool,
    /// Bytes taken that the machine has not been told of.
    pub drained: u64,
    /// The round-trip time that the machine was told last; zero before.
    pub round_trip: Micros,
    /// When the last frame of each lane arrives at the other end: order within a lane is kept.
    pub arrivals: [Micros; LANES],
    /// The parcel being filled on each lane, by its place in the world's table.
    pub open_parcels: [Option<u32>; LANES],
    /// What may be under way, unacknowledged.
    pub window: u64,
    unacknowledged: VecDeque<(Micros, u64)>,
    unacknowledged_bytes: u64,
}

impl End {
    /// An end at `node`, which calls the link `id`.
    pub fn new(node: u32, id: LinkId) -> Self {
        Self {
            node,
            id,
            state: EndState::Opening,
            held: VecDeque::new(),
            held_bytes: 0,
            waiting: false,
            drained: 0,
            round_trip: 0,
            arrivals: [0; LANES],
            open_parcels: [None; LANES],
            window: LINK_BACKLOG_MAX,
            unacknowledged: VecDeque::new(),
            unacknowledged_bytes: 0,
        }
    }

    /// Whether the send window takes more.
    pub fn has_window(&mut self, now: Micros) -> bool {
        while let Some(&(at, bytes)) = self.unacknowledged.front()
            && at <= now
        {
            self.unacknowledged.pop_front();
            self.unacknowledged_bytes -= bytes;
        }
        self.unacknowledged_bytes < self.window
    }

    /// When the next acknowledgement comes that opens the window, if one is under way.
    pub fn window_at(&self) -> Option<Micros> {
        self.unacknowledged
            .front()
            .map(|(at, _)| *at)
            .filter(|at| *at != Micros::MAX)
    }

    /// Notes that `bytes` are taken, and will be acknowledged at `at`.
    pub fn take(&mut self, bytes: u64, at: Micros) {
        self.drained += bytes;
        self.unacknowledged.push_back((at, bytes));
        self.unacknowledged_bytes += bytes;
    }

    /// All that was taken will be acknowledged by `at`.
    pub fn acknowledge_all(&mut self, at: Micros) {
        for entry in &mut self.unacknowledged {
            entry.0 = entry.0.min(at);
        }
    }

    /// Keeps a frame until it is taken.
    pub fn hold(&mut self, lane: Lane, frame: Bytes) {
        self.held_bytes += frame.len() as u64;
        self.held.push_back((lane, frame));
    }

    /// The oldest frame held.
    pub fn release(&mut self) -> Option<(Lane, Bytes)> {
        let (lane, frame) = self.held.pop_front()?;
        self.held_bytes -= frame.len() as u64;
        Some((lane, frame))
    }

    /// Gives up what is held on `lane`.
    pub fn reset(&mut self, lane: Lane) {
        let before = self.held_bytes;
        self.held.retain(|(held, _)| *held != lane);
        self.held_bytes = self.held.iter().map(|(_, frame)| frame.len() as u64).sum();
        self.drained += before - self.held_bytes;
    }

    /// Ends it, and frees what it keeps.
    pub fn close(&mut self) {
        let arrivals = self.arrivals;
        *self = Self::new(self.node, self.id);
        self.arrivals = arrivals;
        self.state = EndState::Closed;
    }
}

/// A link: the dialler's end, and the acceptor's.
#[derive(Debug)]
pub struct Link {
    /// Its ends, the dialler's first.
    pub ends: [End; 2],
    /// How long a packet takes one way.
    pub delay: Micros,
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::media::TierId;

    #[test]
    fn the_window_opens_with_acknowledgements() {
        let mut end = End::new(0, LinkId(0));
        end.take(LINK_BACKLOG_MAX, 50);
        end.take(1, 60);
        assert!(!end.has_window(49));
        assert_eq!(end.window_at(), Some(50));
        assert!(end.has_window(50));
    }

    #[test]
    fn a_reset_gives_up_one_lane() {
        let mut end = End::new(0, LinkId(0));
        for (tier, bytes) in [(0, 10), (1, 20), (0, 30)] {
            end.hold(Lane::Data(TierId(tier)), vec![0; bytes].into());
        }
        end.reset(Lane::Data(TierId(0)));
        assert_eq!((end.held_bytes, end.drained, end.held.len()), (20, 40, 1));
    }
}
