//! What a session knows of one relay, and what that has cost.

use banyan_cloud::money::Usd;
use banyan_cloud::plan::Plan;
use banyan_cloud::provider::Kind;
use banyan_cloud::region::Region;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::task::JoinHandle;

/// A relay that was ordered.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) lease: LeaseId,
    /// The task that launches it.
    pub(super) launch: JoinHandle<()>,
    /// Once it is planned.
    pub(super) running: Option<Running>,
}

/// A relay that was planned, and is launched or runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// Whose machine it is.
    pub(super) provider: Kind,
    pub(super) plan: Plan,
    pub(super) lease: Lease,
    pub(super) region: Option<Region>,
    /// Where it is, once the provider has said so.
    pub(super) address: Option<SocketAddr>,
    pub(super) began: Instant,
    pub(super) served: bool,
    pub(super) sent: u64,
}

impl Running {
    /// What it has cost so far.
    pub(super) fn cost(&self) -> Usd {
        let bytes = self.plan.egress_gb.for_bytes(self.sent);
        self.plan.hourly.for_hours(self.began.elapsed()).plus(bytes)
    }
}
