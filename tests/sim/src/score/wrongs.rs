//! What came of members that go wrong: whether they were named, and whom they harmed.

use crate::net::Micros;
use crate::world::NodeIndex;
use banyan_protocol::id::PeerId;
use banyan_protocol::io::Lane;
use std::collections::{BTreeMap, BTreeSet};

/// Members that go wrong, and those who suffer from it.
#[derive(Debug, Default)]
pub(crate) struct Wrongs {
    /// Who cheats, and since when.
    cheats: BTreeMap<PeerId, Micros>,
    /// Of them, who was named by the broadcaster, and when first.
    pub(crate) named: BTreeMap<PeerId, Micros>,
    /// Others whom the broadcaster named, when, and for what.
    pub(crate) wrongly_named: BTreeMap<PeerId, (Micros, String)>,
    /// Whose harm is their own affair: cheats, and who sponsors one.
    accomplices: BTreeSet<NodeIndex>,
    /// Stalls of everybody else since.
    pub(crate) stalls: u64,
    /// Sponsors of relays whose uplinks became too small, since when, and what each had lost by then.
    served_first: BTreeMap<NodeIndex, (Micros, u64)>,
    /// Their stalls since, and the blocks that they lost.
    pub(crate) sponsor_stalls: u64,
    pub(crate) sponsor_lost: BTreeMap<NodeIndex, u64>,
    /// How often they showed a lower tier.
    pub(crate) sponsor_falls: u64,
    /// The keys of one address.
    crowd: BTreeSet<NodeIndex>,
    crowd_since: Option<Micros>,
    /// How often each other person was asked to sponsor since they came.
    prompts: BTreeMap<NodeIndex, u64>,
    /// Bytes that relays sent since then, and of those what went to them.
    relay_bytes: (u64, u64),
}

impl Wrongs {
    /// A member cheats from `at` on, to the good of some.
    pub(crate) fn cheats(
        &mut self,
        at: Micros,
        cheat: PeerId,
        accomplices: impl IntoIterator<Item = NodeIndex>,
    ) {
        self.cheats.insert(cheat, at);
        self.accomplices.extend(accomplices);
    }

    /// A relay's uplink has become too small.
    pub(crate) fn is_overloaded(&mut self, now: Micros, sponsor: NodeIndex) {
        let lost = self.sponsor_lost.remove(&sponsor).unwrap_or_default();
        self.served_first.insert(sponsor, (now, lost));
    }

    /// One of many keys of one address comes.
    pub(crate) fn crowds(&mut self, now: Micros, node: NodeIndex) {
        self.crowd_since.get_or_insert(now);
        self.crowd.insert(node);
    }

    /// How many cheat.
    pub(crate) fn count(&self) -> u64 {
        self.cheats.len() as u64
    }

    /// Whether that is one of them.
    pub(crate) fn is_cheat(&self, peer: &PeerId) -> bool {
        self.cheats.contains_key(peer)
    }

    /// The longest from the first misdeed until the broadcaster named the cheat.
    pub(crate) fn named_after(&self) -> Micros {
        let after = |(peer, at): (&PeerId, &Micros)| at.saturating_sub(self.cheats[peer]);
        self.named.iter().map(after).max().unwrap_or_default()
    }

    /// The broadcaster names somebody.
    pub(super) fn blamed(&mut self, now: Micros, peer: PeerId, what: &str) {
        match self.cheats.get(&peer) {
            Some(since) if now >= *since => {
                self.named.entry(peer).or_insert(now);
            }
            _ => {
                let what = (now, what.to_owned());
                self.wrongly_named.entry(peer).or_insert(what);
            }
        }
    }

    pub(super) fn stalled(&mut self, now: Micros, node: NodeIndex) {
        let first = self.cheats.values().min();
        let since = first.is_some_and(|first| now >= *first);
        self.stalls += u64::from(since && !self.accomplices.contains(&node));
        self.sponsor_stalls += u64::from(self.served_first.contains_key(&node));
    }

    /// A viewer shows a lower tier than it did.
    pub(super) fn fell(&mut self, node: NodeIndex) {
        self.sponsor_falls += u64::from(self.served_first.contains_key(&node));
    }

    /// How many blocks a viewer has lost so far.
    pub(super) fn lost(&mut self, node: NodeIndex, blocks: u64) {
        let before = self.served_first.get(&node).map_or(0, |(_, before)| *before);
        self.sponsor_lost.insert(node, blocks - before.min(blocks));
    }

    /// Blocks that sponsors lost since their relays' uplinks were too small.
    pub(crate) fn sponsors_lost(&self) -> u64 {
        let theirs = self.served_first.keys();
        theirs.filter_map(|node| self.sponsor_lost.get(node)).sum()
    }

    pub(super) fn prompted(&mut self, node: NodeIndex) {
        if self.crowd_since.is_some() && !self.crowd.contains(&node) {
            *self.prompts.entry(node).or_default() += 1;
        }
    }

    /// The most prompts that any person got because of them.
    pub(crate) fn prompts_max(&self) -> u64 {
        self.prompts.values().copied().max().unwrap_or_default()
    }

    pub(super) fn relay_sent(&mut self, to: NodeIndex, lane: Lane, bytes: usize) {
        if lane != Lane::Control && self.crowd_since.is_some() {
            self.relay_bytes.0 += bytes as u64;
            self.relay_bytes.1 += if self.crowd.contains(&to) { bytes as u64 } else { 0 };
        }
    }

    /// The share of relays' bytes that went to them.
    pub(crate) fn crowd_share(&self) -> f64 {
        self.relay_bytes.1 as f64 / self.relay_bytes.0.max(1) as f64
    }
}
