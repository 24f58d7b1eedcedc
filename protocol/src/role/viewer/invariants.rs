//! What must hold between any two calls.

use super::feed::Feed;
use super::{Phase, Viewer};
use crate::limits;
use crate::media::store::STRIPES;

impl Viewer {
    pub(super) fn assert_invariants(&self) {
        if self.phase == Phase::Over {
            assert!(self.wake.is_none(), "what has ended wants no wake");
            return;
        }
        assert!(self.feeds.len() <= STRIPES, "one feed a stripe");
        self.assert_punctual();
        assert!(
            self.links.inbound() <= limits::INBOUND_LINKS_MAX,
            "inbound links are bounded"
        );
        self.feeds.iter().for_each(|feed| self.assert_feed(feed));
        self.links.check_invariants();
        self.dials.check_invariants();
        self.book.check_invariants();
        self.pulls.check_invariants();
        self.reports.check_invariants();
        self.screen.check_invariants();
        self.forwarder.check_invariants();
    }

    fn assert_punctual(&self) {
        let round_trip = |link| self.links.round_trip(link);
        let first = self.feeds.iter().filter_map(|feed| feed.due(round_trip)).min();
        assert!(
            first.is_none_or(|first| self.feeds.due.is_some_and(|due| due <= first)),
            "no feed is due before we wake"
        );
        self.assert_calm();
    }

    fn assert_feed(&self, feed: &Feed) {
        let stripe = feed.stripe;
        if let Some(main) = &feed.main {
            assert!(
                main.rank.is_none_or(|rank| rank < feed.rank) || feed.trouble.is_some(),
                "the parent of {stripe} stands above us"
            );
            assert!(
                main.link.is_some() || feed.trouble.is_some() || feed.grant.is_err(),
                "a healthy parent is linked"
            );
        }
        for link in [&feed.main, &feed.next]
            .into_iter()
            .flatten()
            .filter_map(|source| source.link)
        {
            let asked = self.links.asked(link);
            assert!(
                asked.is_none_or(|asked| asked.covers(stripe)),
                "{stripe} comes from nobody who was not asked"
            );
            assert!(
                asked.is_some() || !self.is_live(),
                "{stripe} comes on a link that is there"
            );
        }
        assert!(
            feed.grant.is_err() || self.ticket.is_some(),
            "{stripe} is held by a ticket"
        );
        if let (Some(main), Some(next)) = (&feed.main, &feed.next) {
            let same = main.peer == next.peer && feed.trouble.is_none();
            assert!(!same, "{stripe} moves to where it is");
        }
    }
}
