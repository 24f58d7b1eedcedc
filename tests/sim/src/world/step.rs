//! One step of a machine: an input in, its outputs carried out, what follows from them at once.

use super::{Happening, NodeIndex, Watch, World};
use crate::chance::mix;
use crate::net::Micros;
use banyan_protocol::io::{Input, Lane, Output};
use std::mem;

/// How often in a row a machine may ask to be woken at once before that is called a bug.
const SPINS_MAX: u32 = 1000;

impl<W: Watch, A> World<W, A> {
    /// Gives a node's machine an input, if the node runs.
    pub fn tell(&mut self, node: NodeIndex, input: Input) {
        if self.node(node).runs() {
            self.handle(node, input);
            self.settle(node);
        }
    }

    /// One call of the machine; its outputs are carried out in order.
    pub(super) fn handle(&mut self, node: NodeIndex, input: Input) {
        let now = self.instant();
        if changes(&input) {
            self.changed.push(node);
        }
        self.heard(node, &input);
        let mut out = mem::take(&mut self.outbox);
        let Some(machine) = self.node_mut(node).machine.as_mut() else {
            self.outbox = out;
            return;
        };
        machine.handle(now, input, &mut out);
        self.handled += 1;
        for output in out.drain() {
            self.says(node, &output);
            self.note(node, &output);
            self.perform(node, output);
        }
        self.outbox = out;
    }

    /// Sends off what the last calls filled, tells the machine what the transport took, and plans its next wake-up.
    pub(super) fn settle(&mut self, node: NodeIndex) {
        loop {
            self.dispatch_parcels();
            if self.touched.is_empty() {
                break;
            }
            self.report_drained(node);
        }
        self.plan_wake(node);
    }

    fn report_drained(&mut self, node: NodeIndex) {
        let touched = mem::take(&mut self.touched);
        for &(link, side) in &touched {
            let end = &mut self.links[link as usize].ends[usize::from(side)];
            debug_assert_eq!(end.node, node, "a step touches its own node's links only");
            let (id, bytes) = (end.id, u64::from(mem::take(&mut end.drained)));
            if bytes > 0 && self.node(node).links.get(id).is_some() {
                self.handle(node, Input::Drained { link: id, bytes });
            }
        }
        if self.touched.is_empty() {
            self.touched = touched;
            self.touched.clear();
        }
    }

    fn plan_wake(&mut self, node: NodeIndex) {
        let Some(at) = self.wants_wake(node) else {
            return;
        };
        let now = self.now;
        let entry = self.node_mut(node);
        if entry.wake.is_none_or(|planned| at < planned) {
            entry.spins = if at > now { 0 } else { entry.spins + 1 };
            assert!(
                entry.spins < SPINS_MAX,
                "node {node} wants to be woken now, over and over"
            );
            entry.wake = Some(at);
            self.queue.push(at, Happening::Wake(node));
        }
    }

    fn wants_wake(&self, node: NodeIndex) -> Option<Micros> {
        let wanted = self.node(node).machine()?.wake_at()?;
        let ahead = wanted.since(self.instant()).as_micros() as Micros;
        Some(self.now + ahead)
    }

    /// A planned wake-up came. It may have been put off since, or the machine may have been stopped.
    pub(super) fn wake(&mut self, node: NodeIndex) {
        if self.node(node).wake != Some(self.now) || !self.node(node).runs() {
            return;
        }
        self.node_mut(node).wake = None;
        if self.wants_wake(node).is_some_and(|at| at <= self.now) {
            self.handle(node, Input::Wake);
        }
        self.settle(node);
    }

    fn perform(&mut self, node: NodeIndex, output: Output) {
        match output {
            Output::Dial {
                link,
                peer,
                addresses,
            } => self.dial(node, link, Some(peer), addresses),
            Output::DialAny { link, addresses } => self.dial(node, link, None, addresses),
            Output::Cloud(order) => {
                self.changed.push(node);
                self.watch.cloud(node, &order);
            }
            Output::Send { link, lane, frame } => {
                if lane == Lane::Control {
                    self.changed.push(node);
                }
                self.send(node, link, lane, frame);
            }
            Output::Reset { link, lane } => self.reset(node, link, lane),
            Output::Window { link, bytes } => self.set_window(node, link, bytes),
            Output::Close { link, code } => self.close(node, link, code),
            Output::Probe { peer, addresses } => self.probe(node, peer, addresses),
            Output::Play(play) => self.watch.play(self.now, node, &play),
            Output::Event(event) => self.watch.event(self.now, node, &event),
            Output::Ended(how) => self.end_node(node, &how),
        }
    }

    /// Folds an output into the trace.
    fn note(&mut self, node: NodeIndex, output: &Output) {
        let what = match output {
            Output::Dial { link, .. } => 1 | link.0 << 8,
            Output::Send { link, frame, .. } => 2 | mix(link.0, frame_hash(frame)) << 8,
            Output::Reset { link, .. } => 3 | link.0 << 8,
            Output::Close { link, code } => 4 | mix(link.0, *code as u64) << 8,
            Output::Probe { addresses, .. } => 5 | (addresses.len() as u64) << 8,
            Output::Play(play) => 6 | play_hash(play) << 8,
            Output::Event(event) => 7 | event_hash(event) << 8,
            Output::Ended(_) => 8,
            Output::DialAny { link, .. } => 9 | link.0 << 8,
            Output::Cloud(_) => 10,
            Output::Window { link, bytes } => 11 | mix(link.0, *bytes) << 8,
        };
        self.trace = mix(self.trace, mix(self.now ^ u64::from(node) << 40, what));
    }
}

/// Whether an input may change who feeds whom.
fn changes(input: &Input) -> bool {
    matches!(
        input,
        Input::Unlinked { .. }
            | Input::Frame {
                lane: Lane::Control,
                ..
            }
            | Input::Command(_)
    )
}

/// Length, first and last bytes: a chunk ends with its signature, which covers the rest.
fn frame_hash(frame: &[u8]) -> u64 {
    let head = frame.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
    let tail = frame.last_chunk().map_or(0, |tail| u64::from_le_bytes(*tail));
    let middle = if frame.len() > 256 { &[] } else { frame };
    let middle = middle
        .iter()
        .fold(0u64, |all, byte| all.wrapping_mul(31) + u64::from(*byte));
    mix(mix(head, tail), middle ^ frame.len() as u64)
}

fn play_hash(play: &banyan_protocol::io::Play) -> u64 {
    use banyan_protocol::io::Play;
    match play {
        Play::Tracks { tier, .. } => mix(1, u64::from(tier.0)),
        Play::Packet(packet) => mix(packet.pts as u64, packet.data.len() as u64),
        Play::Gap => 2,
    }
}

/// Events carry names and numbers; what serialises alike is alike.
fn event_hash(event: &banyan_protocol::event::Event) -> u64 {
    let text = serde_json::to_vec(event).expect("events serialise");
    text.chunks(8).fold(text.len() as u64, |all, chunk| {
        mix(
            all,
            chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        )
    })
}
