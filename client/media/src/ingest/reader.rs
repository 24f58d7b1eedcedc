//! The thread that reads an input: opens it, opens it again when it is lost, and passes its packets on in time.

use super::outlet::{Gone, Outlet};
use super::pace::Pacer;
use super::scan::{self, Seen};
use super::select::Selection;
use super::session::Timed;
use super::source::{Kind, Source};
use super::timeline::Timeline;
use super::watch::Watch;
use super::{IngestEvent, Mode, Options};
use crate::error::Error;
use crate::sys;
use banyan_protocol::io::TierSetup;
use ffmpeg_next as ff;
use ffmpeg_next::format::context;
use std::time::{Duration, Instant};

/// The first and the longest wait before a lost input is opened again.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Reads one input to its end.
pub(crate) struct Reader {
    pub(super) source: Source,
    pub(super) options: Options,
    pub(super) outlet: Outlet,
    pub(super) watch: Watch,
    pub(super) timeline: Timeline,
    pub(super) pacer: Pacer,
    pub(super) started: Instant,
    pub(super) seen: Option<Seen>,
    pub(super) announced: Vec<TierSetup>,
    waiting: bool,
    pub(super) mode: Mode,
    pub(super) carried: Option<Timed>,
}

/// How reading came to an end.
pub(super) enum End {
    /// The consumer has gone, or has stopped it.
    Stopped,
    /// The input has no more.
    Finished,
    /// The input was lost.
    Lost(Error),
    /// It is to be decided about anew, as its clock jumps or it cannot be copied; what it goes on with is carried over.
    Again,
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Stopped
    }
}

impl Reader {
    pub(crate) fn new(source: Source, options: Options, outlet: Outlet, watch: Watch) -> Self {
        Self {
            mode: options.mode,
            source,
            options,
            outlet,
            watch,
            timeline: Timeline::new(),
            pacer: Pacer::default(),
            started: Instant::now(),
            seen: None,
            announced: Vec::new(),
            waiting: false,
            carried: None,
        }
    }

    /// Reads until the input ends for good. Says how, if anybody listens still.
    pub(crate) fn run(mut self) {
        let last = match self.read() {
            Ok(()) if self.watch.stopped() => return,
            Ok(()) => IngestEvent::Ended("the input is at its end".into()),
            Err(error) => IngestEvent::Failed(error),
        };
        let _ = self.outlet.event(last);
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut backoff = BACKOFF_FIRST;
        loop {
            let end = match self.open() {
                Ok((input, selection)) => self.play(input, &selection)?,
                Err(error) => End::Lost(error),
            };
            if self.watch.stopped() {
                return Ok(());
            }
            let delivered = !self.announced.is_empty();
            match end {
                End::Stopped => return Ok(()),
                End::Finished if self.options.loop_file && delivered => continue,
                End::Finished if self.ends() => return Ok(()),
                End::Lost(error) if self.ends() || !(delivered || self.source.kind.is_waited_for()) => {
                    return self.lost(error, delivered);
                }
                End::Lost(error) => tracing::info!(%error, "the input is opened again"),
                End::Finished | End::Again => (),
            }
            if self
                .pause("the input is gone; waiting for it to come back")
                .is_err()
            {
                return Ok(());
            }
            backoff = if delivered && !self.waiting {
                BACKOFF_FIRST
            } else {
                (backoff * 2).min(BACKOFF_MAX)
            };
            if !self.source.kind.is_waited_for() && !self.watch.wait_until(Instant::now() + backoff) {
                return Ok(());
            }
        }
    }

    /// Whether the input's end is the end.
    fn ends(&self) -> bool {
        matches!(self.source.kind, Kind::File | Kind::Test)
            || (self.source.kind == Kind::Remote && self.seen.is_some())
    }

    /// A file that breaks off has ended; one that never began cannot be read.
    fn lost(&self, error: Error, delivered: bool) -> Result<(), Error> {
        if !delivered {
            return Err(error);
        }
        // The consumer may have left; then nobody needs to know.
        let _ = self.outlet.warn(format!("the input breaks off: {error}"));
        Ok(())
    }

    fn pause(&mut self, why: &str) -> Result<(), Gone> {
        if !self.waiting {
            self.waiting = true;
            self.outlet.event(IngestEvent::Paused(why.into()))?;
        }
        Ok(())
    }

    pub(super) fn resume(&mut self) -> Result<(), Gone> {
        if std::mem::take(&mut self.waiting) {
            self.outlet.event(IngestEvent::Resumed)?;
        }
        Ok(())
    }

    /// Opens the input, and waits for it if it is one that is waited for.
    fn open(&mut self) -> Result<(context::Input, Selection), Error> {
        self.watch.expect_silence();
        if self.source.kind.is_waited_for() && self.announced.is_empty() {
            let text = format!("waiting for a stream at {}", self.source.name);
            if self.pause(&text).is_err() {
                self.watch.stop();
            }
        }
        let mut input = self.input()?;
        let selection = Selection::of(&self.source.name, &input)?;
        sys::discard_others(&mut input, &selection.indices());
        if self.source.kind == Kind::File || (self.source.kind == Kind::Remote && has_end(&input)) {
            self.look_ahead()?;
        }
        Ok((input, selection))
    }

    fn input(&self) -> Result<context::Input, Error> {
        let mut options = ff::Dictionary::new();
        for (key, value) in &self.source.options {
            options.set(key, value);
        }
        let opening = sys::Opening {
            url: &self.source.url,
            format: self.source.format,
            options,
        };
        let (watch, outlet) = (self.watch.clone(), self.outlet.clone());
        sys::open(opening, move || watch.interrupt(&outlet))
            .map_err(|error| Error::reading(&self.source.name, error))
    }

    /// Looks into a file once, with a reader of its own.
    fn look_ahead(&mut self) -> Result<(), Error> {
        if self.seen.is_none() {
            let mut input = self.input()?;
            let selection = Selection::of(&self.source.name, &input)?;
            self.seen = Some(scan::scan(&mut input, &selection));
        }
        Ok(())
    }
}

/// Whether something fetched is a file: it says how long it is. A playlist's length is not that of what it lists.
fn has_end(input: &context::Input) -> bool {
    let is_list = matches!(input.format().name(), "hls" | "dash");
    input.duration() > 0 || (!is_list && input.io_size().is_some_and(|size| size > 0))
}
