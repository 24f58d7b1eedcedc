//! Processes, told apart from later ones that got the same number.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A process for as long as the machine is up: its number, and when it began in the kernel's ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pid: u32,
    started: u64,
}

impl Mark {
    /// The process with this number; `None` if there is none, or it has ended and only waits to be collected.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = parse_stat(&stat)?;
        (!matches!(state, 'Z' | 'X')).then_some(Self { pid, started })
    }

    /// This process.
    ///
    /// # Panics
    /// If `/proc` is not there.
    pub fn myself() -> Self {
        Self::of(std::process::id()).expect("this process runs, and /proc is mounted")
    }

    /// Its number.
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Its number, and when it began.
    pub fn parts(self) -> (u32, u64) {
        (self.pid, self.started)
    }

    /// The process of which [`parts`](Self::parts) says this, running or not.
    pub fn from_parts(pid: u32, started: u64) -> Self {
        Self { pid, started }
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Whether its standard error goes to the file at `path`. It tells apart what started in the same tick of another
    /// boot. The words it was started with would not do: the kernel shows none while it becomes another program.
    pub fn logs_to(self, path: &Path) -> bool {
        let theirs = fs::metadata(format!("/proc/{}/fd/2", self.pid));
        let same =
            |theirs: &Metadata, file: &Metadata| (theirs.dev(), theirs.ino()) == (file.dev(), file.ino());
        matches!((&theirs, &fs::metadata(path)), (Ok(theirs), Ok(file)) if same(theirs, file))
    }

    /// Asks it to end, and ends it if it has not within `patience`. Blocks so long. It is no error if it has ended.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn end(self, patience: Duration) -> io::Result<()> {
        let Some(handle) = self.open()? else {
            return Ok(());
        };
        signal(&handle, Signal::TERM)?;
        if !ended_within(&handle, patience)? {
            signal(&handle, Signal::KILL)?;
            ended_within(&handle, KILL_PATIENCE)?;
        }
        Ok(())
    }

    /// A handle that means this process and no later one, whatever happens to the number.
    fn open(self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Ok(self.is_alive().then_some(handle)),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The kernel needs this long at most to end a process that may not refuse, unless the disk hangs.
const KILL_PATIENCE: Duration = Duration::from_secs(2);

fn signal(handle: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(handle, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ended_within(handle: &OwnedFd, time: Duration) -> io::Result<bool> {
    let time = Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    loop {
        let mut fds = [PollFd::new(handle, PollFlags::IN)];
        match poll(&mut fds, Some(&time)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// State and start time, fields 3 and 22 of proc_pid_stat(5). The name in field 2 may hold anything, so the fields are
/// counted from its end.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut words = after_name.split_whitespace();
    let state = words.next()?.chars().next()?;
    let started = words.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_name_of_the_process_does_not_matter() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse_stat(stat), Some(('S', 4711)));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn a_process_is_known_until_it_ends() {
        let path = |name| std::env::temp_dir().join(format!("banyan-process-{name}-{}", std::process::id()));
        let (log, other) = (path("log"), path("other"));
        let file = |path| fs::File::create(path).unwrap();
        let mut child = Command::new("sleep")
            .arg("4711")
            .stderr(file(&log))
            .spawn()
            .unwrap();
        let mark = Mark::of(child.id()).unwrap();
        drop(file(&other));
        assert!(mark.is_alive() && mark.logs_to(&log) && !mark.logs_to(&other));
        fs::remove_file(&log).unwrap();
        assert!(!mark.logs_to(&log));
        fs::remove_file(&other).unwrap();
        let earlier = Mark {
            started: mark.started - 1,
            ..mark
        };
        earlier.end(Duration::ZERO).unwrap();
        assert!(mark.is_alive(), "another process with the same number was ended");
        mark.end(Duration::from_secs(5)).unwrap();
        assert!(!mark.is_alive());
        mark.end(Duration::ZERO).unwrap();
        child.wait().unwrap();
        assert_eq!(Mark::of(child.id()), None);
    }

    #[test]
    fn a_process_that_does_not_listen_is_ended_all_the_same() {
        let script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut word).unwrap();
        let mark = Mark::of(child.id()).unwrap();
        mark.end(Duration::from_millis(50)).unwrap();
        assert!(!mark.is_alive());
        child.wait().unwrap();
    }
}
