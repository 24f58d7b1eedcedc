//! Trees, as they really are: who gets a stripe from whom.

use super::{Attachments, Broken, Checks};
use crate::net::Micros;
use crate::world::NodeIndex;
use banyan_protocol::media::{StripeId, TierId};

impl Checks {
    pub(crate) fn parent(&self, node: NodeIndex, stripe: StripeId) -> Option<NodeIndex> {
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

    /// How deep a node is in a stripe's tree: 1 below the source. `None` if its way up does not reach it, because of a ring, too.
    fn depth(&self, node: NodeIndex, stripe: StripeId) -> Option<u64> {
        let mut depth = 0;
        let mut at = node;
        while at != self.source {
            at = self.parent(at, stripe)?;
            depth += 1;
            if depth > self.attached.len() as u64 {
                return None;
            }
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

/// The least mean depth over `seats`: no forest in which the source and viewers have so many slots has a lesser one.
///
/// Below the source there are as many seats as it has slots. Whoever is to feed others sits in one of them, or deeper, and has
/// no more slots than it has: so the next level has most seats if the strongest sit in this one, each in one tree. That
/// goes on until all seats are filled; whether a real forest can be so well balanced over its trees, is not asked.
pub(crate) fn least_depth(source_slots: u64, viewers: &[u64], seats: u64) -> f64 {
    let mut strongest = viewers.to_vec();
    strongest.sort_unstable_by(|a, b| b.cmp(a));
    let mut strongest = strongest.into_iter();
    let (mut level, mut depth, mut sum, mut filled) = (source_slots, 1, 0, 0);
    while level > 0 && filled < seats {
        let seated = level.min(seats - filled);
        filled += seated;
        sum += seated * depth;
        level = strongest.by_ref().take(seated as usize).sum();
        depth += 1;
    }
    if filled == 0 {
        0.0
    } else {
        sum as f64 / filled as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::peer_id;
    use crate::prices::Prices;

    #[test]
    fn the_least_depth_by_hand() {
        // The source feeds 2, the strongest feeds 3, the next 1: depths 1 1 2 2 2 2.
        assert_eq!(least_depth(2, &[0, 3, 1, 0, 0, 0], 6), 10.0 / 6.0);
        // Two stripes for four viewers, two of whom feed 3 each: two seats below the source, the other six below those.
        assert_eq!(least_depth(2, &[3, 3, 0, 0], 8), 14.0 / 8.0);
        // Three levels: 1, 2, and one more.
        assert_eq!(least_depth(1, &[2, 1, 0], 4), 8.0 / 4.0);
        assert_eq!(least_depth(4, &[], 0), 0.0);
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
        assert_eq!(checks.mean_depth([(2, TierId(1))].into_iter()), None);
    }
}
