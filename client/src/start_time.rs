//! When this process began.

use std::time::{Duration, Instant};

/// When the process began, before the loader read its libraries; now, if the system does not say.
pub(crate) fn process_began() -> Instant {
    let now = Instant::now();
    age().and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// How old the process is, to a hundredth of a second.
#[cfg(target_os = "linux")]
fn age() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    use nix::unistd::{SysconfVar, sysconf};
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks_a_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    let since_boot = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
    let began = began_ticks(&stat)? as f64 / ticks_a_second as f64;
    since_boot.checked_sub(Duration::try_from_secs_f64(began).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn age() -> Option<Duration> {
    None
}

/// Field 22 of `/proc/PID/stat` (proc_pid_stat(5)); the name in field 2 may hold anything, so it counts from its end.
#[cfg(target_os = "linux")]
fn began_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_process_does_not_matter() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(began_ticks(stat), Some(4711));
    }

    #[test]
    fn the_process_has_begun_and_not_long_ago() {
        assert!(age().is_some_and(|age| age < Duration::from_secs(3600)));
    }
}
