//! Passing on what comes from an opened input, in time.

use super::outlet::Gone;
use super::plan::{self, Facts};
use super::reader::{End, Reader};
use super::scan::{Keyframes, Meter};
use super::select::Selection;
use super::session::{Learned, Session, Timed, Verdict};
use super::source::Kind;
use super::undated::Undated;
use super::{IngestEvent, Mode};
use crate::error::Error;
use banyan_protocol::units::Bitrate;
use ffmpeg_next as ff;
use ffmpeg_next::format::context;
use std::time::{Duration, Instant};

/// How long a live input may be silent before it is opened again: connections, and datagrams.
const CONNECTION_SILENT_MAX: Duration = Duration::from_secs(10);
const DATAGRAMS_SILENT_MAX: Duration = Duration::from_secs(3);

/// A live input's set-up and rate are looked for in so much of it, unless they are known before.
const LEARN_OVER: i64 = 90_000;

/// What is added, in hundredths, to a rate that was measured over so little.
const LIVE_MARGIN: u64 = 110;

/// How much sound before the first keyframe is kept: in time, and in packets while none has come.
const SOUND_BEFORE_MAX: i64 = 45_000;
const SOUNDS_MAX: usize = 128;

/// So many packets of sound in a row may be out of time before the clock is said to jump: the last ones of before a jump
/// come after the first picture of after it.
const STRAYS_MAX: u32 = 20;

/// So many unreadable packets in a row, and the input is given up.
const BROKEN_MAX: u32 = 1000;

impl Reader {
    /// Plays an opened input until it ends, deciding anew where that is needed.
    pub(super) fn play(&mut self, mut input: context::Input, selection: &Selection) -> Result<End, Error> {
        self.watch.expect_data(match self.source.kind {
            Kind::Datagrams => DATAGRAMS_SILENT_MAX,
            _ => CONNECTION_SILENT_MAX,
        });
        self.carried = None;
        self.sequence.clear();
        self.undated = Undated::default();
        loop {
            let (begun, session) = match self.begin(&mut input, selection)? {
                Ok(begun) => begun,
                Err(end) => return Ok(end),
            };
            match self.go_on(&mut input, selection, begun, session) {
                End::Again => (),
                end => return Ok(end),
            }
        }
    }

    /// Reads up to a keyframe and until the set-up is known, decides, and announces what will come.
    fn begin(
        &mut self,
        input: &mut context::Input,
        selection: &Selection,
    ) -> Result<Result<(Vec<Timed>, Session), End>, Error> {
        let mut learned = Learned::new(selection)?;
        let begun = match self.learn(input, selection, &mut learned) {
            Ok(begun) => begun,
            Err(end) => return Ok(Err(end)),
        };
        let sequence = learned.sequence();
        let is_other = !self.sequence.is_empty() && self.sequence != sequence;
        if is_other && self.source.kind != Kind::File {
            return Ok(Err(End::Finished));
        }
        self.sequence = sequence.to_vec();
        let facts = self.facts(selection, &begun);
        let mut session = Session::new(
            &self.source,
            selection,
            self.mode,
            facts,
            learned,
            self.outlet.clone(),
        )?;
        Ok(self
            .announce(selection, facts, &begun, &mut session)
            .map(|()| (begun, session))
            .map_err(End::from))
    }

    fn learn(
        &mut self,
        input: &mut context::Input,
        selection: &Selection,
        learned: &mut Learned,
    ) -> Result<Vec<Timed>, End> {
        let known = self.seen.is_some()
            || self.source.kind == Kind::Test
            || selection.video.shape.bit_rate > 0
            || plan::copies(&selection.video, self.mode, NOTHING).is_err();
        let mut begun: Vec<Timed> = Vec::new();
        loop {
            let timed = match self.carried.take() {
                Some(timed) => timed,
                None => match self.next(input, selection) {
                    Ok(timed) => timed,
                    Err(End::Finished) if begun.iter().any(|it| it.track == 0) => return Ok(begun),
                    Err(end) => return Err(end),
                },
            };
            let has_video = begun.iter().any(|it| it.track == 0);
            if timed.track == 0 && !has_video {
                if !timed.packet.is_key() {
                    continue;
                }
                begun.retain(|sound| sound.dts >= timed.dts - SOUND_BEFORE_MAX);
            }
            if !has_video && begun.len() >= SOUNDS_MAX {
                begun.remove(0);
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
            rate: meter
                .estimate()
                .unwrap_or(Bitrate::ZERO)
                .max(announced)
                .percent(LIVE_MARGIN),
        }
    }

    /// Moves the clock so that the input goes on where the channel is, and says what comes.
    fn announce(
        &mut self,
        selection: &Selection,
        facts: Facts,
        begun: &[Timed],
        session: &mut Session,
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
        session.keep_rates(&self.announced);
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
        let mut strays = 0;
        loop {
            let timed = match begun.next().map_or_else(|| self.next(input, selection), Ok) {
                Ok(timed) => timed.moved(&self.timeline),
                Err(end) => return end,
            };
            let ahead_max_s = if self.source.kind == Kind::File { 10 } else { 3 };
            let jumps = self.timeline.jumps(timed.track, timed.dts, ahead_max_s);
            strays = if jumps { strays + 1 } else { 0 };
            if jumps && timed.track == 1 && strays < STRAYS_MAX {
                continue;
            }
            if session.changes(&timed) && self.source.kind != Kind::File {
                return End::Finished;
            }
            if jumps || (session.is_over() && timed.is_keyframe()) {
                self.carried = Some(timed.moved_back(&self.timeline));
                return End::Again;
            }
            if let Err(end) = self.pass_on(timed, &mut session) {
                return end;
            }
        }
    }

    /// Passes a packet on when it is due.
    fn pass_on(&mut self, timed: Timed, session: &mut Session) -> Result<(), End> {
        let duration = timed.packet.duration().clamp(0, 90_000) as u32;
        self.timeline.note(timed.track, timed.dts, timed.pts, duration);
        if self.source.kind.is_paced() {
            let due = self.pacer.due(timed.dts, Instant::now());
            if !self.watch.wait_until(due) {
                return Err(End::Stopped);
            }
        }
        match session.packet(timed)? {
            Verdict::Fine => Ok(()),
            Verdict::KeyframesRare => {
                // From the next keyframe on, so that nothing is missing until then.
                self.mode = Mode::Transcode;
                Ok(self.outlet.warn(RARE.into())?)
            }
            Verdict::NothingLeft => Err(End::Lost(Error::Codec {
                what: "encoding",
                why: "nothing is left to broadcast".into(),
            })),
        }
    }

    /// The next packet of a selected stream.
    fn next(&mut self, input: &mut context::Input, selection: &Selection) -> Result<Timed, End> {
        let mut broken = 0;
        while broken < BROKEN_MAX {
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
                    if let Some(timed) = Timed::of(packet, selection, &mut self.undated) {
                        return Ok(timed);
                    }
                }
                Err(ff::Error::Eof) => return Err(End::Finished),
                Err(ff::Error::InvalidData) => broken += 1,
                Err(ff::Error::Other { errno }) if errno == ff::error::EAGAIN => {
                    self.watch.wait_until(Instant::now() + Duration::from_millis(2));
                }
                Err(error) => return Err(self.lost_with(error)),
            }
        }
        Err(self.lost_with(ff::Error::InvalidData))
    }

    fn lost_with(&self, error: ff::Error) -> End {
        End::Lost(Error::reading(&self.source.name, error))
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
