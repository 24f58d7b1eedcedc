//! The lease's end, kept by the clock: whatever else happens, the process is gone by then.
//!
//! The machine ends itself. Beside it stands a thread that needs nothing of it, nor of the runtime: [`guard`].

use banyan_protocol::time::Utc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The machine has so long after the lease's end to say farewell: children have moved after two seconds, or not at all.
pub const GRACE: Duration = Duration::from_secs(5);

/// How often the thread looks, for the time of day may jump.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The exit code of a process that its guard ended: something hung.
const HUNG: i32 = 1;

/// A clock for leases. It reads the time of day once, and counts on from there; if the time of day runs ahead of that, for
/// the machine slept or its clock was behind, it is believed. Setting the clock back gives nobody more time.
#[derive(Clone, Copy, Debug)]
pub struct DayClock {
    /// When it was started, since 1970.
    began: Duration,
    origin: Instant,
}

impl DayClock {
    /// One that starts now.
    pub fn start() -> Self {
        Self {
            began: time_of_day(),
            origin: Instant::now(),
        }
    }

    /// The time since 1970.
    pub fn now(&self) -> Duration {
        self.at(self.origin.elapsed(), time_of_day())
    }

    fn at(&self, elapsed: Duration, day: Duration) -> Duration {
        (self.began + elapsed).max(day)
    }
}

/// A machine whose clock is before 1970 is at its beginning.
fn time_of_day() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO)
}

/// When the lease ends, and how long that is from now. Clones share the end, which an extension moves.
#[derive(Clone, Debug)]
pub struct Lifetime {
    clock: DayClock,
    /// Seconds since 1970.
    ends: Arc<AtomicU64>,
}

impl Lifetime {
    /// By `clock`, until `ends`.
    pub fn new(clock: DayClock, ends: Utc) -> Self {
        Self {
            clock,
            ends: Arc::new(AtomicU64::new(ends.as_secs())),
        }
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.until(Utc::from_secs(self.ends.load(Ordering::Relaxed)))
    }

    /// How long it is until `time`.
    pub fn until(&self, time: Utc) -> Duration {
        Duration::from_secs(time.as_secs()).saturating_sub(self.clock.now())
    }

    /// The lease ends at another time now.
    pub fn move_to(&self, ends: Utc) {
        self.ends.store(ends.as_secs(), Ordering::Relaxed);
    }

    /// How long the guard waits before it looks again; `None` when it has waited enough.
    fn guard_waits(&self) -> Option<Duration> {
        let ends = Utc::from_secs(self.ends.load(Ordering::Relaxed));
        let left = self.until(ends.after(GRACE));
        (!left.is_zero()).then(|| left.min(LOOK_EVERY))
    }
}

/// Starts a thread that ends this process [`GRACE`] after the lease's end, even if the runtime hangs.
///
/// # Errors
/// If the system gives no thread.
pub fn guard(lifetime: Lifetime) -> std::io::Result<()> {
    let wait = move || {
        while let Some(wait) = lifetime.guard_waits() {
            thread::sleep(wait);
        }
        eprintln!("banyan-relay: the lease is over, and the relay has not ended by itself: it ends now");
        std::process::exit(HUNG);
    };
    thread::Builder::new().name("lease".into()).spawn(wait)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOON: Duration = Duration::from_secs(1_800_000_000);

    fn clock() -> DayClock {
        DayClock {
            began: NOON,
            origin: Instant::now(),
        }
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_time_and_one_that_is_set_forward_takes_it() {
        let clock = clock();
        assert_eq!(clock.at(SECOND, NOON + SECOND), NOON + SECOND);
        assert_eq!(clock.at(SECOND, NOON - 3600 * SECOND), NOON + SECOND);
        assert_eq!(clock.at(SECOND, NOON + 3600 * SECOND), NOON + 3600 * SECOND);
    }

    #[test]
    fn the_guard_looks_each_second_until_the_grace_is_over() {
        let clock = DayClock::start();
        let day = Utc::from_secs(clock.now().as_secs());
        let lifetime = Lifetime::new(clock, day.after(60 * SECOND));
        let left = lifetime.left();
        assert!(left > 58 * SECOND && left <= 60 * SECOND, "{left:?}");
        assert_eq!(lifetime.guard_waits(), Some(LOOK_EVERY));
        let shared = lifetime.clone();
        shared.move_to(day);
        assert_eq!(lifetime.left(), Duration::ZERO);
        assert_eq!(
            lifetime.guard_waits(),
            Some(LOOK_EVERY),
            "the machine may still say farewell"
        );
        shared.move_to(Utc::from_secs(day.as_secs() - 10));
        assert_eq!(lifetime.guard_waits(), None);
    }
}
