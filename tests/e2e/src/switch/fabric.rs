//! What the switch decides: where a frame goes, when, and whether at all. Pure: time is passed in.

use super::PortId;
use banyan_protocol::rng::Rng;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::{Duration, Instant};

/// Whether frames of one way may overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A frame never arrives before an earlier one of the same way, as on a path with one queue.
    Kept,
    /// Each frame's delay is its own.
    Free,
}

/// What happens to a frame between two hosts, each way.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The mean delay.
    pub delay: Duration,
    /// The most that a frame's delay differs from the mean, evenly spread.
    pub jitter: Duration,
    /// Lost frames in a hundred thousand.
    pub loss_per_100k: u32,
    /// Whether frames keep their order.
    pub order: Order,
    /// For the choices.
    pub seed: u64,
}

/// The most frames on their way: 65,536, which is 80 Mbit/s for ten seconds. More are dropped, and counted as lost.
const IN_FLIGHT_MAX: usize = 65_536;

type Mac = [u8; 6];

/// Ports, addresses learnt, and frames on their way.
pub(super) struct Fabric {
    line: Line,
    rng: Rng,
    whole: BTreeMap<PortId, bool>,
    learnt: HashMap<Mac, PortId>,
    /// When the last frame of a way is due.
    last: HashMap<(PortId, PortId), Instant>,
    flying: BinaryHeap<Flight>,
    sequence: u64,
}

struct Flight {
    due: Instant,
    sequence: u64,
    to: PortId,
    frame: Vec<u8>,
}

impl Fabric {
    pub(super) fn new(line: Line) -> Self {
        Self {
            line,
            rng: Rng::new(line.seed),
            whole: BTreeMap::new(),
            learnt: HashMap::new(),
            last: HashMap::new(),
            flying: BinaryHeap::new(),
            sequence: 0,
        }
    }

    pub(super) fn plug(&mut self, port: PortId) {
        self.whole.insert(port, true);
    }

    pub(super) fn unplug(&mut self, port: PortId) {
        self.whole.remove(&port);
        self.learnt.retain(|_, at| *at != port);
        self.last.retain(|(from, to), _| *from != port && *to != port);
    }

    pub(super) fn set_cable(&mut self, port: PortId, whole: bool) {
        if let Some(state) = self.whole.get_mut(&port) {
            *state = whole;
        }
    }

    /// A frame came in. Frames too short for an Ethernet header are dropped.
    pub(super) fn arrive(&mut self, now: Instant, from: PortId, frame: &[u8]) {
        let (Some(to), Some(source)) = (
            frame.first_chunk::<6>(),
            frame.get(6..).and_then(<[u8]>::first_chunk),
        ) else {
            return;
        };
        if !self.is_whole(from) {
            return;
        }
        self.learnt.insert(*source, from);
        let target = self.learnt.get(to).copied();
        let others = self.whole.keys().filter(|port| **port != from);
        let targets: Vec<PortId> = target.map_or_else(|| others.copied().collect(), |port| vec![port]);
        for target in targets {
            self.send(now, from, target, frame);
        }
    }

    fn send(&mut self, now: Instant, from: PortId, to: PortId, frame: &[u8]) {
        let exempt = is_address_resolution(frame);
        if self.flying.len() >= IN_FLIGHT_MAX || (!exempt && self.is_lost()) {
            return;
        }
        let due = if exempt { now } else { self.due(now, from, to) };
        self.sequence += 1;
        self.flying.push(Flight {
            due,
            sequence: self.sequence,
            to,
            frame: frame.to_vec(),
        });
    }

    fn is_lost(&mut self) -> bool {
        self.rng.below(100_000) < u64::from(self.line.loss_per_100k)
    }

    fn due(&mut self, now: Instant, from: PortId, to: PortId) -> Instant {
        let spread = 2 * self.line.jitter.as_micros() as u64 + 1;
        let due = now + self.line.delay - self.line.jitter + Duration::from_micros(self.rng.below(spread));
        if self.line.order == Order::Free {
            return due;
        }
        let last = self.last.entry((from, to)).or_insert(due);
        *last = due.max(*last);
        *last
    }

    /// The next frame that is due by `now`, and where it goes. Those to a cut or unplugged port are gone.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(PortId, Vec<u8>)> {
        while self.flying.peek()?.due <= now {
            let flight = self.flying.pop()?;
            if self.is_whole(flight.to) {
                return Some((flight.to, flight.frame));
            }
        }
        None
    }

    /// When the next frame is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.flying.peek().map(|flight| flight.due)
    }

    fn is_whole(&self, port: PortId) -> bool {
        self.whole.get(&port).copied().unwrap_or(false)
    }
}

/// Address resolution is neither delayed nor lost: between homes there is none, and a lost query costs a second.
fn is_address_resolution(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x08, 0x06])
}

/// Earliest due first, then in order of arrival: the heap's greatest is the next.
impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.sequence).cmp(&(self.due, self.sequence))
    }
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Flight {}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PortId = PortId(1);
    const B: PortId = PortId(2);
    const C: PortId = PortId(3);

    fn frame(to: u8, from: u8, tag: u8) -> Vec<u8> {
        [&[to; 6][..], &[from; 6], &[8, 0, tag]].concat()
    }

    fn fabric(loss_per_100k: u32, order: Order) -> Fabric {
        let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
        let mut fabric = Fabric::new(Line {
            delay,
            jitter,
            loss_per_100k,
            order,
            seed: 7,
        });
        [A, B, C].into_iter().for_each(|port| fabric.plug(port));
        fabric
    }

    fn drain(fabric: &mut Fabric, now: Instant) -> Vec<(PortId, Vec<u8>)> {
        std::iter::from_fn(|| fabric.take_due(now)).collect()
    }

    #[test]
    fn floods_until_it_has_learnt() {
        let (mut fabric, now) = (fabric(0, Order::Kept), Instant::now());
        fabric.arrive(now, A, &frame(2, 1, 0));
        let late = now + Duration::from_millis(31);
        assert_eq!(drain(&mut fabric, late).len(), 2);
        fabric.arrive(late, B, &frame(1, 2, 0));
        assert_eq!(
            drain(&mut fabric, late + Duration::from_millis(31)),
            vec![(A, frame(1, 2, 0))]
        );
    }

    #[test]
    fn delays_within_bounds_and_keeps_order() {
        let (mut fabric, start) = (fabric(0, Order::Kept), Instant::now());
        fabric.arrive(start, B, &frame(1, 2, 0));
        drain(&mut fabric, start + Duration::from_secs(1));
        for tag in 0..200 {
            fabric.arrive(start, A, &frame(2, 1, tag));
        }
        assert!(drain(&mut fabric, start + Duration::from_micros(9_999)).is_empty());
        let tags: Vec<u8> = drain(&mut fabric, start + Duration::from_millis(30))
            .iter()
            .map(|(_, frame)| frame[14])
            .collect();
        assert_eq!(tags, (0..200).collect::<Vec<u8>>());
    }

    #[test]
    fn a_free_order_is_another_one() {
        let (mut fabric, start) = (fabric(0, Order::Free), Instant::now());
        fabric.arrive(start, B, &frame(1, 2, 0));
        drain(&mut fabric, start + Duration::from_secs(1));
        (0..50).for_each(|tag| fabric.arrive(start, A, &frame(2, 1, tag)));
        let tags: Vec<u8> = drain(&mut fabric, start + Duration::from_secs(1))
            .iter()
            .map(|(_, frame)| frame[14])
            .collect();
        assert_eq!(tags.len(), 50);
        assert!(!tags.is_sorted());
    }

    #[test]
    fn loses_its_share_but_no_address_resolution() {
        let (mut fabric, now) = (fabric(10_000, Order::Kept), Instant::now());
        fabric.arrive(now, B, &[&[1; 6][..], &[2; 6], &[8, 6, 0]].concat());
        assert_eq!(drain(&mut fabric, now).len(), 2);
        (0..10_000).for_each(|_| fabric.arrive(now, A, &frame(2, 1, 0)));
        let came = drain(&mut fabric, now + Duration::from_secs(1)).len();
        assert!(
            (8_800..9_200).contains(&came),
            "{came} of 10,000 came at a loss of a tenth"
        );
    }

    #[test]
    fn a_cut_cable_carries_nothing_either_way() {
        let (mut fabric, now) = (fabric(0, Order::Kept), Instant::now());
        fabric.arrive(now, A, &frame(9, 1, 0));
        fabric.set_cable(B, false);
        fabric.arrive(now, B, &frame(1, 2, 0));
        let got = drain(&mut fabric, now + Duration::from_secs(1));
        assert_eq!(got.iter().map(|(to, _)| *to).collect::<Vec<_>>(), vec![C]);
    }
}
