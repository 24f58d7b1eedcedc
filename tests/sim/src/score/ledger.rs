//! What the broadcaster says on control lanes, by kind and by what was new in it: where the bytes of
//! `control_bps_per_viewer` go.

use super::tickets::Tickets;
use crate::world::NodeIndex;
use banyan_protocol::media::schedule::wire::wire_bytes;
use banyan_protocol::wire::control::{Assign, Message};
use banyan_protocol::wire::ticket::{Grant, Ticket, TicketLane};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Sums by kind.
#[derive(Default)]
pub(crate) struct Ledger {
    told: BTreeMap<NodeIndex, (Assign, Ticket)>,
    lanes: BTreeMap<NodeIndex, TicketLane>,
    lines: BTreeMap<String, (u64, u64)>,
    /// Wire bytes, Ethernet to QUIC, if nothing shared a datagram.
    alone: u64,
}

impl Ledger {
    /// The broadcaster says something.
    pub(super) fn said(&mut self, to: NodeIndex, frame: &Bytes, tickets: &Tickets) {
        let lane = self.lanes.entry(to).or_default();
        let Ok(message) = Message::parse(frame).and_then(|message| lane.receive(message)) else {
            return;
        };
        let bytes = frame.len() as u64;
        self.alone += wire_bytes(bytes);
        match message {
            Message::Assign(assign) => {
                if let Ok(ticket) = tickets.read(to, &assign.ticket) {
                    self.assign(to, assign, ticket, bytes);
                }
            }
            other => self.book(super::pulse::kind(&other), bytes),
        }
    }

    fn book(&mut self, kind: String, bytes: u64) {
        let line = self.lines.entry(kind).or_default();
        *line = (line.0 + 1, line.1 + bytes);
    }

    fn assign(&mut self, to: NodeIndex, assign: Assign, ticket: Ticket, bytes: u64) {
        let known = self.told.get(&to);
        let kind = known.map_or("assign, first".into(), |former| news(former, &(&assign, &ticket)));
        self.book(kind, bytes);
        for _ in &assign.peers {
            self.book("  introduction".into(), 0);
        }
        self.told.insert(to, (assign, ticket));
    }

    /// A table for people.
    pub(crate) fn table(&self, viewer_seconds: f64) -> String {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by_key(|(_, (_, bytes))| std::cmp::Reverse(*bytes));
        let line = |(kind, (count, bytes)): (&String, &(u64, u64))| {
            let mean = *bytes as f64 / *count as f64;
            let rate = 8.0 * *bytes as f64 / viewer_seconds;
            format!("{kind:<44} {count:7} × {mean:6.0} bytes {rate:7.1} bit/s a viewer")
        };
        let mut text: Vec<String> = lines.into_iter().map(line).collect();
        let alone = 8.0 * self.alone as f64 / viewer_seconds;
        text.push(format!(
            "{:<44} {alone:.1} bit/s a viewer",
            "on the wire, if each has a datagram of its own"
        ));
        text.join("\n")
    }
}

/// What is new in an `Assign`.
fn news((old, before): &(Assign, Ticket), (new, after): &(&Assign, &Ticket)) -> String {
    let mut news = Vec::new();
    if (old.tier, old.why) != (new.tier, new.why) {
        news.push("tier");
    }
    let changed = |part: &dyn Fn(&Grant) -> Vec<u8>| {
        after.grants.iter().any(|grant| {
            let former = before.grant(grant.stripe);
            former.is_none_or(|former| part(former) != part(grant))
        })
    };
    if changed(&|grant| grant.parent.0.to_vec()) || before.grants.len() > after.grants.len() {
        news.push("parent");
    }
    if changed(&|grant| grant.spare.map(|spare| spare.0.to_vec()).unwrap_or_default()) {
        news.push("spare");
    }
    if news.is_empty() && changed(&|grant| grant.rank.0.to_le_bytes().to_vec()) {
        news.push("rank");
    }
    if news.is_empty() && before.class != after.class {
        news.push("class");
    }
    if news.is_empty() {
        news.push("nothing");
    }
    format!("assign, {}", news.join(" "))
}
