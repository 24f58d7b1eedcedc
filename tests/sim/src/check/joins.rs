//! How often somebody has to move because a viewer has come: on one stripe, and once, at most.

use super::Attachments;
use crate::net::{Micros, SECOND};
use crate::world::NodeIndex;
use banyan_protocol::media::StripeId;
use std::collections::{BTreeMap, BTreeSet};

/// Moves within so long after a viewer has come are held to be its doing.
const AFTERMATH: Micros = 10 * SECOND;

/// Watches the time after a viewer has come, until something else happens.
#[derive(Debug, Default)]
pub(super) struct Joins {
    after: Option<Aftermath>,
    /// Moves of viewers that had moved for the same newcomer already, on whatever stripe, over all newcomers.
    pub(super) moved_again: u64,
}

/// Where all others have their stripes from, and who has moved.
#[derive(Debug)]
struct Aftermath {
    until: Micros,
    parents: BTreeMap<(NodeIndex, StripeId), NodeIndex>,
    moved: BTreeSet<NodeIndex>,
}

impl Joins {
    /// A viewer comes now.
    pub(super) fn came(&mut self, now: Micros, attached: &BTreeMap<NodeIndex, Attachments>) {
        let all = attached.iter().flat_map(|(child, places)| {
            let keyed = move |(stripe, parent): &(StripeId, NodeIndex)| ((*child, *stripe), *parent);
            places.iter().map(keyed)
        });
        self.after = Some(Aftermath {
            until: now + AFTERMATH,
            parents: all.collect(),
            moved: BTreeSet::new(),
        });
    }

    /// Something else happens, of which moves may come as well.
    pub(super) fn disturbed(&mut self) {
        self.after = None;
    }

    /// A node has these parents now.
    pub(super) fn look_at(&mut self, now: Micros, node: NodeIndex, fresh: &Attachments) {
        let Some(after) = self.after.as_mut().filter(|after| now < after.until) else {
            return;
        };
        for (stripe, parent) in fresh {
            let former = after.parents.get_mut(&(node, *stripe));
            if let Some(former) = former.filter(|former| *former != parent) {
                *former = *parent;
                self.moved_again += u64::from(!after.moved.insert(node));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::stripe;

    #[test]
    fn a_viewers_second_move_is_one_too_many() {
        let from = |parents: [NodeIndex; 2]| vec![(stripe(0), parents[0]), (stripe(1), parents[1])];
        let mut joins = Joins::default();
        joins.came(SECOND, &BTreeMap::from([(1, from([0, 0])), (4, from([0, 0]))]));
        joins.look_at(2 * SECOND, 1, &from([2, 0]));
        joins.look_at(2 * SECOND, 4, &from([0, 2]));
        joins.look_at(2 * SECOND, 3, &from([1, 2]));
        joins.look_at(2 * SECOND, 3, &from([2, 1]));
        assert_eq!(joins.moved_again, 0, "two viewers, and who was not there before");
        joins.look_at(2 * SECOND, 1, &from([2, 2]));
        assert_eq!(joins.moved_again, 1, "its other stripe");
        joins.look_at(3 * SECOND, 1, &from([0, 2]));
        assert_eq!(joins.moved_again, 2, "there and back");
        joins.look_at(SECOND + AFTERMATH, 1, &from([2, 2]));
        assert_eq!(joins.moved_again, 2);
        joins.came(20 * SECOND, &BTreeMap::from([(1, from([0, 0]))]));
        joins.disturbed();
        joins.look_at(21 * SECOND, 1, &from([2, 2]));
        assert_eq!(joins.moved_again, 2, "something else happened");
    }
}
