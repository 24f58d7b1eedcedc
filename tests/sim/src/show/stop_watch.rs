//! How long a run takes: by the clock on the wall, and of its thread.

use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Instant;

/// Measures one run, on the thread that starts it.
pub(super) struct StopWatch {
    wall: Instant,
    thread: Timespec,
}

impl StopWatch {
    pub(super) fn start() -> Self {
        Self {
            wall: Instant::now(),
            thread: clock_gettime(ClockId::ThreadCPUTime),
        }
    }

    pub(super) fn wall_ms(&self) -> u64 {
        self.wall.elapsed().as_millis() as u64
    }

    /// What the thread had of a processor: other work on the computer makes a run longer, and this hardly.
    pub(super) fn thread_ms(&self) -> u64 {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = (now.tv_sec - self.thread.tv_sec) * 1000;
        (seconds + (now.tv_nsec - self.thread.tv_nsec) / 1_000_000) as u64
    }
}
