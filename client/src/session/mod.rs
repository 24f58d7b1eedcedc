//! A running broadcast or viewer: orders in, notices and a snapshot out. It prints nothing and asks nobody; the command
//! line and the desktop app are two ways to drive it.

pub mod broadcast;
mod sponsor;
mod teller;
pub mod watch;

use crate::error::{Error, Finish};
use crate::notice::Notice;
use crate::snapshot::Snapshot;
use banyan_cloud::money::Usd;
use banyan_protocol::wire::lease::LeaseId;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Orders that may wait; whoever gives more waits.
const ORDERS_MAX: usize = 8;

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// End cleanly.
    Leave,
    /// The answer to a request to sponsor: the one named, or the one that is open.
    Answer {
        /// Which.
        id: Option<String>,
        /// Whether to sponsor.
        yes: bool,
    },
    /// Make the lease of a relay of this person's longer.
    Extend {
        /// Which.
        lease: LeaseId,
        /// How much longer.
        time: Duration,
        /// The most that it may cost more; `None`: the machine's time, and no more bytes.
        budget: Option<Usd>,
    },
}

/// The orders of a session. When nobody can give any more, the last one is to leave.
#[derive(Debug)]
struct Orders(Option<mpsc::Receiver<Order>>);

impl Orders {
    /// The next one; never comes after the last.
    async fn next(&mut self) -> Order {
        let Some(given) = &mut self.0 else {
            return std::future::pending().await;
        };
        let order = given.recv().await;
        order.unwrap_or_else(|| {
            self.0 = None;
            Order::Leave
        })
    }
}

/// A running session. Dropped, it leaves by itself.
#[derive(Debug)]
pub struct Session {
    orders: mpsc::Sender<Order>,
    notices: mpsc::Receiver<(Instant, Notice)>,
    snapshot: tokio::sync::watch::Receiver<Snapshot>,
    task: JoinHandle<Result<Finish, Error>>,
}

impl Session {
    /// Takes orders; can be cloned.
    pub fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// The next thing to tell, and when it happened; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<(Instant, Notice)> {
        self.notices.recv().await
    }

    /// How things stand.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// How it ended; to be asked when [`next`](Self::next) has no more.
    ///
    /// # Errors
    /// Why it did not end as asked.
    ///
    /// # Panics
    /// If the session did.
    pub async fn finish(self) -> Result<Finish, Error> {
        let Self { task, orders, .. } = self;
        drop(orders);
        task.await.expect("a session does not panic")
    }
}
