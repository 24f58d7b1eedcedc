//! A relay's process, and what it is told at boot.

use banyan_protocol::id::{PublicKey, SecretKey, key_text};
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const SECRET: [u8; 16] = [0x5e; 16];
pub(crate) const CHANNEL: PublicKey = PublicKey([8; 32]);
const LEASE: LeaseId = LeaseId([4; 16]);

/// Seconds since 1970.
pub(crate) fn now() -> Utc {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Utc::from_secs(since.as_secs())
}

/// A lease of so many seconds.
pub(crate) fn lease(seconds: u64) -> Lease {
    Lease {
        id: LEASE,
        ends: now().after(Duration::from_secs(seconds)),
        bytes: 1_000_000_000,
    }
}

/// The boot data of `sponsor`'s relay.
pub(crate) fn boot(sponsor: &SecretKey, lease: &Lease, enrol_s: u64) -> Value {
    json!({
        "banyan": 1,
        "channel": key_text(&CHANNEL),
        "sponsor": key_text(&sponsor.public()),
        "lease": lease,
        "enrol": { "secret": "5e".repeat(16), "until": now().after(Duration::from_secs(enrol_s)) },
        "listen": "127.0.0.1:0",
        "uplink_bps": null,
    })
}

/// A relay that runs; killed if the test leaves it behind.
pub(crate) struct Relay {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    config: Option<PathBuf>,
}

impl Relay {
    /// One with this boot data in a file; `name` is the test's.
    pub(crate) fn start(name: &str, boot: &str) -> Self {
        let path = std::env::temp_dir().join(format!("banyan-relay-{name}-{}.json", std::process::id()));
        std::fs::write(&path, boot).unwrap();
        let mut command = Self::command();
        command.arg("--config").arg(&path);
        let mut relay = Self::run(command);
        relay.config = Some(path);
        relay
    }

    pub(crate) fn command() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banyan-relay"));
        command.arg("--json").env("RUST_LOG", "debug");
        command
    }

    pub(crate) fn run(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
            config: None,
        }
    }

    /// The next event of that name.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        for line in self.lines.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if event["event"] == name {
                return event;
            }
        }
        panic!("no {name}: {}", self.end().1);
    }

    /// Where it listens.
    pub(crate) fn address(&mut self) -> SocketAddr {
        self.event("ready")["listen"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for its end: why, by its last event; what it logged; and its exit code.
    pub(crate) fn ends(&mut self) -> (String, String, Option<i32>) {
        let why = self.event("ended")["why"].as_str().unwrap().to_owned();
        let (code, log) = self.end();
        (why, log, code)
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(path) = &self.config {
            let _ = std::fs::remove_file(path);
        }
    }
}
