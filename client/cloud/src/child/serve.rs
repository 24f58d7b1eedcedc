//! The cloud child: the one process that reads credentials. It does what it is asked over its standard input, answers on
//! its standard output, and ends when its input does.

use super::message::{Answer, LINE_MAX, Reply, Request, Verb};
use super::work::Work;
use crate::failure::{Failure, Why};
use crate::local::Programs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Answers that may wait for whoever reads them; then work waits.
const ANSWERS_MAX: usize = 64;

/// When the input ends, what is under way has this long to end well. What does not is in the ledger.
const END_WITHIN: Duration = Duration::from_secs(30);

/// For so long after a launch an answer may come late, from a zone that was given up.
const WATCHFUL_FOR: Duration = Duration::from_secs(16 * 60);

/// How a cloud child runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder, with the ledger.
    pub data: PathBuf,
    /// How relays on this machine are started.
    pub programs: Programs,
    /// How often it looks for relays that should not run; `None`: never by itself.
    pub sweeps: Option<Pace>,
}

/// How often machines are looked for that should not be there.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Usually.
    pub usual: Duration,
    /// In the minutes after a launch.
    pub watchful: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            usual: Duration::from_secs(600),
            watchful: Duration::from_secs(15),
        }
    }
}

/// Serves standard input until it ends.
///
/// # Errors
/// [`Why::Ledger`] if there is no ledger: then nothing can be done safely.
pub async fn serve(config: Config) -> Result<(), Failure> {
    let work = Arc::new(Work::open(&config)?);
    let (answers, to_write) = mpsc::channel(ANSWERS_MAX);
    let writer = tokio::spawn(write(to_write));
    let mut tasks = JoinSet::new();
    let mut sweeper = Sweeper::new(config.sweeps);
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    loop {
        tokio::select! {
            read = next_line(&mut input, &mut line) => match read {
                Some(request) => {
                    sweeper.hears(&request.verb);
                    work.expect(&request.verb);
                    tasks.spawn(answer(Arc::clone(&work), request, answers.clone()));
                }
                None => break,
            },
            () = sweeper.due() => {
                sweeper.done();
                let work = Arc::clone(&work);
                tasks.spawn(async move { work.sweep().await });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
    work.cancel_all();
    let ended = timeout(END_WITHIN, async { while tasks.join_next().await.is_some() {} }).await;
    if config.sweeps.is_some() && ended.is_ok() {
        let _ = timeout(END_WITHIN, work.sweep()).await;
    }
    drop(answers);
    // Nobody may be reading any more.
    let _ = timeout(Duration::from_secs(1), writer).await;
    Ok(())
}

/// When to look for what should not be there: after the first request, then every now and then.
struct Sweeper {
    pace: Option<Pace>,
    next: Option<Instant>,
    watchful_until: Option<Instant>,
}

impl Sweeper {
    fn new(pace: Option<Pace>) -> Self {
        Self {
            pace,
            next: None,
            watchful_until: None,
        }
    }

    /// The first request begins it, and not earlier: a launch that is taken up must not be swept away.
    fn hears(&mut self, verb: &Verb) {
        let now = Instant::now();
        if self.next.is_none() {
            self.next = self.pace.map(|_| now);
        }
        if let (Verb::Launch { .. }, Some(pace)) = (verb, self.pace) {
            self.watchful_until = Some(now + WATCHFUL_FOR);
            self.next = self.next.map(|next| next.min(now + pace.watchful));
        }
    }

    async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    fn done(&mut self) {
        let now = Instant::now();
        let watchful = self.watchful_until.is_some_and(|until| now < until);
        self.next = self
            .pace
            .map(|pace| now + if watchful { pace.watchful } else { pace.usual });
    }
}

/// The next request; `None` at the end of the input. Safe to drop: what was read stays in `line`.
async fn next_line(input: &mut BufReader<tokio::io::Stdin>, line: &mut Vec<u8>) -> Option<Request> {
    loop {
        let room = (LINE_MAX + 1).saturating_sub(line.len()) as u64;
        let read = (&mut *input).take(room).read_until(b'\n', line).await;
        if !line.ends_with(b"\n") {
            if line.len() > LINE_MAX {
                tracing::error!("a request is too long; the cloud child ends");
                return None;
            }
            match read {
                Ok(0) | Err(_) => return None,
                Ok(_) => continue,
            }
        }
        let text = std::mem::take(line);
        match serde_json::from_slice(&text) {
            Ok(request) => return Some(request),
            // Only this program writes here; its other half is of another version.
            Err(error) => tracing::error!(%error, "a request cannot be read"),
        }
    }
}

async fn answer(work: Arc<Work>, request: Request, answers: mpsc::Sender<Reply>) {
    let id = request.id;
    let teller = answers.clone();
    let answer = work
        .do_it(request.verb, &mut |progress| {
            // Progress is for people to look at; if nobody reads it, it is left out.
            let _ = teller.try_send(Reply {
                id,
                answer: Answer::Progress { progress },
            });
        })
        .await;
    let answer = answer.unwrap_or_else(|failure| Answer::Failed { failure });
    // Without a reader the ledger says it all the same.
    let _ = answers.send(Reply { id, answer }).await;
}

async fn write(mut replies: mpsc::Receiver<Reply>) {
    let mut output = tokio::io::stdout();
    while let Some(reply) = replies.recv().await {
        let mut text = serde_json::to_vec(&reply).expect("answers are plain data with text keys");
        text.push(b'\n');
        if output.write_all(&text).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(Why::Child, format!("a part of the cloud child ended: {error}"))
    }
}
