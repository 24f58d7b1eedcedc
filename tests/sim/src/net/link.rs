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

/// One end of a link, and what it sends. A run waits for memory most of its time, and there are thousands of ends: so one is two
/// cache lines, of which what comes touches the first only.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct End {
    /// The node.
    pub node: u32,
    /// The node at the other end.
    pub peer: u32,
    /// This node's name for the link.
    pub id: LinkId,
    /// Whether the node uses it.
    pub state: EndState,
    /// Whether it waits for its node's uplink or for acknowledgements.
    pub waiting: bool,
    /// Whether it holds frames back.
    holds: bool,
    /// Bytes taken that the machine has not been told of.
    pub drained: u32,
    window: u32,
    unacknowledged_bytes: u32,
    unacknowledged: VecDeque<(Micros, u32)>,
    /// How long a packet takes to the other end.
    pub delay: Micros,
    /// The round-trip time that the machine was told last; zero before.
    pub round_trip: Micros,
    /// When the last frame of each lane arrives at the other end: order within a lane is kept.
    pub arrivals: [Micros; LANES],
    /// In a box: most ends never hold anything back.
    held: Option<Box<Held>>,
}

const _: () = assert!(size_of::<End>() == 128, "two cache lines");

/// Frames of data lanes that the transport has not taken yet.
#[derive(Debug, Default)]
struct Held {
    /// Oldest first.
    frames: VecDeque<(Lane, Bytes)>,
    bytes: u64,
}

impl End {
    /// An end at `node`, which calls the link `id`, `delay` from the one at `peer`.
    pub fn new(node: u32, peer: u32, id: LinkId, delay: Micros) -> Self {
        Self {
            node,
            peer,
            id,
            state: EndState::Opening,
            waiting: false,
            holds: false,
            drained: 0,
            window: LINK_BACKLOG_MAX as u32,
            unacknowledged_bytes: 0,
            unacknowledged: VecDeque::new(),
            delay,
            round_trip: 0,
            arrivals: [0; LANES],
            held: None,
        }
    }

    /// Bounds what may be under way, unacknowledged.
    pub fn set_window(&mut self, bytes: u64) {
        self.window = bytes.min(u64::from(u32::MAX)) as u32;
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
    pub fn take(&mut self, bytes: u32, at: Micros) {
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

    /// Whether frames are held back.
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// The bytes of frames that are held back.
    pub fn held_bytes(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.bytes)
    }

    /// Keeps a frame until it is taken.
    pub fn hold(&mut self, lane: Lane, frame: Bytes) {
        let held = self.held.get_or_insert_default();
        held.bytes += frame.len() as u64;
        held.frames.push_back((lane, frame));
        self.holds = true;
    }

    /// The oldest frame held.
    pub fn release(&mut self) -> Option<(Lane, Bytes)> {
        let held = self.held.as_mut()?;
        let (lane, frame) = held.frames.pop_front()?;
        held.bytes -= frame.len() as u64;
        self.holds = !held.frames.is_empty();
        Some((lane, frame))
    }

    /// Gives up what is held on `lane`.
    pub fn reset(&mut self, lane: Lane) {
        let Some(held) = &mut self.held else {
            return;
        };
        let before = held.bytes;
        held.frames.retain(|(held, _)| *held != lane);
        held.bytes = held.frames.iter().map(|(_, frame)| frame.len() as u64).sum();
        self.holds = !held.frames.is_empty();
        self.drained += (before - held.bytes) as u32;
    }

    /// Ends it, and frees what it keeps.
    pub fn close(&mut self) {
        let arrivals = self.arrivals;
        *self = Self::new(self.node, self.peer, self.id, self.delay);
        self.arrivals = arrivals;
        self.state = EndState::Closed;
    }
}

/// A link: the dialler's end, and the acceptor's.
#[derive(Debug)]
pub struct Link {
    /// Its ends, the dialler's first.
    pub ends: [End; 2],
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::media::TierId;

    #[test]
    fn the_window_opens_with_acknowledgements() {
        let mut end = End::new(0, 1, LinkId(0), 10);
        end.take(LINK_BACKLOG_MAX as u32, 50);
        end.take(1, 60);
        assert!(!end.has_window(49));
        assert_eq!(end.window_at(), Some(50));
        assert!(end.has_window(50));
    }

    #[test]
    fn a_reset_gives_up_one_lane() {
        let mut end = End::new(0, 1, LinkId(0), 10);
        for (tier, bytes) in [(0, 10), (1, 20), (0, 30)] {
            end.hold(Lane::Data(TierId(tier)), vec![0; bytes].into());
        }
        end.reset(Lane::Data(TierId(0)));
        assert_eq!((end.held_bytes(), end.drained, end.holds()), (20, 40, true));
    }
}
