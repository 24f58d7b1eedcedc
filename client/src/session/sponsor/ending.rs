//! The end of this person's relays, one by one and all at the end of the session.

use super::relay::{Ordered, Running};
use super::{Outcome, Sponsor};
use crate::notice::Own;
use banyan_cloud::child::message::Target;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_protocol::io::{EndReason, RelayState};
use banyan_protocol::wire::lease::LeaseId;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a session that ends waits for its relays to be ended.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

impl Sponsor {
    /// Ends a relay, however far it is.
    pub(super) fn terminate(&mut self, relay: u64, why: EndReason) -> Outcome {
        let Some(ordered) = self.relays.remove(&relay) else {
            return Outcome::default();
        };
        let cost = ordered.running.as_ref().map_or(Usd::ZERO, Running::cost);
        self.purse.settle(relay, cost);
        let ended = |running| self.told(relay, running, RelayState::Ended, 0, None);
        let failure = why_ended(why, ordered.lease);
        let warning = |failure: &Failure| Own::Warning {
            message: failure.to_string(),
        };
        let notices = ordered.running.as_ref().map(ended).into_iter();
        let notices = notices.chain(failure.as_ref().map(warning)).collect();
        self.end(ordered);
        Outcome {
            notices,
            failure,
            is_last: self.relays.is_empty(),
            ..Outcome::default()
        }
    }

    /// Has the provider end everything of a lease, also what it is about to launch.
    pub(super) fn end(&mut self, ordered: Ordered) {
        let Some(cloud) = self.cloud.clone() else { return };
        let lease = ordered.lease;
        self.doomed.insert(lease);
        self.endings.spawn(async move {
            ordered.launch.abort();
            // Until it has stopped, it may still be asking for the launch, behind our back.
            let _ = ordered.launch.await;
            let asked = cloud
                .terminate(Target::Lease(lease), "its sponsor ended it")
                .await;
            let ended = match asked {
                // It was given up before the provider was asked for anything.
                Err(failure) if failure.why == Why::NoRelay => Ok(()),
                ended => ended,
            };
            (lease, ended)
        });
    }

    /// Waits until what is being ended has ended, and ends the child.
    ///
    /// # Errors
    /// If a relay may be running that should not.
    pub(in crate::session) async fn finish(mut self) -> Result<(), Failure> {
        let mut failures = Vec::new();
        let all = async {
            while self.errands.join_next().await.is_some() {}
            while let Some(ended) = self.endings.join_next().await {
                let (lease, ended) = ended.expect("ending a relay does not panic");
                self.doomed.remove(&lease);
                failures.extend(ended.err());
            }
        };
        if timeout(ENDS_WITHIN, all).await.is_err() {
            let unsure = Failure::new(Why::Unsure, "the provider does not say that the relay has ended");
            let doomed = self.doomed.iter().map(|lease| format!("relay {lease}"));
            failures.push(unsure.leaving(doomed));
        }
        self.errands.shutdown().await;
        self.endings.shutdown().await;
        if let Some(cloud) = self.cloud.and_then(Arc::into_inner) {
            cloud.close().await;
        }
        all_of(failures)
    }
}

/// The first failure, with what may be running because of any of them.
fn all_of(failures: Vec<Failure>) -> Result<(), Failure> {
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Ok(());
    };
    Err(first.leaving(failures.flat_map(|failure| failure.may_run)))
}

/// Why a relay that should have served is ended, in words; nothing for one that has done its work.
fn why_ended(why: EndReason, lease: LeaseId) -> Option<Failure> {
    let (why, sentence) = match why {
        EndReason::Done => return None,
        EndReason::Late => (
            Why::Deadline,
            format!(
                "relay {lease} was started and did not answer within 3 minutes; it is ended: try another region or image"
            ),
        ),
        EndReason::Version => (
            Why::Image,
            format!(
                "relay {lease} is of another version of Banyan than this program; it is ended: use the image or release of this version"
            ),
        ),
        EndReason::Lost => (
            Why::Vanished,
            format!("relay {lease} does not answer any more; it is ended"),
        ),
        EndReason::Unwanted => (
            Why::Refused,
            format!(
                "the broadcaster has no use for relay {lease}: it is not reached from outside, or its lease is about to end; it is ended, so that it costs nothing more"
            ),
        ),
    };
    Some(Failure::new(why, sentence))
}
