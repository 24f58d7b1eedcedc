//! The forwarding process seen from outside: starting it, its CPU time and its memory; and which cores run what.

use crate::args::BenchRelay;
use crate::error::Error;
use banyan_relay::forwarder::Announced;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A started forwarding process; ended when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Its name, and where it listens.
    pub(super) target: Announced,
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
        let target = line.parse().map_err(|_| {
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
        self.status("VmRSS:")
    }

    /// The most that it has had in RAM so far, in bytes.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn peak(&self) -> Result<u64, Error> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
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

fn first_number(text: &str, index: usize) -> Result<u64, Error> {
    let word = text.split_whitespace().nth(index);
    let number = word.and_then(|word| word.parse().ok());
    number.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData).into())
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
