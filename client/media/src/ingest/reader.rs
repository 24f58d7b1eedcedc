//! The thread that reads an input: opens it, opens it again when it is lost, and passes its packets on in time.

use super::outlet::{Gone, Outlet};
use super::pace::Pacer;
use super::scan::{self, Seen};
use super::select::Selection;
use super::session::Timed;
use super::source::{Kind, Source};
use super::timeline::Timeline;
use super::undated::Undated;
use super::watch::Watch;
use super::{IngestEvent, Mode, Options};
use crate::error::Error;
use crate::sys;
use banyan_protocol::io::TierSetup;
use ffmpeg_next as ff;
use ffmpeg_next::format::context;
use std::time::{Duration, Instant};

/// The first and the longest wait before a lost input is opened again.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long a server may take to send something at first.
const OPEN_MAX: Duration = Duration::from_secs(15);

const GONE: &str = "the input is gone; waiting for it to come back";

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
    told: Option<String>,
    pub(super) mode: Mode,
    pub(super) carried: Option<Timed>,
    /// The sequence parameter sets of what is read now; of another picture it would be opened anew.
    pub(super) sequence: Vec<u8>,
    /// Reckons the decoding times of pictures that come without.
    pub(super) undated: Undated,
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
            told: None,
            carried: None,
            sequence: Vec::new(),
            undated: Undated::default(),
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
            let played = self.open().and_then(|(input, selection)| {
                backoff = BACKOFF_FIRST;
                self.play(input, &selection)
            });
            let end = played.unwrap_or_else(End::Lost);
            if self.watch.stopped() {
                return Ok(());
            }
            if let Some(last) = self.is_last(end) {
                return last;
            }
            if self.loops() {
                continue;
            }
            if self.pause(GONE).is_err() || !self.watch.wait_until(Instant::now() + backoff) {
                return Ok(());
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// What to end with, if this is the end; tells the person why it was lost if not.
    fn is_last(&mut self, end: End) -> Option<Result<(), Error>> {
        let delivered = !self.announced.is_empty();
        match end {
            End::Stopped => Some(Ok(())),
            End::Finished if self.loops() => None,
            End::Finished => self.ends().then_some(Ok(())),
            End::Again => None,
            End::Lost(error) if delivered && self.ends() => {
                let told = self.outlet.warn(format!("the input breaks off: {error}"));
                tracing::debug!(?told, "ended");
                Some(Ok(()))
            }
            End::Lost(error) if delivered => self.tell_lost(&error),
            End::Lost(error @ Error::AddressInUse { .. }) => Some(Err(error)),
            End::Lost(error) if self.source.kind.is_waited_for() => self.tell_lost(&error),
            End::Lost(error) => Some(Err(error)),
        }
    }

    /// Says once why a live input was lost; it is opened again.
    fn tell_lost(&mut self, error: &Error) -> Option<Result<(), Error>> {
        let text = error.to_string();
        if self.told.as_ref() == Some(&text) {
            return None;
        }
        let gone = self.outlet.warn(text.clone()).is_err();
        self.told = Some(text);
        gone.then_some(Ok(()))
    }

    /// Whether the input begins again at its end.
    fn loops(&self) -> bool {
        self.options.loop_file && self.ends() && !self.announced.is_empty()
    }

    /// Whether the input's end is the end.
    fn ends(&self) -> bool {
        matches!(self.source.kind, Kind::File | Kind::Test)
            || (self.source.kind == Kind::Remote && self.seen.is_some())
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
        match self.source.kind {
            Kind::Live | Kind::Remote => self.watch.expect_data(OPEN_MAX),
            _ => self.watch.expect_silence(),
        }
        let waits = self.source.kind.is_waited_for() && self.announced.is_empty();
        if waits && self.wait_for_first().is_err() {
            self.watch.stop();
        }
        let mut input = self.input()?;
        let selection = Selection::of(&self.source.name, &input)?;
        sys::discard_others(&mut input, &selection.indices());
        if self.source.kind == Kind::File || (self.source.kind == Kind::Remote && has_end(&input)) {
            self.look_ahead()?;
        }
        Ok((input, selection))
    }

    /// Says once that it waits, and for whom.
    fn wait_for_first(&mut self) -> Result<(), Gone> {
        if let Some(caution) = self.source.caution().filter(|_| !self.waiting) {
            self.outlet.warn(caution)?;
        }
        self.pause(&format!("waiting for a stream at {}", self.source.name))
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
