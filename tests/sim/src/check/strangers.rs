//! Who moves after a viewer has failed although its own parents live: nobody should.

use super::Attachments;
use crate::net::{MILLISECOND, Micros, SECOND};
use crate::world::NodeIndex;
use banyan_protocol::media::StripeId;
use std::collections::{BTreeMap, BTreeSet};

/// Moves within so long after a failure are held to be its doing, but not those of the first moment: nobody can know of it yet.
const AFTERMATH: Micros = 5 * SECOND;
const UNKNOWN: Micros = 300 * MILLISECOND;

/// Watches the time after a failure, until something else happens.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    after: Option<Aftermath>,
    /// Stripes that moved, over all failures.
    pub(super) moved: u64,
}

/// One failure: who failed, what its children had from it, and where all others were.
#[derive(Debug)]
struct Aftermath {
    from: Micros,
    until: Micros,
    failed: NodeIndex,
    concerned: BTreeSet<(NodeIndex, StripeId)>,
    settled: BTreeMap<NodeIndex, Attachments>,
}

impl Strangers {
    /// A node fails now.
    pub(super) fn failed(
        &mut self,
        now: Micros,
        node: NodeIndex,
        attached: &BTreeMap<NodeIndex, Attachments>,
    ) {
        let all = attached
            .iter()
            .flat_map(|(child, places)| places.iter().map(move |place| (*child, *place)));
        let concerned = all.filter(|(_, (_, parent))| *parent == node);
        let concerned = concerned.map(|(child, (stripe, _))| (child, stripe)).collect();
        self.after = Some(Aftermath {
            from: now + UNKNOWN,
            until: now + AFTERMATH,
            failed: node,
            concerned,
            settled: attached.clone(),
        });
    }

    /// Something else happens, of which moves may come as well.
    pub(super) fn disturbed(&mut self) {
        self.after = None;
    }

    /// A node has these parents now: counts the stripes that it has not from where it had them before the failure.
    pub(super) fn look_at(&mut self, now: Micros, node: NodeIndex, fresh: &Attachments) {
        let watched = |after: &&mut Aftermath| now < after.until && node != after.failed;
        let Some(after) = self.after.as_mut().filter(watched) else {
            return;
        };
        let Some(settled) = after.settled.get_mut(&node) else {
            return;
        };
        let before = settled.len();
        let concerned = &after.concerned;
        settled.retain(|place| fresh.contains(place) || concerned.contains(&(node, place.0)));
        if now >= after.from {
            self.moved += (before - settled.len()) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::stripe;

    #[test]
    fn only_whose_parents_live_are_strangers() {
        let attached = BTreeMap::from([
            (1, vec![(stripe(0), 0), (stripe(1), 2)]),
            (2, vec![(stripe(0), 0), (stripe(1), 0)]),
            (3, vec![(stripe(0), 1), (stripe(1), 2)]),
        ]);
        let mut strangers = Strangers::default();
        strangers.failed(SECOND, 2, &attached);
        let repaired = vec![(stripe(0), 1), (stripe(1), 0)];
        strangers.look_at(2 * SECOND, 3, &repaired);
        strangers.look_at(2 * SECOND, 2, &Vec::new());
        assert_eq!(strangers.moved, 0, "an orphan, and who failed itself");
        let elsewhere = vec![(stripe(0), 3), (stripe(1), 0)];
        for _ in 0..2 {
            strangers.look_at(2 * SECOND, 1, &elsewhere);
            strangers.look_at(2 * SECOND, 4, &elsewhere);
            assert_eq!(strangers.moved, 1, "counted once, and newcomers not at all");
        }
        strangers.failed(3 * SECOND, 2, &attached);
        strangers.look_at(3 * SECOND + UNKNOWN / 2, 1, &elsewhere);
        strangers.look_at(4 * SECOND, 1, &elsewhere);
        assert_eq!(strangers.moved, 1, "it was under way when the other failed");
        strangers.disturbed();
        strangers.look_at(4 * SECOND, 3, &Vec::new());
        assert_eq!(strangers.moved, 1);
    }
}
