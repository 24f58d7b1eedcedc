//! The session's side of the cloud child: starts it, asks it, starts it again if it dies, and never waits for ever.

use super::message::{Answer, LINE_MAX, Listed, Reply, Request, Target, Verb};
use crate::ec2::Finding;
use crate::ec2::image::Wish as ImageWish;
use crate::failure::{Failure, Why};
use crate::plan::Plan;
use crate::provider::{Kind, Machine, Order, Progress, Wish};
use crate::region::Region;
use banyan_protocol::wire::lease::Lease;
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
const REQUESTS_MAX: usize = 16;

/// A child that dies more often than that, within [`DEATHS_WITHIN`], is not started again.
const DEATHS_MAX: usize = 4;
const DEATHS_WITHIN: Duration = Duration::from_secs(60);

/// Progress that may wait for whoever looks at it; more is left out.
pub const PROGRESS_MAX: usize = 32;

/// How the child is started.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// The program, usually this one.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// A session's cloud child. Dropped, the child ends by itself, and ends what was being launched.
#[derive(Debug)]
pub struct Cloud {
    asks: mpsc::Sender<Ask>,
    ended: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Ask {
    Verb(Box<Pending>),
    /// The child does not answer in time.
    Hangs,
}

#[derive(Debug)]
struct Pending {
    verb: Verb,
    answer: oneshot::Sender<Answer>,
    progress: Option<mpsc::Sender<Progress>>,
}

impl Cloud {
    /// The child starts with the first request. To be called within a runtime.
    pub fn start(spawn: Spawn) -> Self {
        let (asks, to_ask) = mpsc::channel(REQUESTS_MAX);
        let (end, ended) = oneshot::channel();
        let keeper = Keeper {
            spawn,
            child: None,
            pending: BTreeMap::new(),
            next_id: 1,
            deaths: VecDeque::new(),
        };
        tokio::spawn(async move {
            keeper.run(to_ask).await;
            drop(end);
        });
        Self { asks, ended }
    }

    /// What a relay would cost.
    ///
    /// # Errors
    /// If it cannot be had within the limits, or nobody knows.
    pub async fn plan(&self, provider: Kind, wish: Wish) -> Result<Plan, Failure> {
        let check = None;
        match self
            .ask(
                Verb::Plan {
                    provider,
                    wish,
                    check,
                },
                None,
                Duration::from_secs(30),
            )
            .await?
        {
            Answer::Planned { plan, .. } => Ok(*plan),
            answer => Err(unexpected(&answer)),
        }
    }

    /// What a relay would cost on EC2, and whether the account is ready for it.
    ///
    /// # Errors
    /// If the price is not known, or nobody answers.
    pub async fn check(&self, wish: Wish, image: ImageWish) -> Result<(Plan, Vec<Finding>), Failure> {
        let verb = Verb::Plan {
            provider: Kind::Ec2,
            wish,
            check: Some(image),
        };
        match self.ask(verb, None, Duration::from_secs(120)).await? {
            Answer::Planned { plan, findings } => Ok((*plan, findings)),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Launches a relay; `progress` hears how far it is. Ordering the same lease again takes up what was begun.
    ///
    /// # Errors
    /// Why there is none, and what may be running all the same.
    pub async fn launch(
        &self,
        order: Order,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<Machine, Failure> {
        let lease = order.boot.lease.id;
        let order = Box::new(order);
        let answer = self
            .ask(Verb::Launch { order }, progress, Duration::from_secs(330))
            .await;
        match answer.map_err(|failure| failure.leaving([format!("a relay of lease {lease}")]))? {
            Answer::Launched { machine } => Ok(machine),
            Answer::Failed { failure } => Err(failure),
            answer => Err(unexpected(&answer)),
        }
    }

    /// What runs, and why some places could not be looked at.
    ///
    /// # Errors
    /// If nothing could be looked at.
    pub async fn list(
        &self,
        provider: Option<Kind>,
        regions: Vec<Region>,
    ) -> Result<(Vec<Listed>, Vec<Failure>), Failure> {
        match self
            .ask(Verb::List { provider, regions }, None, Duration::from_secs(90))
            .await?
        {
            Answer::Listed { relays, unseen } => Ok((relays, unseen)),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Writes down that a lease was changed. The relay itself is told by its sponsor.
    ///
    /// # Errors
    /// If there is no such relay, or it cannot be marked.
    pub async fn renew(&self, lease: Lease) -> Result<(), Failure> {
        self.done(Verb::Renew { lease }, Duration::from_secs(90)).await
    }

    /// Ends a relay; also one that is being launched.
    ///
    /// # Errors
    /// If it is not certain that it ended.
    pub async fn terminate(&self, target: Target, why: &str) -> Result<(), Failure> {
        let why = why.to_owned();
        self.done(Verb::Terminate { target, why }, Duration::from_secs(330))
            .await
    }

    async fn done(&self, verb: Verb, within: Duration) -> Result<(), Failure> {
        match self.ask(verb, None, within).await? {
            Answer::Done => Ok(()),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Ends the child, after what it has to end.
    pub async fn close(self) {
        let Self { asks, ended } = self;
        drop(asks);
        // It carries nothing: it goes when the keeper does.
        let _ = ended.await;
    }

    /// Asks, and waits for the answer, but not for ever. A failure of the child's own is an `Err`, and so is a failed
    /// answer to anything but a launch.
    async fn ask(
        &self,
        verb: Verb,
        progress: Option<mpsc::Sender<Progress>>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let is_launch = matches!(verb, Verb::Launch { .. });
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            verb,
            answer,
            progress,
        };
        let ended = || {
            Failure::new(
                Why::Child,
                "the cloud child process has ended; the lines before this one may say why",
            )
        };
        let sent = self.asks.send(Ask::Verb(Box::new(pending))).await;
        sent.map_err(|_| ended())?;
        match timeout(within, answered).await {
            Ok(Ok(Answer::Failed { failure })) if !is_launch => Err(failure),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(ended()),
            Err(_) => {
                // It hangs: the next request gets a new one.
                let _ = self.asks.send(Ask::Hangs).await;
                Err(Failure::new(
                    Why::Unreachable,
                    format!(
                        "the cloud does not answer within {} s; try again",
                        within.as_secs()
                    ),
                ))
            }
        }
    }
}

fn unexpected(answer: &Answer) -> Failure {
    tracing::error!(?answer, "the cloud child answers another question");
    Failure::new(
        Why::Child,
        "the cloud child process answers another question: this is a bug, please report it",
    )
}

/// Owns the child.
struct Keeper {
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
    async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
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
