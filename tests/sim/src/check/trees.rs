//! Trees, as they really are: who gets a stripe from whom.

use super::{Attachments, Broken, Checks};
use crate::net::Micros;
use crate::world::NodeIndex;
use banyan_protocol::media::{StripeId, TierId};

impl Checks {
    fn parent(&self, node: NodeIndex, stripe: StripeId) -> Option<NodeIndex> {
        let attached: &Attachments = self.attached.get(&node)?;
        let found = attached.iter().find(|(other, _)| *other == stripe);
        found.map(|(_, parent)| *parent)
    }

    /// No way up from a node comes back to it.
    pub(super) fn no_ring(&mut self, now: Micros, node: NodeIndex) -> Result<(), Broken> {
        let stripes = self.attached.get(&node).cloned().unwrap_or_default();
        for (stripe, parent) in stripes {
            self.count += 1;
            self.walk(now, node, stripe, parent)?;
        }
        Ok(())
    }

    fn walk(&self, now: Micros, node: NodeIndex, stripe: StripeId, parent: NodeIndex) -> Result<(), Broken> {
        let mut way = vec![node];
        let mut at = Some(parent);
        while let Some(above) = at {
            if way.contains(&above) {
                return self.broken(
                    now,
                    format!("a ring in stripe {stripe}: {way:?} and then {above} again"),
                );
            }
            way.push(above);
            at = self.parent(above, stripe);
        }
        Ok(())
    }

    /// How deep a node is in a stripe's tree: 1 below the source. `None` if its way up does not reach it.
    fn depth(&self, node: NodeIndex, stripe: StripeId) -> Option<u64> {
        let mut depth = 0;
        let mut at = node;
        while at != self.source {
            at = self.parent(at, stripe)?;
            depth += 1;
        }
        Some(depth)
    }

    /// The mean depth of viewers over the stripes of the tiers that they play; `None` if none of them has any.
    pub(crate) fn mean_depth(&self, viewers: impl Iterator<Item = (NodeIndex, TierId)>) -> Option<f64> {
        let (mut sum, mut count) = (0, 0);
        for (node, tier) in viewers {
            for index in 0..self.prices.stripes(tier) {
                let Some(depth) = self.depth(node, StripeId { tier, index }) else {
                    continue;
                };
                sum += depth;
                count += 1;
            }
        }
        (count > 0).then(|| sum as f64 / count as f64)
    }
}

/// A tree that has yet to be built: who is to get it, and what uplink it has so far, in slots.
#[derive(Clone, Debug, Default)]
struct Plan {
    receivers: u64,
    root: u64,
    supply: u64,
    interior: Vec<u64>,
}

impl Plan {
    /// How little it has for each receiver, from none at all; trees that need nothing come last.
    fn wealth(&self, has: u64) -> u64 {
        (has * 1000).checked_div(self.receivers).unwrap_or(u64::MAX)
    }

    /// Fills it level by level, the strongest highest; the sum of depths, and how many were placed.
    fn fill(&self) -> (u64, u64) {
        let (mut places, mut depth, mut sum, mut placed) = (self.root, 1, 0, 0);
        let mut strongest = self.interior.iter();
        while places > 0 && placed < self.receivers {
            let seated = places.min(self.receivers - placed);
            placed += seated;
            sum += seated * depth;
            places = strongest.by_ref().take(seated as usize).sum();
            depth += 1;
        }
        (sum, placed)
    }
}

/// The least mean depth for viewers who play the full stream, in `stripes` trees, and others who play one stripe of the
/// lowest tier, given their uplinks and the source's in slots.
///
/// It is reckoned greedily, as in a forest in which everybody is interior in one tree: the source's slots go one by one
/// to the tree that has least of them a receiver; then viewers, the strongest first, each to the tree that has least
/// uplink a receiver; within a tree the strongest sit highest. Viewers that find no place are not counted.
pub(crate) fn least_depth(source_slots: u64, stripes: u8, full: &[u64], degraded: &[u64]) -> f64 {
    let of = |receivers: usize| Plan {
        receivers: receivers as u64,
        ..Plan::default()
    };
    let mut trees = vec![of(full.len()); stripes.into()];
    trees.push(of(degraded.len()));
    for _ in 0..source_slots {
        let poorest = trees.iter_mut().min_by_key(|tree| tree.wealth(tree.root));
        poorest.expect("there is a tree").root += 1;
    }
    let mut strongest = full.to_vec();
    strongest.sort_unstable_by(|a, b| b.cmp(a));
    for slots in strongest {
        let poorest = trees
            .iter_mut()
            .min_by_key(|tree| tree.wealth(tree.root + tree.supply));
        let poorest = poorest.expect("there is a tree");
        poorest.supply += slots;
        poorest.interior.push(slots);
    }
    let (sum, count) = trees
        .iter()
        .map(Plan::fill)
        .fold((0, 0), |all, tree| (all.0 + tree.0, all.1 + tree.1));
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::peer_id;
    use crate::prices::Prices;

    #[test]
    fn the_least_depth_by_hand() {
        // One tree, the source feeds 2, the strongest feeds 3, the next 1: depths 1 1 2 2 2 2.
        assert_eq!(least_depth(2, 1, &[0, 3, 1, 0, 0, 0], &[]), 10.0 / 6.0);
        // Two trees with a root seat each: in either, one interior viewer of 3, then the others.
        assert_eq!(least_depth(2, 2, &[3, 3, 0, 0], &[]), 7.0 / 4.0);
        // And one who plays less, and hangs from the source.
        assert_eq!(least_depth(3, 2, &[3, 3, 0, 0], &[0]), 15.0 / 9.0);
        assert_eq!(least_depth(4, 2, &[], &[]), 0.0);
    }

    #[test]
    fn rings_are_found_and_depths_counted() {
        let stripe = StripeId {
            tier: TierId(1),
            index: 0,
        };
        let mut checks = Checks::new(Prices::new(&[500, 600]), peer_id(1, 0));
        for (child, parent) in [(1, 0), (2, 1), (3, 2)] {
            checks.attached.insert(child, vec![(stripe, parent)]);
            assert_eq!(checks.no_ring(0, child), Ok(()));
        }
        assert_eq!(
            checks.mean_depth((1..=4).map(|node| (node, TierId(1)))),
            Some(2.0)
        );
        checks.attached.insert(1, vec![(stripe, 3)]);
        let broken = checks.no_ring(5, 2).unwrap_err();
        assert_eq!(broken.at, 5);
        assert!(broken.what.contains("ring"));
    }
}
