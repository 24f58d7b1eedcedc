//! A running broadcast or viewer: orders in, notices and a snapshot out. It prints nothing and asks nobody; the command
//! line and the desktop app are two ways to drive it.

pub mod broadcast;
pub mod input;
mod monitor;
mod sponsor;
mod teller;
pub mod watch;

use crate::config::Sponsoring;
use crate::error::{Error, Finish};
use crate::notice::Notice;
use crate::snapshot::Snapshot;
use crate::trees::Trees;
use banyan_cloud::money::Usd;
use banyan_peer::{Clock, Inspector};
use banyan_protocol::role::broadcaster::Broadcaster;
use banyan_protocol::role::viewer::Viewer;
use banyan_protocol::wire::lease::LeaseId;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Orders that may wait; whoever gives more waits.
const ORDERS_MAX: usize = 8;

/// What the person wants.
#[derive(Clone, Debug, PartialEq)]
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
    /// What relays of this session may be from now on: those that run stay as they are.
    Allow(Box<Sponsoring>),
    /// End a relay of this session: one that serves hands its children over first, one that does so already ends at once.
    EndRelay(LeaseId),
    /// Whether relays that serve run on to the end of their lease when this person leaves, from now on.
    RunOn(bool),
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

/// Looks at a session's machine while it runs.
#[derive(Clone, Debug)]
pub enum Look {
    /// At a broadcaster's.
    Broadcaster(Inspector<Broadcaster>),
    /// At a viewer's, whose clock it needs.
    Viewer(Inspector<Viewer>, Clock),
}

impl Look {
    /// Who feeds whom; `None` when the session has ended.
    pub async fn trees(&self) -> Option<Trees> {
        match self {
            Self::Broadcaster(inspector) => {
                let shot = inspector.inspect(Broadcaster::snapshot).await?;
                Some(Trees::of_channel(&shot))
            }
            Self::Viewer(inspector, clock) => {
                let clock = *clock;
                let shot = inspector
                    .inspect(move |viewer| viewer.snapshot(clock.now()))
                    .await?;
                Some(Trees::around(&shot))
            }
        }
    }
}

/// A running session. Dropped, it leaves by itself.
#[derive(Debug)]
pub struct Session {
    orders: mpsc::Sender<Order>,
    notices: mpsc::Receiver<(Instant, Notice)>,
    snapshot: tokio::sync::watch::Receiver<Snapshot>,
    look: Look,
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

    /// For looks at its machine; can be cloned.
    pub fn look(&self) -> Look {
        self.look.clone()
    }

    /// Follows how things stand, also without reading what is told.
    pub fn follow(&self) -> tokio::sync::watch::Receiver<Snapshot> {
        self.snapshot.clone()
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
