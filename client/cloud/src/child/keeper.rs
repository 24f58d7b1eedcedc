//! Keeps the cloud child: starts it, hands it requests, hears its answers, starts it again if it dies, and ends it.

use super::message::{Answer, LINE_MAX, Reply, Request, Verb};
use crate::provider::Progress;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

/// Requests that may wait for the child; whoever asks more waits.
pub(super) const REQUESTS_MAX: usize = 16;

/// How the child is started.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// The program, usually this one.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// What the keeper is asked.
#[derive(Debug)]
pub(super) enum Ask {
    /// A request.
    Verb(Box<Pending>),
    /// The child does not answer in time.
    Hangs,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) verb: Verb,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) progress: Option<mpsc::Sender<Progress>>,
}

/// A child that dies more often than that, within [`DEATHS_WITHIN`], is not started again.
const DEATHS_MAX: usize = 4;
const DEATHS_WITHIN: Duration = Duration::from_secs(60);

/// Owns the child.
pub(super) struct Keeper {
    spawn: Spawn,
    child: Option<Running>,
    pending: BTreeMap<u64, Pending>,
    next_id: u64,
    deaths: VecDeque<Instant>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    replies: mpsc::Receiver<Reply>,
}

impl Keeper {
    /// Nothing runs yet.
    pub(super) fn new(spawn: Spawn) -> Self {
        Self {
            spawn,
            child: None,
            pending: BTreeMap::new(),
            next_id: 1,
            deaths: VecDeque::new(),
        }
    }

    /// Keeps the child until nobody can ask any more.
    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(Ask::Verb(pending)) => self.take(*pending).await,
                    Some(Ask::Hangs) => self.kill().await,
                    None => break,
                },
                reply = next(&mut self.child) => match reply {
                    Some(reply) => self.answer(reply),
                    None => self.died().await,
                },
            }
        }
        self.end().await;
    }

    async fn take(&mut self, pending: Pending) {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, pending);
        if self.child.is_some() {
            self.send(id).await;
        } else {
            self.start().await;
        }
    }

    /// Starts the child, and asks it all that waits for an answer.
    async fn start(&mut self) {
        match self.spawn.run() {
            Ok(running) => self.child = Some(running),
            Err(error) => {
                tracing::error!(%error, "the cloud child cannot be started");
                return self.pending.clear();
            }
        }
        let waiting: Vec<u64> = self.pending.keys().copied().collect();
        for id in waiting {
            self.send(id).await;
        }
    }

    /// If it cannot be written, the child is dying, and its end will be heard of.
    async fn send(&mut self, id: u64) {
        let (Some(running), Some(pending)) = (&mut self.child, self.pending.get(&id)) else {
            return;
        };
        let verb = pending.verb.clone();
        let mut text =
            serde_json::to_vec(&Request { id, verb }).expect("requests are plain data with text keys");
        text.push(b'\n');
        if let Err(error) = running.input.write_all(&text).await {
            tracing::debug!(%error, "the cloud child does not listen");
        }
    }

    fn answer(&mut self, reply: Reply) {
        if let Answer::Progress { progress } = reply.answer {
            let hears = self
                .pending
                .get(&reply.id)
                .and_then(|pending| pending.progress.as_ref());
            if let Some(hears) = hears {
                let _ = hears.try_send(progress);
            }
        } else if let Some(pending) = self.pending.remove(&reply.id) {
            // Whoever asked may have gone.
            let _ = pending.answer.send(reply.answer);
        }
    }

    /// What was asked is asked again: every verb may be.
    async fn died(&mut self) {
        if let Some(mut running) = self.child.take() {
            let status = running.child.wait().await;
            tracing::warn!(?status, "the cloud child ended unasked");
        }
        let now = Instant::now();
        self.deaths.push_back(now);
        self.deaths
            .retain(|death| now.duration_since(*death) < DEATHS_WITHIN);
        self.pending.retain(|_, pending| !pending.answer.is_closed());
        if self.deaths.len() >= DEATHS_MAX {
            self.pending.clear();
        } else if !self.pending.is_empty() {
            self.start().await;
        }
    }

    async fn kill(&mut self) {
        if let Some(running) = &mut self.child {
            // Its end is heard of like any other.
            let _ = running.child.start_kill();
        }
    }

    /// The child ends when its input does, after it has ended what it was launching and swept.
    async fn end(self) {
        let Some(Running {
            mut child,
            input,
            mut replies,
        }) = self.child
        else {
            return;
        };
        drop(input);
        let end = async {
            while replies.recv().await.is_some() {}
            child.wait().await
        };
        if timeout(END_WITHIN, end).await.is_err() {
            tracing::warn!("the cloud child does not end, and is killed; banyan relays list shows what runs");
            let _ = child.kill().await;
        }
    }
}

/// Longer than the child gives itself.
const END_WITHIN: Duration = Duration::from_secs(70);

async fn next(child: &mut Option<Running>) -> Option<Reply> {
    match child {
        Some(running) => running.replies.recv().await,
        None => std::future::pending().await,
    }
}

impl Spawn {
    fn run(&self) -> std::io::Result<Running> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the session, which tells the child what it means.
            .process_group(0);
        if std::env::var_os("AWS_EC2_METADATA_DISABLED").is_none() {
            // This is nobody's VM; the chain's last link would wait for one.
            command.env("AWS_EC2_METADATA_DISABLED", "true");
        }
        let mut child = command.spawn()?;
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let (replies, heard) = mpsc::channel(REQUESTS_MAX);
        tokio::spawn(read(output, replies));
        Ok(Running {
            child,
            input,
            replies: heard,
        })
    }
}

/// Reads answers until the child ends, or says what is none.
async fn read(output: ChildStdout, replies: mpsc::Sender<Reply>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        let read = (&mut output)
            .take(LINE_MAX as u64)
            .read_until(b'\n', &mut line)
            .await;
        if read.unwrap_or(0) == 0 {
            return;
        }
        match serde_json::from_slice(&line) {
            Ok(reply) => {
                if replies.send(reply).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the cloud child says what cannot be read");
                return;
            }
        }
    }
}
