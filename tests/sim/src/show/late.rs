//! Who is not at the live edge, and below whom it falls behind, for whoever looks for a bug.

use super::Show;
use crate::net::{Micros, SECOND};
use crate::world::NodeIndex;
use banyan_protocol::media::StripeId;

/// The longest path that is looked at.
const PATH_MAX: usize = 32;

/// A path to the source on which this many blocks are lost is told.
const BEHIND: u64 = 15;

impl Show {
    /// Prints a line for each viewer that is late, and in it the stripes that are.
    pub(super) fn tell_late(&self) {
        let now = self.world.now();
        for (node, seat) in &self.world.watch.seats {
            let watches = self.cast.contains(node) && self.world.node(*node).runs();
            if watches && !seat.is_live(now) {
                let (up, capped) = (seat.person.uplink, seat.person.capped);
                let age = (now - seat.joined) / SECOND;
                let stripes = self.stripes(*node);
                eprintln!(
                    "{:5} s: node {node} (age {age} s, gives {up}, capped {capped}) plays {:?} late by {:?} ms: {stripes}",
                    now / SECOND,
                    seat.tier.map(|tier| tier.0),
                    seat.last.map(|(_, n)| (now - crate::score::captured(n)) / 1000),
                );
            }
        }
    }

    fn stripes(&self, node: NodeIndex) -> String {
        let holdings = self.holdings(node).into_iter();
        let told = holdings.filter_map(|(stripe, newest, lacking)| {
            let late = self.block().saturating_sub(lacking) > BEHIND;
            late.then(|| {
                let path = self.path(node, stripe);
                format!(
                    "[{stripe} newest {} lacking {}: {path}]",
                    self.age(newest),
                    self.age(lacking)
                )
            })
        });
        told.collect::<Vec<_>>().join(" ")
    }

    /// The way up to the source, and how many blocks behind it each node is.
    fn path(&self, node: NodeIndex, stripe: StripeId) -> String {
        let mut path = format!("{node}");
        let mut at = node;
        for _ in 0..PATH_MAX {
            let Some(parent) = self.checks.parent(at, stripe) else {
                return path + " < nobody";
            };
            if parent == self.source {
                return path + " < source";
            }
            let holds = self.holdings(parent).into_iter().find(|(of, ..)| *of == stripe);
            let (newest, lacking) = holds.map_or((0, 0), |(_, newest, lacking)| (newest, lacking));
            let seat = self.world.watch.seats.get(&parent);
            let line = seat.map_or("a relay".into(), |seat| {
                let kind = if seat.person.capped { "capped" } else { "measured" };
                format!("{} {kind}", seat.person.uplink)
            });
            let feeds = self
                .world
                .node(parent)
                .machine()
                .map_or(0, |machine| machine.children().len());
            path += &format!(
                " < {parent} (-{}/-{}, {line}, feeds {feeds})",
                self.age(newest),
                self.age(lacking),
            );
            at = parent;
        }
        path + " < ..."
    }

    fn holdings(&self, node: NodeIndex) -> Vec<(StripeId, u64, u64)> {
        let machine = self.world.node(node).machine();
        machine.map(|machine| machine.holdings()).unwrap_or_default()
    }

    fn age(&self, block: u64) -> u64 {
        self.block().saturating_sub(block)
    }

    /// The live block of a broadcaster that never restarted.
    fn block(&self) -> u64 {
        let tick: Micros = SECOND / 10;
        self.world.now() / tick
    }
}
