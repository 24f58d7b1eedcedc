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

    /// The mean depth of `nodes` over the stripes of `tier`; `None` if none of them has any.
    pub(crate) fn mean_depth(&self, tier: TierId, nodes: &[NodeIndex]) -> Option<f64> {
        let mut sum = 0;
        let mut count = 0;
        for node in nodes {
            for index in 0..self.prices.stripes(tier) {
                let Some(depth) = self.depth(*node, StripeId { tier, index }) else {
                    continue;
                };
                sum += depth;
                count += 1;
            }
        }
        (count > 0).then(|| sum as f64 / count as f64)
    }
}

/// The least mean depth of `receivers` viewers with these uplinks (in slots) in `stripes` trees, if the strongest are
/// nearest to the source and everybody is interior in one tree: viewers go to the trees in the order of their strength,
/// each to the one with the least uplink so far; within a tree the strongest sit highest, and those of other trees fill
/// the places that are left. Viewers that find no place are not counted.
pub(crate) fn least_depth(source_slots: u64, stripes: u8, viewers: &[u64]) -> f64 {
    let mut strongest = viewers.to_vec();
    strongest.sort_unstable_by(|a, b| b.cmp(a));
    let mut trees: Vec<(u64, Vec<u64>)> = vec![(0, Vec::new()); stripes.into()];
    for slots in strongest {
        let least = trees
            .iter_mut()
            .min_by_key(|(sum, _)| *sum)
            .expect("a tier has a stripe");
        least.0 += slots;
        least.1.push(slots);
    }
    let (mut sum, mut count) = (0, 0);
    for (index, (_, interior)) in trees.iter().enumerate() {
        let extra = u64::from((index as u64) < source_slots % u64::from(stripes));
        let root = source_slots / u64::from(stripes) + extra;
        let (depths, placed) = fill(root, interior, viewers.len() as u64);
        sum += depths;
        count += placed;
    }
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}

/// Fills one tree level by level; the sum of depths, and how many were placed.
fn fill(root: u64, interior: &[u64], viewers: u64) -> (u64, u64) {
    let (mut places, mut depth, mut sum, mut placed) = (root, 1, 0, 0);
    let mut strongest = interior.iter();
    while places > 0 && placed < viewers {
        let seated = places.min(viewers - placed);
        let next: u64 = strongest.by_ref().take(seated as usize).sum();
        placed += seated;
        sum += seated * depth;
        places = next;
        depth += 1;
    }
    (sum, placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::peer_id;
    use crate::prices::Prices;

    #[test]
    fn the_least_depth_by_hand() {
        // One tree, the source feeds 2, the strongest feeds 3, the next 1: depths 1 1 2 2 2 2.
        assert_eq!(least_depth(2, 1, &[0, 3, 1, 0, 0, 0]), 10.0 / 6.0);
        // Two trees with a root seat each: in either, one interior viewer of 3, then the others.
        assert_eq!(least_depth(2, 2, &[3, 3, 0, 0]), 7.0 / 4.0);
        assert_eq!(least_depth(4, 2, &[]), 0.0);
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
        assert_eq!(checks.mean_depth(TierId(1), &[1, 2, 3, 4]), Some(2.0));
        checks.attached.insert(1, vec![(stripe, 3)]);
        let broken = checks.no_ring(5, 2).unwrap_err();
        assert_eq!(broken.at, 5);
        assert!(broken.what.contains("ring"));
    }
}
