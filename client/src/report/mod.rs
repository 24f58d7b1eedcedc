//! Telling: JSON Lines for programs, sentences and a live status line for people.

mod words;

use crate::notice::Notice;
use crate::snapshot::Snapshot;
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

pub use words::status;

/// How things are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One object a line.
    Json,
    /// Sentences, and below them a status line that is drawn again and again.
    Terminal,
    /// Sentences, and the status as one of them now and then.
    Plain,
}

/// How many seconds a status holds in [`Style::Plain`].
const PLAIN_EVERY: u32 = 10;

/// Back to the start of the line, and clear it.
const REDRAW: &str = "\r\x1b[K";

/// What is longer than the terminal is wide is cut, for a second line could not be cleared; and no longer.
const CUT: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// Tells one session's notices.
pub struct Report {
    style: Style,
    sink: Box<dyn Write + Send>,
    drawn: bool,
    seconds: u32,
}

impl Report {
    /// Tells in `style` to `sink`.
    pub fn new(style: Style, sink: Box<dyn Write + Send>) -> Self {
        Self {
            style,
            sink,
            drawn: false,
            seconds: 0,
        }
    }

    /// Tells a notice that came `since_start` after the process began.
    ///
    /// # Errors
    /// If nobody listens any more.
    pub fn tell(&mut self, since_start: Duration, notice: &Notice) -> io::Result<()> {
        if self.style == Style::Json {
            writeln!(self.sink, "{}", json(since_start, notice))?;
        } else if let Some(words) = words::notice(notice) {
            let clear = if self.drawn { REDRAW } else { "" };
            self.drawn = false;
            writeln!(self.sink, "{clear}{words}")?;
        }
        self.sink.flush()
    }

    /// Shows how things stand; to be called once a second.
    ///
    /// # Errors
    /// If nobody listens any more.
    pub fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.seconds += 1;
        match self.style {
            Style::Json => Ok(()),
            Style::Terminal => {
                self.drawn = true;
                write!(self.sink, "{REDRAW}{CUT}{}{WRAP}", status(snapshot))?;
                self.sink.flush()
            }
            Style::Plain if self.seconds.is_multiple_of(PLAIN_EVERY) => {
                writeln!(self.sink, "{}", status(snapshot))?;
                self.sink.flush()
            }
            Style::Plain => Ok(()),
        }
    }
}

/// A notice as the contract's object: the name first, then when, then its fields.
fn json(since_start: Duration, notice: &Notice) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        notice: &'a Notice,
        t: u64,
    }
    let t = since_start.as_millis() as u64;
    serde_json::to_string(&Line { notice, t }).expect("notices are plain data with text keys")
}

#[cfg(test)]
mod tests;
