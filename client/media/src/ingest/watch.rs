//! Stopping, and noticing that an input has fallen silent.

use super::IngestEvent;
use super::outlet::Outlet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// An input that is silent for so long is said to pause.
const PAUSED_AFTER: Duration = Duration::from_secs(2);

/// Shared by whoever stops the input, the thread that reads it, and FFmpeg's interrupt callback.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    stopped: AtomicBool,
    waiting: Mutex<Silence>,
    changed: Condvar,
}

/// What is known about the input's silence.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Silence {
    /// It is being opened, or waited for; silence is normal.
    Expected,
    /// It runs. When data came last, and after which silence it is given up.
    Since(Instant, Duration),
    /// It runs, but the person has been told that it pauses.
    Told(Instant, Duration),
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            stopped: AtomicBool::new(false),
            waiting: Mutex::new(Silence::Expected),
            changed: Condvar::new(),
        }))
    }

    /// Ends the input.
    pub(crate) fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        let _held = self.0.waiting.lock().expect("no holder panics");
        self.0.changed.notify_all();
    }

    pub(crate) fn stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Waits until `due`, or until stopped; says whether it may go on.
    pub(crate) fn wait_until(&self, due: Instant) -> bool {
        let mut held = self.0.waiting.lock().expect("no holder panics");
        while !self.stopped() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            held = self
                .0
                .changed
                .wait_timeout(held, left)
                .expect("no holder panics")
                .0;
        }
        false
    }

    /// From now on silence is counted, and an input silent for `give_up` is given up.
    pub(crate) fn expect_data(&self, give_up: Duration) {
        *self.silence() = Silence::Since(Instant::now(), give_up);
    }

    /// From now on silence is normal.
    pub(crate) fn expect_silence(&self) {
        *self.silence() = Silence::Expected;
    }

    /// Data came; says whether the person had been told of a pause.
    pub(crate) fn data(&self) -> bool {
        let mut silence = self.silence();
        match *silence {
            Silence::Expected => false,
            Silence::Since(_, give_up) => {
                *silence = Silence::Since(Instant::now(), give_up);
                false
            }
            Silence::Told(_, give_up) => {
                *silence = Silence::Since(Instant::now(), give_up);
                true
            }
        }
    }

    /// Whether FFmpeg is to give up what it does. Tells the person when the input falls silent.
    pub(crate) fn interrupt(&self, outlet: &Outlet) -> bool {
        if self.stopped() {
            return true;
        }
        let mut silence = self.silence();
        match *silence {
            Silence::Expected => false,
            Silence::Told(since, give_up) => since.elapsed() > give_up,
            Silence::Since(since, give_up) => {
                if since.elapsed() > PAUSED_AFTER.min(give_up) {
                    *silence = Silence::Told(since, give_up);
                    drop(silence);
                    let told = IngestEvent::Paused("nothing comes from the input".into());
                    return outlet.event(told).is_err();
                }
                false
            }
        }
    }

    fn silence(&self) -> std::sync::MutexGuard<'_, Silence> {
        self.0.waiting.lock().expect("no holder panics")
    }
}
