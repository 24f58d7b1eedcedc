//! How long a run takes: by the clock on the wall, and of its thread.

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Measures one run, on the thread that starts it.
pub(super) struct StopWatch {
    wall: Instant,
    thread: Duration,
}

impl StopWatch {
    pub(super) fn start() -> Self {
        Self {
            wall: Instant::now(),
            thread: thread_time(),
        }
    }

    pub(super) fn wall_ms(&self) -> u64 {
        self.wall.elapsed().as_millis() as u64
    }

    /// What the thread had of a processor: other work on the computer makes a run longer, and this hardly.
    pub(super) fn thread_ms(&self) -> u64 {
        (thread_time() - self.thread).as_millis() as u64
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has a clock");
    Duration::from(time)
}
