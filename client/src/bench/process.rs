//! The forwarding process seen from outside: starting it, its CPU time and its memory; and which cores run what.

use super::forwarder::parse_key;
use crate::args::BenchRelay;
use crate::error::Error;
use banyan_protocol::id::PeerId;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A started forwarding process; ended when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Its key, and where it listens.
    pub(super) target: (PeerId, SocketAddr),
}

impl Process {
    /// Starts the forwarding process of `channel`.
    ///
    /// # Errors
    /// If it does not start, or does not say where it listens.
    pub(super) fn start(args: &BenchRelay, channel: &str) -> Result<Self, Error> {
        let program = match &args.forwarder {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        let mut command = Command::new(&program);
        command.args(["bench-forwarder", "--channel", channel]);
        command.args(args.bare.then_some("--bare"));
        if let Some(core) = args.pin {
            command.args(["--pin", &core.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed = |why: &str| Error::Bench(format!("{} does not forward: {why}", program.display()));
        let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let target = parse_line(&line);
        let target = target.ok_or_else(|| {
            end(&mut child);
            failed("it does not say where it listens")
        })?;
        Ok(Self { child, target })
    }

    /// The CPU time of all its threads.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        let mut total = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            total += Duration::from_nanos(first_number(&schedstat, 0)?);
        }
        Ok(total)
    }

    /// Its memory in RAM, in bytes.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn memory(&self) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(first_number(line.unwrap_or_default(), 0)? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// It may have ended by itself.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn parse_line(line: &str) -> Option<(PeerId, SocketAddr)> {
    let (address, key) = line.trim().split_once(' ')?;
    Some((parse_key(key)?, address.parse().ok()?))
}

fn first_number(text: &str, index: usize) -> Result<u64, Error> {
    let word = text.split_whitespace().nth(index);
    let number = word.and_then(|word| word.parse().ok());
    number.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData).into())
}

/// Lets this thread, and those that it starts, run on `core` alone.
///
/// # Errors
/// If there is no such core.
pub(super) fn pin_to(core: usize) -> Result<(), Error> {
    let mut cores = CpuSet::new();
    cores.set(core).map_err(|_| no_core(core))?;
    sched_setaffinity(Pid::from_raw(0), &cores).map_err(|_| no_core(core))
}

/// Keeps all threads of this process off `core`, so that the load does not take what is measured.
///
/// # Errors
/// If there is no other core.
pub(super) fn keep_off(core: usize) -> Result<(), Error> {
    let count = std::thread::available_parallelism()?.get();
    let mut cores = CpuSet::new();
    for other in (0..count).filter(|other| *other != core) {
        cores.set(other).map_err(|_| no_core(core))?;
    }
    for task in fs::read_dir("/proc/self/task")? {
        let id = task?.file_name().to_string_lossy().parse().unwrap_or(0);
        sched_setaffinity(Pid::from_raw(id), &cores)
            .map_err(|_| Error::Bench("--pin needs a machine with at least two cores".into()))?;
    }
    Ok(())
}

fn no_core(core: usize) -> Error {
    Error::Usage(format!("--pin {core}: this machine has no such core"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::id::key_text;

    #[test]
    fn a_forwarding_process_says_where_it_listens() {
        let id = PeerId([7; 32]);
        let line = format!("127.0.0.1:4711 {}\n", key_text(&id));
        assert_eq!(parse_line(&line), Some((id, "127.0.0.1:4711".parse().unwrap())));
        assert_eq!(parse_line("banyan: error"), None);
        assert_eq!(parse_line(""), None);
    }

    #[test]
    fn a_core_that_is_not_there_is_a_usage_error() {
        let far = std::thread::spawn(|| pin_to(100_000)).join().unwrap();
        assert_eq!(far.unwrap_err().exit_code(), 2);
    }
}
