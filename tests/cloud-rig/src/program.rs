//! A program that tells events: started, listened to, and ended.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    errors: PathBuf,
}

/// Something that a program told.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it was read.
    pub at: Instant,
    /// The whole of it.
    pub fields: Value,
}

impl Event {
    /// A text field; empty if it is missing or no text.
    pub fn text(&self, field: &str) -> &str {
        self.fields[field].as_str().unwrap_or_default()
    }
}

impl Program {
    /// Starts it; its standard error goes to `errors`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command, errors: PathBuf) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().context("it is piped")?;
        let output = child.stdout.take().context("it is piped")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
            errors,
        })
    }

    /// The next event; `None` when it has ended.
    ///
    /// # Errors
    /// If it says anything else.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        let line = self.output.next_line().await?;
        let event = |line: String| {
            let fields = serde_json::from_str(&line).with_context(|| format!("no event: {line}"))?;
            let at = Instant::now();
            Ok(Event { at, fields })
        };
        line.map(event).transpose()
    }

    /// The next event of this name for which `holds`; those before it are passed over.
    ///
    /// # Errors
    /// If it does not come in time, or the program ends first.
    pub async fn wait(
        &mut self,
        name: &str,
        within: Duration,
        mut holds: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        let errors = self.errors.clone();
        let wanted = async {
            loop {
                match self.next().await? {
                    Some(event) if event.text("event") == name && holds(&event) => return Ok(event),
                    Some(_) => {}
                    None => bail!("it ended before such a `{name}` came; {}", said(&errors)),
                }
            }
        };
        let waited = timeout(within, wanted).await;
        waited.with_context(|| format!("no such `{name}` came in {within:?}; {}", said(&errors)))?
    }

    /// Passes over what it has told so far.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn catch_up(&mut self) -> Result<()> {
        while let Ok(event) = timeout(Duration::ZERO, self.next()).await {
            event?.context("it has ended")?;
        }
        Ok(())
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// If it does not listen.
    pub async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Asks it to end, as Ctrl-C does.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn interrupt(&self) -> Result<()> {
        let pid = self.child.id().context("it has ended")?;
        let sent = Command::new("kill")
            .args(["-INT", &pid.to_string()])
            .status()
            .await?;
        ensure!(sent.success(), "{pid} cannot be interrupted");
        Ok(())
    }

    /// Kills it, with a signal that nothing can be done about.
    ///
    /// # Errors
    /// If that is not possible.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        let end = async {
            // It would wait for whoever reads it.
            while self.next().await?.is_some() {}
            Ok(self.child.wait().await?)
        };
        timeout(within, end).await.context("it does not end in time")?
    }

    /// What it wrote to standard error.
    pub fn errors(&self) -> String {
        said(&self.errors)
    }
}

fn said(errors: &PathBuf) -> String {
    std::fs::read_to_string(errors).unwrap_or_default()
}
