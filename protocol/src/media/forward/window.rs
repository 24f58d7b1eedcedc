//! What may be under way to a child where the uplink is measured: as much as its path holds, and little more.
//!
//! A transport takes whatever fits its send buffer. Where an uplink becomes too small, the buffers of all children are full before any of
//! them holds anything back, and by then the router has long thrown away what it has no room for, at random.

use super::Forwarder;
use crate::io::{Outbox, Output};
use crate::limits::LINK_BACKLOG_MAX;
use crate::media::schedule::Line;
use crate::time::Duration;
use alloc::vec::Vec;

/// In time at the rate of the child's slots, beside two round trips of the empty path: one that its bytes take, one that it takes to send
/// lost ones again. Half of what home routers hold, so that they hold it also where the uplink is halved.
const UNDER_WAY: Duration = Duration::from_millis(120);

/// While a path has not been measured, a round trip is taken to be so long.
const FAR: Duration = Duration::from_millis(200);

/// The least window: what a child pulls comes through it, too.
const WINDOW_MIN: u64 = LINK_BACKLOG_MAX / 8;

/// Windows are whole multiples of this, so that they do not change with every measurement.
const STEP: u64 = 4096;

impl Forwarder {
    /// Tells the transport how much may be under way to each child, where that is another than before.
    pub(super) fn bound_windows(&mut self, out: &mut Outbox) {
        if self.measure.is_none() {
            return;
        }
        let indices: Vec<u32> = self.children.indices().collect();
        for index in indices {
            let bytes = window(self.schedule.line(index));
            let child = self.children.get_mut(index);
            if core::mem::replace(&mut child.window, bytes) != bytes {
                let link = child.link;
                out.push(Output::Window { link, bytes });
            }
        }
    }
}

/// What may be under way to the child of that line.
fn window(line: &Line) -> u64 {
    if !line.is_seated() {
        return LINK_BACKLOG_MAX;
    }
    let time = UNDER_WAY + line.round_trip_least().unwrap_or(FAR) * 2;
    let bytes = line.share() * time.as_millis() as u64 / 1000;
    bytes.next_multiple_of(STEP).clamp(WINDOW_MIN, LINK_BACKLOG_MAX)
}
