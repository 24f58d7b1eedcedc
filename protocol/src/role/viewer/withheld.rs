//! Parents that say that nothing comes: how long they are believed, and who is told.

use super::Viewer;
use super::feed::{Fault, Source};
use crate::io::Outbox;
use crate::limits::SPREAD;
use crate::time::{Duration, Instant};
use crate::wire::control::Accusation;

/// A parent that says that nothing comes is believed for so long: repairs above it take half of that.
const BELIEVED: Duration = Duration::from_millis(1_200);

/// So many chunks that others had meanwhile are no accident.
const WITHHELD: u8 = 3;

/// What a parent lacks for so long does not come right behind what it sends of other stripes: after a pause all come at once, one
/// after the other.
const LACKS_FOR: Duration = Duration::from_millis(150);

impl Viewer {
    /// Somebody else had a chunk.
    pub(super) fn on_flow_elsewhere(&mut self, at: usize, block: u64) {
        let feed = self.feeds.flowing(at);
        let main = feed.main.as_ref().filter(|_| feed.trouble.is_none());
        let lacks = |main: &&Source| main.newest.is_none_or(|newest| block > newest);
        if main.filter(lacks).is_some() {
            feed.elsewhere = feed.elsewhere.saturating_add(1);
        }
    }

    /// A parent says that nothing comes. It is believed while whoever failed above it is replaced; after that it is left, and if others
    /// had what it lacks, it is told of.
    pub(super) fn on_nothing(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        self.tell_of_lack(now, at);
        let feed = &self.feeds[at];
        let flowed = feed.flowed.filter(|_| feed.healthy().is_some());
        if flowed.is_some_and(|flowed| now.since(flowed) >= BELIEVED) && self.edge.0 > feed.reached() {
            let fault = if feed.elsewhere >= WITHHELD {
                Fault::Withheld
            } else {
                Fault::Starved
            };
            self.feeds[at].elsewhere = 0;
            self.fault(now, at, fault, out);
        }
    }

    /// A parent sends other stripes on while it says of this one that nothing comes. If that is no matter of the moment, the coordinator,
    /// which knows whether both come to it by the same way, is told.
    fn tell_of_lack(&mut self, now: Instant, at: usize) {
        let feed = &self.feeds[at];
        let main = feed.healthy().filter(|main| main.link.is_some());
        let Some((main, newest)) = main.and_then(|main| Some((main, main.newest?))) else {
            return;
        };
        let beside = self.feeds.iter().filter_map(|other| {
            let its = other.healthy().filter(|its| its.link == main.link)?;
            its.newest.filter(|_| other.stripe.tier == feed.stripe.tier)
        });
        if beside.max().is_none_or(|beside| beside < newest + SPREAD) {
            return;
        }
        let (peer, stripe) = (main.peer, feed.stripe);
        let known = feed.lacks.filter(|(block, _)| *block == newest);
        let Some(since) = known.map_or(Some(now), |(_, since)| since) else {
            return;
        };
        let lasts = now.since(since) >= LACKS_FOR;
        self.feeds.flowing(at).lacks = Some((newest, (!lasts).then_some(since)));
        if lasts {
            self.reports.accuse(peer, Accusation::Lacks(stripe));
        }
    }
}
