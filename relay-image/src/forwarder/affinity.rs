//! Which core runs what.

use super::Error;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Lets this thread, and those that it starts, run on `core` alone.
///
/// # Errors
/// [`Error::NoCore`] if there is no such core.
pub(super) fn pin_to(core: usize) -> Result<(), Error> {
    let mut cores = CpuSet::new();
    cores.set(core).map_err(|_| Error::NoCore(core))?;
    sched_setaffinity(Pid::from_raw(0), &cores).map_err(|_| Error::NoCore(core))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_is_not_there_is_named() {
        let far = std::thread::spawn(|| pin_to(100_000)).join().unwrap();
        assert!(matches!(far, Err(Error::NoCore(100_000))));
    }
}
