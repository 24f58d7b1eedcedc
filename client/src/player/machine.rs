//! What is played when: holds the parts together. Pure: time is passed in.

use super::clock::Clock;
use super::line::{SECOND, duration, ticks};
use super::margin::Margin;
use super::pictures::Pictures;
use super::sounds::{Frame, Sounds};
use super::timeline::{Item, Medium, Timeline};
use banyan_media::decode::{Picture, Samples};
use banyan_protocol::io::Play;
use banyan_protocol::media::{Kind, Track};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Frames of sound a second until a device says otherwise: what nearly all streams have.
const RATE: u32 = 48_000;

/// A live stream further behind than this is played from the live edge again: the machine slept.
const BEHIND_MAX: i64 = 5 * SECOND;

/// Pictures that are to be decoded and late by more are skipped up to a keyframe: nobody looked, or the decoder is too slow.
const LATE_MAX: i64 = SECOND;

/// How long a picture is shown if the stream doesn't say.
const FRAME: i64 = SECOND / 25;

/// What the device last said is good for so long.
const HEARD_FOR: Duration = Duration::from_millis(500);

/// What a player is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing to play has come yet.
    #[default]
    Waiting,
    /// It gathers enough to play on without a stop.
    Buffering,
    /// Picture and sound run, unless paused.
    Playing,
}

/// How a player is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What it is doing.
    pub phase: Phase,
    /// Whether the person paused it.
    pub paused: bool,
    /// Whether it follows the live edge; not after a pause or going back, until asked to.
    pub live: bool,
    /// How far behind the newest that came it plays.
    pub behind_live: Duration,
    /// How far back one can go.
    pub held: Duration,
    /// Pixels across of the picture shown, 0 without one.
    pub width: u32,
    /// Pixels down of the picture shown, 0 without one.
    pub height: u32,
    /// Pictures a second as the stream says, 0 if it doesn't.
    pub fps: f32,
    /// Pictures that were decoded and came too late to be shown.
    pub dropped: u64,
    /// How late the picture is, measured by the sound; below zero if early. `None` without sound.
    pub lip_sync_ms: Option<f32>,
    /// Why picture or sound is missing, as one sentence.
    pub error: Option<String>,
}

/// Something to decode, of the place numbered `run`.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) medium: Medium,
    pub(super) run: u32,
    pub(super) item: Item,
    /// Frames of sound a second.
    pub(super) rate: u32,
    /// How much faster sound is to be.
    pub(super) stretch: f32,
}

/// A player without its thread.
#[derive(Debug)]
pub(super) struct Machine {
    timeline: Timeline,
    clock: Clock,
    pictures: Pictures,
    sounds: Sounds,
    margin: Margin,
    phase: Phase,
    paused: bool,
    live: bool,
    /// Where it begins to play when it has gathered enough.
    from: i64,
    /// Numbers the places that were gone to, a medium each: what was decoded for another is of no use.
    runs: [u32; 2],
    /// What the device last played when.
    heard: Option<(Instant, i64)>,
    lip_sync: Option<f32>,
    errors: [Option<String>; 2],
    /// Whether something changed that a screen shows and does not know when to expect.
    changed: bool,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            timeline: Timeline::default(),
            clock: Clock::new(),
            pictures: Pictures::default(),
            sounds: Sounds::new(RATE),
            margin: Margin::new(),
            phase: Phase::Waiting,
            paused: false,
            live: true,
            from: 0,
            runs: [0; 2],
            heard: None,
            lip_sync: None,
            errors: [None, None],
            changed: false,
        }
    }

    /// Takes in what is played.
    pub(super) fn push(&mut self, now: Instant, play: Play) {
        self.tick(now);
        let was_known = self.next_change().is_some();
        if self.phase == Phase::Playing && self.live && !self.paused {
            self.margin.left(now, self.timeline.edge() - self.clock.at(now));
        }
        self.timeline.push(play);
        if self.phase == Phase::Playing {
            self.clock.limit(self.timeline.edge());
        }
        self.tick(now);
        self.changed |= !was_known && self.next_change().is_some();
    }

    /// Does what the time has come for.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.phase != Phase::Waiting && !self.paused && self.timeline.is_lost() {
            self.seek(self.timeline.oldest().unwrap_or(self.from));
        }
        match self.phase {
            Phase::Waiting => self.begin(),
            Phase::Buffering if !self.paused && self.is_ready(now) => self.run(now),
            Phase::Playing if self.clock.is_at_limit(now) => self.run_out(self.clock.at(now)),
            Phase::Playing if self.is_far_behind(now) => self.go_live(),
            Phase::Buffering | Phase::Playing => {}
        }
        self.sounds.pass(self.clock.at(now));
    }

    fn begin(&mut self) {
        if let Some(oldest) = self.timeline.oldest() {
            self.seek(oldest);
        }
    }

    /// Whether enough lies ready, in packets and decoded, to play from where it stands.
    fn is_ready(&self, now: Instant) -> bool {
        let stands = !self.clock.runs() || self.clock.at(now) >= self.from;
        let has_picture = self.pictures.has_any() || self.timeline.is_read(Medium::Picture);
        let has_sound =
            self.sounds.end().is_some_and(|end| end > self.from) || self.timeline.is_read(Medium::Sound);
        let has_margin = self.timeline.edge() - self.from >= self.margin.wished();
        stands && has_picture && has_sound && has_margin
    }

    fn run(&mut self, now: Instant) {
        self.phase = Phase::Playing;
        self.changed = true;
        self.clock.hold(self.from);
        self.clock.limit(self.timeline.edge());
        self.clock.run(now);
        self.sounds.out_of_step();
    }

    /// All that came has been played, up to `at`.
    fn run_out(&mut self, at: i64) {
        self.phase = Phase::Buffering;
        self.changed = true;
        self.from = at;
        self.clock.limit(at);
        self.margin.ran_out();
    }

    fn is_far_behind(&self, now: Instant) -> bool {
        let behind = self.timeline.edge() - self.clock.at(now);
        self.live && !self.paused && behind > BEHIND_MAX.max(2 * self.margin.wished())
    }

    /// Goes to a place.
    fn seek(&mut self, time: i64) {
        let Some(from) = self.timeline.seek(time) else {
            return;
        };
        self.phase = Phase::Buffering;
        self.changed = true;
        self.from = from;
        self.clock.hold(from);
        self.runs = self.runs.map(|run| run + 1);
        self.pictures.clear();
        self.sounds.clear();
        self.margin.restart();
    }

    pub(super) fn pause(&mut self, now: Instant) {
        self.paused = true;
        self.live = false;
        self.clock.hold(self.clock.at(now));
        self.sounds.out_of_step();
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if std::mem::take(&mut self.paused) && self.phase == Phase::Playing {
            self.clock.run(now);
        }
        self.changed = true;
        self.tick(now);
    }

    /// Goes back by `by`, or as far as can be.
    pub(super) fn back(&mut self, now: Instant, by: Duration) {
        if self.phase == Phase::Waiting {
            return;
        }
        self.live = false;
        self.seek(self.clock.at(now) - ticks(by));
        self.tick(now);
    }

    /// Goes to the live edge, and follows it.
    pub(super) fn live(&mut self, now: Instant) {
        let follows = self.live && !self.paused;
        self.paused = false;
        self.live = true;
        if self.phase != Phase::Waiting && !follows {
            self.go_live();
        }
        self.tick(now);
    }

    fn go_live(&mut self) {
        self.seek(self.timeline.edge() - self.margin.wished());
    }

    /// What is to be decoded next: sound first, which is little work and must not fail.
    pub(super) fn work(&mut self, now: Instant) -> Option<Work> {
        if self.phase == Phase::Waiting {
            return None;
        }
        if self.timeline.skip(self.clock.at(now), LATE_MAX) {
            self.runs[Medium::Picture as usize] += 1;
        }
        let sound = self.sounds.has_room().then(|| self.read(Medium::Sound)).flatten();
        sound.or_else(|| {
            self.pictures
                .has_room()
                .then(|| self.read(Medium::Picture))
                .flatten()
        })
    }

    fn read(&mut self, medium: Medium) -> Option<Work> {
        Some(Work {
            medium,
            run: self.runs[medium as usize],
            item: self.timeline.read(medium)?,
            rate: self.sounds.rate(),
            stretch: self.margin.stretch(),
        })
    }

    /// Takes in the pictures that were decoded for the place `run`.
    pub(super) fn pictures(&mut self, now: Instant, run: u32, pictures: Vec<Picture>) {
        if run != self.runs[Medium::Picture as usize] {
            return;
        }
        self.errors[Medium::Picture as usize] = None;
        // The one that is shown before the place may still be on the screen there.
        let after = self.from - self.frame();
        for picture in pictures.into_iter().filter(|picture| picture.pts > after) {
            self.changed |= self.pictures.push(picture);
        }
        self.tick(now);
    }

    /// Takes in the sound that was decoded for the place `run`.
    pub(super) fn sounds(&mut self, now: Instant, run: u32, pieces: Vec<Samples>) {
        if run != self.runs[Medium::Sound as usize] {
            return;
        }
        self.errors[Medium::Sound as usize] = None;
        pieces.into_iter().for_each(|piece| self.sounds.push(piece));
        self.tick(now);
    }

    /// A medium cannot be decoded.
    pub(super) fn failed(&mut self, medium: Medium, why: String) {
        self.errors[medium as usize] = Some(why);
        self.changed = true;
    }

    /// The picture to show now.
    pub(super) fn picture(&mut self, now: Instant) -> Option<Arc<Picture>> {
        self.tick(now);
        let at = self.clock.at(now);
        let (picture, is_new) = self.pictures.pick(at);
        if let Some(picture) = picture.as_ref().filter(|_| is_new && self.clock.runs()) {
            self.measure(now, picture.pts);
        }
        picture
    }

    /// How late a picture shown now is, by what is heard now.
    fn measure(&mut self, now: Instant, pts: i64) {
        let Some((plays_at, time)) = self.heard else {
            return;
        };
        let after = ticks(now.saturating_duration_since(plays_at));
        let before = ticks(plays_at.saturating_duration_since(now));
        let late = (time + after - before - pts) as f32 * 1000.0 / SECOND as f32;
        let smoothed = self.lip_sync.map_or(late, |was| was + (late - was) / 8.0);
        self.lip_sync = Some(smoothed);
    }

    /// When the picture changes next; `None` if that is not known, and then a change is told.
    pub(super) fn next_change(&self) -> Option<Instant> {
        self.clock.when(self.pictures.next()?)
    }

    /// Plays `frames` of sound at `rate` from `plays_at` on. Frames that are not put are silent.
    pub(super) fn fill(
        &mut self,
        now: Instant,
        (frames, rate): (usize, u32),
        plays_at: Instant,
        put: impl FnMut(usize, Frame),
    ) {
        self.tick(now);
        if rate != self.sounds.rate() {
            self.set_rate(now, rate);
        }
        if self.phase != Phase::Playing || self.paused {
            return;
        }
        let played = self.sounds.play(frames, self.clock.unlimited(plays_at), put);
        if let Some((frame, time)) = played.first {
            let heard_at = plays_at + Duration::from_nanos(frame as u64 * 1_000_000_000 / u64::from(rate));
            self.clock.heard(heard_at, time);
            self.heard = Some((heard_at, time));
        }
        if let Some(end) = played.ran_out {
            self.run_out(end);
        }
    }

    /// Another device is filled from now on: the clock says where it begins.
    pub(super) fn other_device(&mut self) {
        self.sounds.out_of_step();
    }

    /// The device has another rate: what is ahead is decoded again.
    fn set_rate(&mut self, now: Instant, rate: u32) {
        self.sounds = Sounds::new(rate);
        self.runs[Medium::Sound as usize] += 1;
        self.timeline.rewind_sound(self.clock.at(now));
    }

    /// Whether a screen has to look again although it was not time; says so once.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Pictures a second, 0 if unknown.
    fn fps(&self) -> f32 {
        self.timeline.tracks().iter().find_map(fps).unwrap_or(0.0)
    }

    /// How long a picture is shown.
    fn frame(&self) -> i64 {
        let fps = self.fps();
        if fps > 0.0 {
            (SECOND as f32 / fps) as i64
        } else {
            FRAME
        }
    }

    pub(super) fn state(&self, now: Instant) -> State {
        let at = self.clock.at(now);
        let shown = self.pictures.shown();
        let is_heard = |(plays_at, _): &(Instant, i64)| now.saturating_duration_since(*plays_at) < HEARD_FOR;
        State {
            phase: self.phase,
            paused: self.paused,
            live: self.live,
            behind_live: duration(self.timeline.edge() - at),
            held: duration(at - self.timeline.oldest().unwrap_or(at)),
            width: shown.map_or(0, |picture| picture.width),
            height: shown.map_or(0, |picture| picture.height),
            fps: self.fps(),
            dropped: self.pictures.dropped(),
            lip_sync_ms: self
                .lip_sync
                .filter(|_| self.heard.as_ref().is_some_and(is_heard)),
            error: self.errors.iter().flatten().next().cloned(),
        }
    }
}

fn fps(track: &Track) -> Option<f32> {
    match track.kind {
        Kind::Video { frames_per_1000s, .. } => Some(frames_per_1000s as f32 / 1000.0),
        Kind::Audio { .. } => None,
    }
}

#[cfg(test)]
pub(super) mod tests;
