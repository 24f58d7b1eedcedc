//! Relays as processes on this machine: to try it out, and for a sponsor whose uplink is good.

use crate::failure::{Failure, Why};
use crate::ledger::{Attempt, Entry, Ledger, State, Token};
use crate::money::Usd;
use crate::plan::Plan;
use crate::process::Mark;
use crate::provider::{Cancel, Found, Kind, Life, Listing, Machine, Order, Progress, Provider, Teller, Wish};
use crate::region::Region;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// Where relays' files are, in the data folder.
const FOLDER: &str = "relays";

/// A relay forwards until its children have moved, two seconds at most.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// How a relay's process is started.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The relay.
    pub relay: PathBuf,
    /// What starts a program in a session of its own, given the program and its arguments.
    pub detach: Vec<std::ffi::OsString>,
}

/// Relays on this machine.
#[derive(Debug)]
pub(crate) struct Local {
    programs: Programs,
    folder: PathBuf,
    ledger: Arc<Ledger>,
}

impl Local {
    pub(crate) fn new(programs: Programs, data: &Path, ledger: Arc<Ledger>) -> Self {
        Self {
            programs,
            folder: data.join(FOLDER),
            ledger,
        }
    }

    /// The file with a relay's boot data.
    fn config(&self, lease: LeaseId) -> PathBuf {
        self.folder.join(format!("{lease}.json"))
    }

    /// What a relay says; whose standard error it is also tells its process apart.
    fn log(&self, lease: LeaseId) -> PathBuf {
        self.folder.join(format!("{lease}.log"))
    }

    /// The relay's process: the one the ledger names, or else the one that writes the lease's log, started by a process
    /// that died before it could write its number down.
    fn process(&self, lease: LeaseId, attempt: &Attempt) -> Option<Mark> {
        let log = self.log(lease);
        match &attempt.state {
            State::Alive { handle, .. } => {
                let mark = parse_handle(handle)?;
                (mark.is_alive() && mark.logs_to(&log)).then_some(mark)
            }
            State::Asked => logging_to(&log),
            State::Refused | State::Ended { .. } => None,
        }
    }

    fn start(&self, order: &Order, listen: SocketAddr) -> Result<Mark, Failure> {
        let mut boot = order.boot.clone();
        boot.listen = listen;
        let config = self.config(order.boot.lease.id);
        write_private(&config, crate::boot::text(&boot)?.as_bytes())
            .map_err(|error| unusable(&config, &error))?;
        let log_path = self.log(order.boot.lease.id);
        let log = private_file(&log_path).map_err(|error| unusable(&log_path, &error))?;
        let mut words = self.programs.detach.iter().cloned();
        let program = words.next();
        let mut command = Command::new(program.as_deref().unwrap_or(self.programs.relay.as_os_str()));
        command.args(words);
        if program.is_some() {
            command.arg(&self.programs.relay);
        }
        command
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // No credentials for whoever decodes strangers' bytes.
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_harmless(name)));
        let child = command.spawn().map_err(|error| self.no_program(&error))?;
        let mark = child.id().and_then(Mark::of);
        mark.ok_or_else(|| self.ended_at_once(order.boot.lease.id))
    }

    fn no_program(&self, error: &io::Error) -> Failure {
        let program = self.programs.relay.display();
        Failure::new(
            Why::Program,
            format!("cannot start the relay {program}: {error}; install banyan-relay beside banyan"),
        )
    }

    fn ended_at_once(&self, lease: LeaseId) -> Failure {
        let log = fs::read_to_string(self.log(lease)).unwrap_or_default();
        let last = log.lines().last().unwrap_or("it says nothing");
        Failure::new(
            Why::Program,
            format!("the relay ended as soon as it was started: {last}"),
        )
    }

    fn attempt(&self, order: &Order) -> Entry {
        Entry::Attempt {
            lease: order.boot.lease,
            provider: Kind::Local,
            region: None,
            zone: String::new(),
            kind: String::new(),
            token: Token(format!("local-{}", order.boot.lease.id)),
            hash: String::new(),
            hourly: Usd::ZERO,
            egress_gb: Usd::ZERO,
            by: Mark::myself(),
        }
    }

    fn launch_now(&self, order: &Order, tell: Teller<'_>) -> Result<Machine, Failure> {
        let lease = order.boot.lease.id;
        if order.boot.lease.ends <= crate::clock::now() {
            return Err(Failure::new(
                Why::Budget,
                "the lease is over before the relay could start",
            ));
        }
        self.end_left(lease)?;
        fs::create_dir_all(&self.folder).map_err(|error| unusable(&self.folder, &error))?;
        let listen = free_port(order.boot.listen)?;
        self.ledger.write(&self.attempt(order))?;
        let token = Token(format!("local-{lease}"));
        tell(Progress::Asking {
            zone: "this machine".into(),
            kind: "process".into(),
        });
        let mark = match self.start(order, listen) {
            Ok(mark) => mark,
            Err(failure) => {
                let why = failure.sentence.clone();
                self.ledger.write(&Entry::Refused { lease, token, why })?;
                return Err(failure);
            }
        };
        let handle = handle(mark);
        tell(Progress::Booting {
            handle: handle.clone(),
        });
        let address = reachable(listen);
        let written = self
            .ledger
            .write(&Entry::Alive {
                lease,
                token,
                handle: handle.clone(),
            })
            .and_then(|()| {
                self.ledger.write(&Entry::Ready {
                    lease,
                    handle: handle.clone(),
                    address,
                })
            });
        if let Err(failure) = written {
            self.end_process(mark)?;
            return Err(failure);
        }
        Ok(Machine {
            handle,
            address,
            region: None,
            zone: "this machine".into(),
            kind: "process".into(),
        })
    }

    /// A process starts at once, so what an earlier launch of this lease left is not worth keeping.
    fn end_left(&self, lease: LeaseId) -> Result<(), Failure> {
        let book = self.ledger.book()?;
        let open = book.account(lease).and_then(|account| account.open());
        match open.and_then(|attempt| self.process(lease, attempt)) {
            Some(mark) => self.end_process(mark),
            None => Ok(()),
        }
    }

    fn end_process(&self, mark: Mark) -> Result<(), Failure> {
        mark.end(END_PATIENCE).map_err(|error| {
            let failure = Failure::new(
                Why::Unsure,
                format!("the relay's process {} cannot be ended: {error}", mark.pid()),
            );
            failure.leaving([format!("process {}", mark.pid())])
        })
    }

    fn look_around(&self) -> Result<Vec<Found>, Failure> {
        let book = self.ledger.book()?;
        let mut found = Vec::new();
        for account in book.accounts() {
            for attempt in &account.attempts {
                if attempt.provider == Kind::Local && attempt.state.is_open() {
                    let process = self.process(account.lease.id, attempt);
                    found.extend(process.map(|mark| self.found(&account.lease, attempt, mark)));
                }
            }
        }
        Ok(found)
    }

    fn found(&self, lease: &Lease, attempt: &Attempt, mark: Mark) -> Found {
        let address = match &attempt.state {
            State::Alive { address, .. } => *address,
            _ => None,
        };
        Found {
            provider: Kind::Local,
            handle: handle(mark),
            region: None,
            kind: "process".into(),
            lease: Some(lease.id),
            ends: Some(lease.ends),
            token: Some(attempt.token.clone()),
            install: Some(self.ledger.install()),
            launched: attempt.at,
            address,
            state: Life::Alive,
        }
    }

    fn end_found(&self, found: &Found, why: &str) -> Result<(), Failure> {
        if let Some(mark) = parse_handle(&found.handle) {
            self.end_process(mark)?;
        }
        let Some(lease) = found.lease else {
            return Ok(());
        };
        let handle = found.handle.clone();
        if let Some(token) = found.token.clone() {
            let alive = Entry::Alive {
                lease,
                token,
                handle: handle.clone(),
            };
            self.ledger.write(&alive)?;
        }
        self.ledger.write(&Entry::Ended {
            lease,
            handle,
            why: why.to_owned(),
        })?;
        // The relay is gone, and its secret with it; the files may be gone already.
        let _ = fs::remove_file(self.config(lease));
        let _ = fs::remove_file(self.log(lease));
        Ok(())
    }
}

impl Provider for Local {
    async fn plan(&self, _: &Wish) -> Result<Plan, Failure> {
        Ok(Plan::unpaid())
    }

    async fn launch(&self, order: &Order, _: Cancel, tell: Teller<'_>) -> Result<Machine, Failure> {
        self.launch_now(order, tell)
    }

    async fn list(&self, _: &[Region]) -> Listing {
        match self.look_around() {
            Ok(found) => Listing {
                found,
                unseen: Vec::new(),
            },
            Err(failure) => Listing {
                found: Vec::new(),
                unseen: vec![failure],
            },
        }
    }

    async fn renew(&self, _: &Found, lease: &Lease) -> Result<(), Failure> {
        self.ledger.write(&Entry::Renewed { lease: *lease })
    }

    async fn terminate(&self, found: &Found, why: &str) -> Result<(), Failure> {
        // It waits for the process, which the other relays' processes need not.
        tokio::task::block_in_place(|| self.end_found(found, why))
    }
}

/// The process whose standard error goes to the file at `log`, if one runs.
fn logging_to(log: &Path) -> Option<Mark> {
    let entries = fs::read_dir("/proc").ok()?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(Mark::of).find(|mark| mark.logs_to(log))
}

/// `pid-started`: what tells a process apart.
fn handle(mark: Mark) -> String {
    let (pid, started) = mark.parts();
    format!("{pid}-{started}")
}

fn parse_handle(text: &str) -> Option<Mark> {
    let (pid, started) = text.split_once('-')?;
    Some(Mark::from_parts(pid.parse().ok()?, started.parse().ok()?))
}

/// Where to listen: as wished if that is free, else at any free port. Between this look and the relay's another program
/// may take it; the relay then ends, and the launch is found to have failed.
fn free_port(wished: SocketAddr) -> Result<SocketAddr, Failure> {
    let any = SocketAddr::new(wished.ip(), 0);
    let bound = UdpSocket::bind(wished).or_else(|_| UdpSocket::bind(any));
    let address = bound.and_then(|socket| socket.local_addr());
    address.map_err(|error| Failure::new(Why::Program, format!("no port is free for the relay: {error}")))
}

/// An address at which this machine reaches what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

/// Everything but what may open the account.
fn is_harmless(name: &std::ffi::OsStr) -> bool {
    !name.to_string_lossy().to_ascii_uppercase().starts_with("AWS_")
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Why::Program,
        format!("{} cannot be used: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests;
