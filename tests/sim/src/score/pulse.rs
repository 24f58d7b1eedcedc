//! The pulse of a run: what travelled in each second, by kind, for whoever looks for a bug.

use crate::net::{Micros, SECOND};
use crate::world::NodeIndex;
use banyan_protocol::io::Lane;
use banyan_protocol::media::StripeId;
use banyan_protocol::wire::chunk::Data;
use banyan_protocol::wire::control::Message;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Chunks older than this many blocks are forgotten by the counter of doubles.
const REMEMBERED: u64 = 200;

/// Counts what comes, by kind.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    counts: BTreeMap<String, u64>,
    seen: BTreeMap<NodeIndex, BTreeSet<(u64, StripeId)>>,
    handled: u64,
}

impl Pulse {
    pub(crate) fn came(&mut self, to: NodeIndex, lane: Lane, frame: &Bytes) {
        match lane {
            Lane::Control => self.control(frame),
            Lane::Data(_) => self.data(to, frame),
        }
    }

    fn control(&mut self, frame: &Bytes) {
        let Ok(message) = Message::parse(frame) else {
            return;
        };
        let (name, by) = match &message {
            Message::Pull(pull) => ("pulled blocks".into(), pull.blocks.len() as u64),
            Message::Detached { why, .. } => (format!("detached {why:?}"), 1),
            Message::Orphaned(orphaned) => (format!("orphaned {:?}", orphaned.why), 1),
            Message::Moved(moved) if moved.planned => ("moved by plan".into(), 1),
            Message::Report(report) if !report.children_in_time => ("report of lateness".into(), 1),
            other => (kind(other), 1),
        };
        *self.counts.entry(name).or_default() += by;
    }

    fn data(&mut self, to: NodeIndex, frame: &Bytes) {
        let name = match Data::parse(frame.clone()) {
            Ok(Data::Chunk(chunk)) => self.chunk(to, chunk.header.block, chunk.header.stripe),
            Ok(Data::Late { .. }) => "late marks",
            Ok(Data::Layout(_)) => "layouts",
            Err(_) => "garbage",
        };
        *self.counts.entry(name.into()).or_default() += 1;
    }

    fn chunk(&mut self, to: NodeIndex, block: u64, stripe: StripeId) -> &'static str {
        let seen = self.seen.entry(to).or_default();
        let is_new = seen.insert((block, stripe));
        let old = seen
            .iter()
            .take_while(|(other, _)| other + REMEMBERED < block)
            .count();
        for _ in 0..old {
            seen.pop_first();
        }
        if is_new { "chunks" } else { "chunks twice" }
    }

    /// Prints what came in the last second, to standard error.
    pub(crate) fn beat(&mut self, now: Micros, handled: u64) {
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let inputs = handled - std::mem::replace(&mut self.handled, handled);
        eprintln!("{:5} s: {inputs} inputs, {}", now / SECOND, counts.join(", "));
        self.counts.clear();
    }
}

/// The first word of what it looks like.
pub(super) fn kind(message: &Message) -> String {
    let text = format!("{message:?}");
    let end = text
        .find(|letter: char| !letter.is_alphanumeric())
        .unwrap_or(text.len());
    text[..end].to_lowercase()
}
