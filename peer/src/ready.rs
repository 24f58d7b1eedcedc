//! Which lanes can be written again: the transport's wakers leave a note here, and wake the driver.

use banyan_protocol::io::{Lane, LinkId};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use tokio::sync::Notify;

/// The lanes that can be written again. Bounded: a lane is noted once for each time that it was blocked.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    lanes: Mutex<Vec<(LinkId, Lane)>>,
    driver: Notify,
}

impl Ready {
    /// What the transport is to wake for a lane.
    pub(crate) fn waker(self: &Arc<Self>, link: LinkId, lane: Lane) -> Waker {
        let ready = self.clone();
        Arc::new(LaneWaker { link, lane, ready }).into()
    }

    /// Waits until some lane is ready.
    pub(crate) async fn notified(&self) {
        self.driver.notified().await;
    }

    /// Moves the lanes that are ready to `lanes`, which is emptied first.
    pub(crate) fn take(&self, lanes: &mut Vec<(LinkId, Lane)>) {
        lanes.clear();
        let mut ready = self.lanes.lock().expect("nobody panics while noting");
        std::mem::swap(&mut *ready, lanes);
    }
}

struct LaneWaker {
    link: LinkId,
    lane: Lane,
    ready: Arc<Ready>,
}

impl Wake for LaneWaker {
    fn wake(self: Arc<Self>) {
        let mut lanes = self.ready.lanes.lock().expect("nobody panics while noting");
        lanes.push((self.link, self.lane));
        drop(lanes);
        self.ready.driver.notify_one();
    }
}
