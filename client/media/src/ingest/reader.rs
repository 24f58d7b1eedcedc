//! The thread that reads an input: opens it, opens it again when it is lost, and passes its packets on in time.

use super::outlet::{Gone, Outlet};
use super::pace::Pacer;
use super::plan::{self, Facts};
use super::scan::{self, Keyframes, Meter, Seen};
use super::select::Selection;
use super::session::{Learned, Session, Timed, Verdict};
use super::source::{Kind, Source};
use super::timeline::Timeline;
use super::watch::Watch;
use super::{IngestEvent, Mode, Options};
use crate::error::Error;
use crate::sys;
use banyan_protocol::io::TierSetup;
use banyan_protocol::units::Bitrate;
use ffmpeg_next as ff;
use ffmpeg_next::format::context;
use std::time::{Duration, Instant};

/// How long a live input may be silent before it is opened again: connections, and datagrams.
const CONNECTION_SILENT_MAX: Duration = Duration::from_secs(10);
const DATAGRAMS_SILENT_MAX: Duration = Duration::from_secs(3);

/// The first and the longest wait before a lost input is opened again.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A live input's set-up and rate are looked for in so much of it, unless they are known before.
const LEARN_OVER: i64 = 90_000;

/// Reads one input to its end.
pub(crate) struct Reader {
    source: Source,
    options: Options,
    outlet: Outlet,
    watch: Watch,
    timeline: Timeline,
    pacer: Pacer,
    started: Instant,
    seen: Option<Seen>,
    announced: Vec<TierSetup>,
    waiting: bool,
    mode: Mode,
}

/// How reading came to an end.
enum End {
    /// The consumer has gone, or has stopped it.
    Stopped,
    /// The input has no more.
    Finished,
    /// The input was lost.
    Lost(Error),
    /// It is to be decided about anew, as its clock jumps or it cannot be copied; it goes on with this packet.
    Jumped(Timed),
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
                End::Finished | End::Jumped(_) => (),
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

    fn resume(&mut self) -> Result<(), Gone> {
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
        let input = self.input()?;
        let selection = Selection::of(&self.source.name, &input)?;
        if self.source.kind == Kind::File || (self.source.kind == Kind::Remote && input.duration() > 0) {
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

    /// Plays an opened input until it ends, deciding anew where that is needed.
    fn play(&mut self, mut input: context::Input, selection: &Selection) -> Result<End, Error> {
        self.watch.expect_data(match self.source.kind {
            Kind::Datagrams => DATAGRAMS_SILENT_MAX,
            _ => CONNECTION_SILENT_MAX,
        });
        let mut carried = None;
        loop {
            let (begun, session) = match self.begin(&mut input, selection, carried.take())? {
                Ok(begun) => begun,
                Err(end) => return Ok(end),
            };
            match self.go_on(&mut input, selection, begun, session) {
                End::Jumped(first) => carried = Some(first),
                end => return Ok(end),
            }
        }
    }

    /// Reads up to a keyframe and until the set-up is known, decides, and announces what will come.
    fn begin(
        &mut self,
        input: &mut context::Input,
        selection: &Selection,
        carried: Option<Timed>,
    ) -> Result<Result<(Vec<Timed>, Session), End>, Error> {
        let mut learned = Learned::new(selection)?;
        let begun = match self.learn(input, selection, carried, &mut learned) {
            Ok(begun) => begun,
            Err(end) => return Ok(Err(end)),
        };
        let facts = self.facts(selection, &begun);
        let session = Session::new(
            &self.source,
            selection,
            self.mode,
            facts,
            learned,
            self.outlet.clone(),
        )?;
        Ok(self
            .announce(selection, facts, &begun, &session)
            .map(|()| (begun, session))
            .map_err(End::from))
    }

    fn learn(
        &mut self,
        input: &mut context::Input,
        selection: &Selection,
        carried: Option<Timed>,
        learned: &mut Learned,
    ) -> Result<Vec<Timed>, End> {
        let known = self.seen.is_some()
            || self.source.kind == Kind::Test
            || selection.video.shape.bit_rate > 0
            || plan::copies(&selection.video, self.mode, NOTHING).is_err();
        let mut begun: Vec<Timed> = Vec::new();
        let mut next = carried;
        loop {
            let timed = match next.take() {
                Some(timed) => timed,
                None => match self.next(input, selection) {
                    Ok(timed) => timed,
                    Err(End::Finished) if begun.iter().any(|it| it.track == 0) => return Ok(begun),
                    Err(end) => return Err(end),
                },
            };
            let has_video = begun.iter().any(|it| it.track == 0);
            if timed.track == 0 && !has_video && !timed.packet.is_key() {
                continue;
            }
            if timed.track == 1 || timed.packet.is_key() {
                learned.packet(&timed);
            }
            begun.push(timed);
            let span = span(&begun);
            let has_video = begun.iter().any(|it| it.track == 0);
            let whole = learned.has_audio() && (known || span >= LEARN_OVER);
            if has_video && (whole || span >= 2 * LEARN_OVER) {
                return Ok(begun);
            }
        }
    }

    fn facts(&self, selection: &Selection, begun: &[Timed]) -> Facts {
        if let Some(seen) = self.seen {
            return Facts {
                keyframes_apart: seen.keyframes_apart,
                rate: seen.rate,
            };
        }
        let mut keyframes = Keyframes::default();
        let mut meter = Meter::default();
        for timed in begun {
            meter.add(timed.dts, timed.packet.size());
            if timed.track == 0 {
                keyframes.frame(timed.dts, timed.packet.is_key());
            }
        }
        let audio = selection.audio.as_ref().map_or(0, |audio| audio.shape.bit_rate);
        let announced = Bitrate(selection.video.shape.bit_rate + audio);
        Facts {
            keyframes_apart: keyframes.worst(),
            rate: meter.worst().max(announced),
        }
    }

    /// Moves the clock so that the input goes on where the channel is, and says what comes.
    fn announce(
        &mut self,
        selection: &Selection,
        facts: Facts,
        begun: &[Timed],
        session: &Session,
    ) -> Result<(), Gone> {
        let first = begun.iter().filter(|it| it.track == 0).map(|it| it.pts).min();
        let is_first = self.announced.is_empty();
        let seamless = self.source.kind == Kind::File;
        let elapsed = self.started.elapsed().as_micros() as i64 * 9 / 100;
        let at_least = if seamless { 0 } else { elapsed };
        self.timeline.anchor(first.unwrap_or(0), at_least);
        self.resume()?;
        if !is_first && !seamless {
            self.outlet.event(IngestEvent::Discontinuity)?;
        }
        if is_first {
            self.tell(selection, facts)?;
        }
        if self.announced != session.setups() {
            self.announced = session.setups().to_vec();
            self.outlet.event(IngestEvent::Tiers(self.announced.clone()))?;
        }
        Ok(())
    }

    /// Tells the person what they may not expect.
    fn tell(&self, selection: &Selection, facts: Facts) -> Result<(), Gone> {
        if let Some(dropped) = selection.dropped() {
            self.outlet.warn(dropped)?;
        }
        let copies = plan::copies(&selection.video, self.mode, facts);
        match (copies, self.source.kind, self.mode) {
            (Err(why), kind, Mode::Auto) if !matches!(kind, Kind::Test | Kind::Device) => {
                self.outlet.warn(format!("the picture is encoded anew: {why}"))
            }
            _ => Ok(()),
        }
    }

    /// Passes packets on until something happens.
    fn go_on(
        &mut self,
        input: &mut context::Input,
        selection: &Selection,
        begun: Vec<Timed>,
        mut session: Session,
    ) -> End {
        let mut begun = begun.into_iter();
        let mut rare = false;
        loop {
            let timed = match begun.next().map_or_else(|| self.next(input, selection), Ok) {
                Ok(timed) => timed,
                Err(end) => return end,
            };
            let raw = (timed.dts, timed.pts);
            let timed = timed.moved(&self.timeline);
            if self.timeline.jumps(timed.track, timed.dts, self.ahead_max_s()) {
                let (dts, pts) = raw;
                return End::Jumped(Timed { dts, pts, ..timed });
            }
            if rare && timed.track == 0 && timed.packet.is_key() {
                self.mode = Mode::Transcode;
                let (dts, pts) = raw;
                return End::Jumped(Timed { dts, pts, ..timed });
            }
            let duration = timed.packet.duration().clamp(0, 90_000) as u32;
            self.timeline.note(timed.track, timed.dts, timed.pts, duration);
            if self.source.kind.is_paced() {
                let due = self.pacer.due(timed.dts, Instant::now());
                if !self.watch.wait_until(due) {
                    return End::Stopped;
                }
            }
            match session.packet(timed) {
                Ok(Verdict::Fine) => (),
                Ok(Verdict::KeyframesRare) => {
                    rare = true;
                    if self.outlet.warn(RARE.into()).is_err() {
                        return End::Stopped;
                    }
                }
                Err(Gone) => return End::Stopped,
            }
        }
    }

    fn ahead_max_s(&self) -> i64 {
        if self.source.kind == Kind::File { 10 } else { 3 }
    }

    /// The next packet of a selected stream.
    fn next(&mut self, input: &mut context::Input, selection: &Selection) -> Result<Timed, End> {
        loop {
            let mut packet = ff::Packet::empty();
            let read = packet.read(input);
            if self.watch.stopped() {
                return Err(End::Stopped);
            }
            match read {
                Ok(()) => {
                    if self.watch.data() {
                        self.outlet.event(IngestEvent::Resumed)?;
                    }
                    if let Some(timed) = Timed::of(packet, selection) {
                        return Ok(timed);
                    }
                }
                Err(ff::Error::Eof) => return Err(End::Finished),
                Err(ff::Error::InvalidData) => (),
                Err(ff::Error::Other { errno }) if errno == ff::error::EAGAIN => (),
                Err(error) => return Err(End::Lost(Error::reading(&self.source.name, error))),
            }
        }
    }
}

const NOTHING: Facts = Facts {
    keyframes_apart: 0,
    rate: Bitrate::ZERO,
};

const RARE: &str = "keyframes are more than 4 s apart, so the picture is encoded anew; in OBS set \
                    Settings, Output, Streaming, \"Keyframe Interval\" to 2 s";

/// How much time lies between the first and the last packet.
fn span(packets: &[Timed]) -> i64 {
    let times = || packets.iter().map(|it| it.dts);
    times().max().unwrap_or(0) - times().min().unwrap_or(0)
}
