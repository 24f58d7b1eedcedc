//! The decoder's thread.

use super::handle::Shared;
use super::machine::Work;
use super::timeline::{Item, Medium};
use banyan_media::Error;
use banyan_media::decode::{Picture, Samples, Sound, Video};
use banyan_protocol::media::Track;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Decodes until the player ends.
pub(super) fn run(shared: &Shared) {
    let mut pictures = Lane::new();
    let mut sounds = SoundLane {
        lane: Lane::new(),
        rate: 0,
    };
    while let Some(work) = next(shared) {
        let (medium, run) = (work.medium, work.run);
        let done = match medium {
            Medium::Picture => pictures.pictures(work).map(|decoded| {
                shared.with(|machine, now| machine.pictures(now, run, decoded));
            }),
            Medium::Sound => sounds.decode(work).map(|decoded| {
                shared.with(|machine, now| machine.sounds(now, run, decoded));
            }),
        };
        match done {
            Ok(()) | Err(Failure::Known) => {}
            Err(Failure::New(error)) => {
                tracing::debug!(?medium, %error, "cannot be decoded");
                shared.with(|machine, _| machine.failed(medium, error.to_string()));
            }
        }
    }
}

/// Waits for something to decode; `None` when the player ends.
fn next(shared: &Shared) -> Option<Work> {
    let mut machine = shared.machine();
    loop {
        if shared.ends.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(work) = machine.work(Instant::now()) {
            return Some(work);
        }
        machine = shared.news.wait(machine).expect("the machine does not panic");
    }
}

/// Why nothing was decoded.
enum Failure {
    /// It cannot be.
    New(Error),
    /// That was said before.
    Known,
}

/// A medium's decoder, and what it is in the middle of.
struct Lane<D> {
    place: (u32, u32),
    track: Option<Track>,
    /// `None` if there is none for the track.
    decoder: Option<D>,
}

impl<D> Lane<D> {
    fn new() -> Self {
        Self {
            place: (0, 0),
            track: None,
            decoder: None,
        }
    }

    /// The decoder for a track: the one there is if it is still the same track.
    fn decoder(&mut self, track: &Track, open: impl FnOnce() -> Result<D, Error>) -> Result<&mut D, Failure> {
        if self.track.as_ref() != Some(track) {
            self.track = Some(track.clone());
            self.decoder = None;
            self.decoder = Some(open().map_err(Failure::New)?);
        }
        self.decoder.as_mut().ok_or(Failure::Known)
    }

    /// Whether what comes does not follow on what was, and whether that is of another place altogether.
    fn enter(&mut self, run: u32, item: &Item) -> (bool, bool) {
        let was = std::mem::replace(&mut self.place, (run, item.segment));
        (was != self.place, was.0 != run)
    }

    /// It cannot decode this track after all.
    fn give_up(&mut self, error: Error) -> Failure {
        self.decoder = None;
        Failure::New(error)
    }
}

impl Lane<Video> {
    fn pictures(&mut self, work: Work) -> Result<Vec<Picture>, Failure> {
        let mut out = Vec::new();
        let (starts, is_elsewhere) = self.enter(work.run, &work.item);
        if let Some(before) = self.decoder.as_mut().filter(|_| starts) {
            match is_elsewhere {
                true => before.reset(),
                // What is held back is still to be shown.
                false => before.finish(&mut out).map_err(Failure::New)?,
            }
        }
        let track = &work.item.track;
        let decoder = self.decoder(track, || Video::open(track))?;
        match decoder.packet(&work.item.packet, &mut out) {
            Ok(()) => Ok(out),
            Err(error) => Err(self.give_up(error)),
        }
    }
}

/// Sound is decoded for a device's rate.
struct SoundLane {
    lane: Lane<Sound>,
    rate: u32,
}

impl SoundLane {
    fn decode(&mut self, work: Work) -> Result<Vec<Samples>, Failure> {
        let (starts, _) = self.lane.enter(work.run, &work.item);
        if std::mem::replace(&mut self.rate, work.rate) != work.rate {
            self.lane = Lane {
                place: self.lane.place,
                ..Lane::new()
            };
        } else if let Some(before) = self.lane.decoder.as_mut().filter(|_| starts) {
            before.reset();
        }
        let track = &work.item.track;
        let decoder = self.lane.decoder(track, || Sound::open(track, work.rate))?;
        decoder.stretch(work.stretch);
        let mut out = Vec::new();
        match decoder.packet(&work.item.packet, &mut out) {
            Ok(()) => Ok(out),
            Err(error) => Err(self.lane.give_up(error)),
        }
    }
}
