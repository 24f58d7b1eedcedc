//! A program on a host: started, listened to, signalled, and ended with its value.

use crate::events::{Event, Events};
use crate::host::Host;
use crate::stage::Stage;
use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program that runs on a host. Start it on a thread that outlives it: it dies with that thread.
pub struct Program {
    name: String,
    pid: Pid,
    events: Arc<Events>,
    stdin: Mutex<Option<ChildStdin>>,
    stderr: PathBuf,
    watcher: Option<JoinHandle<()>>,
}

/// Links are what goes wrong first: how each begins and ends is in the log of a failed test.
const LOG: &str = "info,banyan_peer=debug";

/// Lines of standard error that a failure shows, and events.
const TAIL: usize = 5;
const LAST_EVENTS: usize = 8;

impl Program {
    /// Starts `command` on `host`. What it prints is kept in the stage's folder, as `NAME.out` and `NAME.err`; its data
    /// folder is `NAME.data` there, the same when a program of that name is started again.
    pub fn start(stage: &Stage, host: &Host, name: &str, command: &[String]) -> Result<Self> {
        let stderr = stage.path(&format!("{name}.err"));
        let mut child = inside(host, command)
            .env("XDG_DATA_HOME", stage.path(&format!("{name}.data")))
            .env("XDG_CONFIG_HOME", stage.path(&format!("{name}.data")))
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| LOG.into()),
            )
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&stderr)?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let pid = Pid::from_child(&child);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("it was asked for"));
        let events = Arc::new(Events::default());
        let copy = File::options()
            .create(true)
            .append(true)
            .open(stage.path(&format!("{name}.out")))?;
        let watcher = watch(child, stdout, copy, Arc::clone(&events))?;
        let (name, stdin) = (name.to_owned(), Mutex::new(stdin));
        Ok(Self {
            name,
            pid,
            events,
            stdin,
            stderr,
            watcher: Some(watcher),
        })
    }

    /// Its name in the test.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it said so far.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The first event called `name` for which `holds`, counted from the program's start.
    pub fn wait(&self, name: &str, within: Duration, holds: impl FnMut(&Event) -> bool) -> Result<Event> {
        self.wait_from(0, name, within, holds)
    }

    /// The first event called `name` for which `holds` after the first `mark` events.
    pub fn wait_from(
        &self,
        mark: usize,
        name: &str,
        within: Duration,
        holds: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        let waited = self.events.wait(mark, name, Instant::now() + within, holds);
        waited.map_err(|error| self.complain(&error))
    }

    /// Waits for its end.
    pub fn wait_end(&self, within: Duration) -> Result<ExitStatus> {
        self.events
            .wait_end(Instant::now() + within)
            .map_err(|error| self.complain(&error))
    }

    /// Sends it a signal; nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if self.events.ended().is_none() {
            kill_process(self.pid, signal).with_context(|| format!("cannot signal {}", self.name))?;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM), and waits.
    pub fn stop(&self, within: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_end(within)
    }

    /// Writes a line to its standard input.
    pub fn say(&self, line: &str) -> Result<()> {
        let mut stdin = self.stdin.lock().expect("no holder of the lock panics");
        let stdin = stdin.as_mut().context("its standard input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} does not listen", self.name))
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        fs::read(&self.stderr)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Processor time it has used so far, in user and kernel mode; nothing once it has ended.
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).ok()?;
        let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ticks = after_name.next()?.parse::<u64>().ok()? + after_name.next()?.parse::<u64>().ok()?;
        Some(Duration::from_millis(
            ticks * 1000 / rustix::param::clock_ticks_per_second(),
        ))
    }

    fn complain(&self, error: &anyhow::Error) -> anyhow::Error {
        anyhow!("{}: {error:#}; {}", self.name, self.last_words())
    }

    /// What it told last, and the end of its standard error.
    pub fn last_words(&self) -> String {
        let stderr = self.stderr();
        let lines: Vec<&str> = stderr.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n      | ");
        let tail = if tail.is_empty() {
            tail
        } else {
            format!("\n    and the end of its standard error:\n      | {tail}")
        };
        let told = self.events.last_but(LAST_EVENTS, "stats").into_iter();
        let told: String = told.map(|event| format!("\n      > {}", event.fields)).collect();
        format!("the last events of {}:{told}{tail}", self.name)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.events.ended().is_none() {
            // With what it started itself. It is gone already, or goes now.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        if self.watcher.take().is_some_and(|watcher| watcher.join().is_err()) {
            eprintln!("rig: what watches {} panicked", self.name);
        }
    }
}

/// `command` in the host's network. `setpriv` and `nsenter` become it, so its pid is the one that is signalled, and it
/// is killed when the thread that starts it ends.
fn inside(host: &Host, command: &[String]) -> Command {
    let mut inside = Command::new("setpriv");
    inside.args(["--pdeathsig", "KILL", "nsenter"]);
    inside.arg(format!("--net=/run/netns/{}", host.namespace()));
    inside.arg("--").args(command);
    inside
}

/// Reads what it prints until it ends, then how it ended.
fn watch(
    mut child: Child,
    stdout: ChildStdout,
    mut copy: File,
    events: Arc<Events>,
) -> Result<JoinHandle<()>> {
    let work = move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The copy is for people who read a failure; the test goes on without it.
            let _ = writeln!(copy, "{line}");
            if let Ok(fields) = serde_json::from_str(&line) {
                events.push(fields);
            }
        }
        events.end(
            child
                .wait()
                .expect("it was started, and nobody else waits for it"),
        );
    };
    Ok(std::thread::Builder::new().name("watcher".into()).spawn(work)?)
}

/// Turns a path into an argument.
pub fn argument(path: &Path) -> String {
    path.to_str()
        .expect("the build folder has a name in UTF-8")
        .to_owned()
}
