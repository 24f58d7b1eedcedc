//! The session's mouth: notices in order, and the snapshot that follows from them.

use crate::notice::Notice;
use crate::snapshot::{Keeper, Snapshot};
use banyan_protocol::event::Event;
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// Notices that may wait for whoever reads them: a quarter of an hour of measurements. Then new ones are dropped.
const NOTICES_MAX: usize = 1024;

/// Tells what happens.
#[derive(Debug)]
pub(super) struct Teller {
    began: Instant,
    notices: mpsc::Sender<(Instant, Notice)>,
    keeper: Keeper,
    shown: watch::Sender<Snapshot>,
}

/// The other ends.
pub(super) type Ears = (mpsc::Receiver<(Instant, Notice)>, watch::Receiver<Snapshot>);

impl Teller {
    /// For a session of a process that began at `began`.
    pub(super) fn new(began: Instant, title: &str) -> (Self, Ears) {
        let (notices, told) = mpsc::channel(NOTICES_MAX);
        let keeper = Keeper::new(title);
        let (shown, seen) = watch::channel(keeper.snapshot.clone());
        let teller = Self {
            began,
            notices,
            keeper,
            shown,
        };
        (teller, (told, seen))
    }

    /// Tells one thing. Never waits.
    pub(super) fn tell(&mut self, notice: impl Into<Notice>) {
        let now = Instant::now();
        let notice = self.complete(now, notice.into());
        self.keeper.take(now, &notice);
        self.shown.send_replace(self.keeper.snapshot.clone());
        if self.notices.try_send((now, notice)).is_err() {
            tracing::warn!("nobody reads the events; one is dropped");
        }
    }

    /// Follows the snapshot.
    pub(super) fn watch(&self) -> watch::Receiver<Snapshot> {
        self.shown.subscribe()
    }

    /// The machine doesn't know what went before it was made; the person waits from the start of the process.
    fn complete(&self, now: Instant, notice: Notice) -> Notice {
        match notice {
            Notice::Event(Event::Playing { .. }) => Notice::Event(Event::Playing {
                startup_ms: now.duration_since(self.began).as_millis() as u64,
            }),
            notice => notice,
        }
    }
}
