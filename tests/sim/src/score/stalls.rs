//! How often viewers stood still, and what for.

use crate::net::{Micros, SECOND};
use crate::world::NodeIndex;
use std::collections::BTreeMap;

/// Who has watched for so long is no newcomer any more: its parents have worked off what it lacked.
const NEWCOMER: Micros = 15 * SECOND;

/// Who goes over to another quality within so long before or after it stands still, stands still for that.
const GOES_OVER: Micros = 3 * SECOND;

/// All stalls of a run.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    /// However they came about.
    pub(crate) all: u64,
    /// Of viewers that had watched for long.
    pub(crate) settled: u64,
    /// Of those, where the quality stayed the same: whose, and when.
    kept: Vec<(NodeIndex, Micros)>,
    /// When a viewer went over to another quality last.
    went_over: BTreeMap<NodeIndex, Micros>,
}

impl Stalls {
    /// A viewer that joined at `joined` stands still.
    pub(crate) fn stalled(&mut self, now: Micros, node: NodeIndex, joined: Micros) {
        self.all += 1;
        if now < joined + NEWCOMER {
            return;
        }
        self.settled += 1;
        if self.went_over.get(&node).is_none_or(|at| now >= at + GOES_OVER) {
            self.kept.push((node, now));
        }
    }

    /// A viewer shows another quality.
    pub(crate) fn goes_over(&mut self, now: Micros, node: NodeIndex) {
        self.went_over.insert(node, now);
        self.kept
            .retain(|(other, at)| *other != node || now >= at + GOES_OVER);
    }

    /// Stalls of viewers that had watched for long, and kept the quality that they had.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_and_who_goes_over_to_another_quality_are_told_apart() {
        let mut stalls = Stalls::default();
        let at = |s: u64| s * SECOND;
        stalls.stalled(at(14), 1, 0);
        stalls.stalled(at(20), 1, 0);
        stalls.stalled(at(20), 2, 0);
        stalls.goes_over(at(22), 2);
        stalls.stalled(at(24), 2, 0);
        stalls.stalled(at(26), 2, 0);
        assert_eq!((stalls.all, stalls.settled, stalls.kept()), (5, 4, 2));
    }
}
