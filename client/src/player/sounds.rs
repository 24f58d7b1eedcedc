//! Which samples are heard.

use super::line::{SECOND, ticks};
use banyan_media::decode::{CHANNELS, Samples};
use std::collections::VecDeque;
use std::time::Duration;

/// Sound that is decoded ahead.
const AHEAD: i64 = ticks(Duration::from_millis(500));

/// Times of pieces that belong together disagree by less; a piece that is earlier or later is cut, or silence comes before.
const APART: i64 = ticks(Duration::from_millis(20));

/// Sound that is over for so long is taken by nobody: there is no device.
const OVER: i64 = ticks(Duration::from_millis(300));

/// Left and right.
pub(super) type Frame = [f32; CHANNELS];

/// Decoded sound, in the order heard.
#[derive(Debug)]
pub(super) struct Sounds {
    ahead: VecDeque<Samples>,
    /// Frames of the first that were heard.
    heard: usize,
    /// Frames of silence before the rest of the first.
    silence: usize,
    /// Whether what is played follows on what was; else the clock says where to begin.
    in_step: bool,
    rate: u32,
}

/// What came of playing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Played {
    /// The first frame that is sound, and its time.
    pub(super) first: Option<(usize, i64)>,
    /// It ran out, at this time.
    pub(super) ran_out: Option<i64>,
}

impl Sounds {
    /// Sound of `rate` frames a second.
    pub(super) fn new(rate: u32) -> Self {
        Self {
            ahead: VecDeque::new(),
            heard: 0,
            silence: 0,
            in_step: false,
            rate,
        }
    }

    /// Frames a second.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Whether more is to be decoded.
    pub(super) fn has_room(&self) -> bool {
        self.ahead.iter().map(|piece| piece.ticks).sum::<i64>() < AHEAD
    }

    /// Takes in the next piece.
    pub(super) fn push(&mut self, piece: Samples) {
        if !piece.data.is_empty() {
            self.ahead.push_back(piece);
        }
    }

    /// What comes now is of another place.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.rate);
    }

    /// The clock says where to begin next: it was held or set.
    pub(super) fn out_of_step(&mut self) {
        self.in_step = false;
        self.silence = 0;
    }

    /// Where what has been decoded ends.
    pub(super) fn end(&self) -> Option<i64> {
        self.ahead.back().map(|last| last.pts + last.ticks)
    }

    /// Throws away what nobody took in time.
    pub(super) fn pass(&mut self, time: i64) {
        let over = time - OVER;
        if self
            .ahead
            .front()
            .is_some_and(|piece| piece.pts + piece.ticks <= over)
        {
            self.out_of_step();
            self.skip_before(over);
        }
    }

    /// Plays `frames`, of which the first is heard when the line's time is `time`; frames that are not put are silent.
    pub(super) fn play(&mut self, frames: usize, time: i64, mut put: impl FnMut(usize, Frame)) -> Played {
        let mut at = match self.in_step {
            true => 0,
            false => match self.align(time, frames) {
                Some(at) => at,
                None => return Played::default(),
            },
        };
        let first = self.time().map(|time| (at, time));
        let mut end = time;
        while at < frames {
            let Some(piece) = self.ahead.front() else {
                self.out_of_step();
                return Played {
                    first,
                    ran_out: Some(end),
                };
            };
            end = piece.pts + piece.ticks;
            let silent = self.silence.min(frames - at);
            self.silence -= silent;
            at += silent;
            let left = piece.data.chunks_exact(CHANNELS).skip(self.heard);
            let mut taken = 0;
            for frame in left.take(frames - at) {
                put(at + taken, [frame[0], frame[1]]);
                taken += 1;
            }
            at += taken;
            self.heard += taken;
            self.turn();
        }
        Played { first, ran_out: None }
    }

    /// Begins where the clock says; gives how many frames are silent before.
    fn align(&mut self, time: i64, frames: usize) -> Option<usize> {
        self.skip_before(time);
        let early = self.time()? - time;
        let silent = self.frames(early.max(0));
        self.in_step = silent < frames;
        self.in_step.then_some(silent)
    }

    /// The time of the next frame that is no silence.
    fn time(&self) -> Option<i64> {
        let piece = self.ahead.front()?;
        let frames = (piece.data.len() / CHANNELS) as i64;
        Some(piece.pts + piece.ticks * self.heard as i64 / frames - self.ticks(self.silence))
    }

    fn skip_before(&mut self, time: i64) {
        while let Some(piece) = self.ahead.front() {
            if piece.pts + piece.ticks > time {
                let early = self.frames((time - piece.pts).max(0));
                self.heard = self.heard.max(early.min(piece.data.len() / CHANNELS - 1));
                return;
            }
            self.ahead.pop_front();
            self.heard = 0;
        }
    }

    /// Goes on to the next piece when the first has been heard.
    fn turn(&mut self) {
        let Some(piece) = self.ahead.front() else {
            return;
        };
        if self.heard < piece.data.len() / CHANNELS {
            return;
        }
        let end = piece.pts + piece.ticks;
        self.ahead.pop_front();
        self.heard = 0;
        let Some(next) = self.ahead.front() else {
            return;
        };
        let apart = next.pts - end;
        if apart > APART {
            self.silence = self.frames(apart);
        } else if apart < -APART {
            self.skip_before(end);
        }
    }

    fn frames(&self, ticks: i64) -> usize {
        (ticks * i64::from(self.rate) / SECOND) as usize
    }

    fn ticks(&self, frames: usize) -> i64 {
        frames as i64 * SECOND / i64::from(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 45_000;
    /// Frames in a piece, of which each has the value of its place on the line in frames.
    const PIECE: i64 = 1000;

    /// A piece that begins with this frame of the line: two units of the line a frame.
    fn piece(frame: i64) -> Samples {
        Samples {
            pts: 2 * frame,
            ticks: 2 * PIECE,
            data: (frame..frame + PIECE)
                .flat_map(|at| [at as f32, -at as f32])
                .collect(),
        }
    }

    fn sounds(pieces: &[i64]) -> Sounds {
        let mut sounds = Sounds::new(RATE);
        pieces.iter().for_each(|&frame| sounds.push(piece(frame)));
        sounds
    }

    fn play(sounds: &mut Sounds, frames: usize, frame: i64) -> (Vec<i64>, Played) {
        let mut out = vec![-1; frames];
        let played = sounds.play(frames, 2 * frame, |at, [left, right]| {
            assert_eq!(left, -right);
            out[at] = left as i64;
        });
        (out, played)
    }

    #[test]
    fn it_begins_where_the_clock_is_and_goes_on_by_itself() {
        let mut sounds = sounds(&[0, 1000, 2000]);
        let (out, played) = play(&mut sounds, 700, 600);
        assert_eq!(out, (600..1300).collect::<Vec<_>>());
        assert_eq!(played.first, Some((0, 1200)));
        let (out, played) = play(&mut sounds, 700, 9999);
        assert_eq!(out, (1300..2000).collect::<Vec<_>>(), "the clock follows it");
        assert_eq!(played.first, Some((0, 2600)));
    }

    #[test]
    fn before_its_time_there_is_silence() {
        let mut sounds = sounds(&[1000]);
        assert_eq!(play(&mut sounds, 300, 500), (vec![-1; 300], Played::default()));
        let (out, played) = play(&mut sounds, 300, 800);
        assert_eq!(out[..200], [-1; 200]);
        assert_eq!(out[200..], (1000..1100).collect::<Vec<_>>());
        assert_eq!(played.first, Some((200, 2000)));
    }

    #[test]
    fn a_hole_is_silent_and_an_overlap_is_heard_once() {
        let mut holed = sounds(&[0, 3000]);
        let (out, _) = play(&mut holed, 3500, 0);
        assert_eq!(out[..1000], (0..1000).collect::<Vec<_>>());
        assert_eq!(out[1000..3000], [-1; 2000]);
        assert_eq!(out[3000..], (3000..3500).collect::<Vec<_>>());
        let mut overlapping = sounds(&[0, 50]);
        let (out, _) = play(&mut overlapping, 1050, 0);
        assert_eq!(out, (0..1050).collect::<Vec<_>>());
    }

    #[test]
    fn times_that_hardly_disagree_make_no_hole() {
        let mut sounds = sounds(&[0, 1003]);
        let (out, _) = play(&mut sounds, 1500, 0);
        assert!(!out.contains(&-1));
    }

    #[test]
    fn when_it_runs_out_it_says_where_and_begins_anew() {
        let mut sounds = sounds(&[0]);
        let (out, played) = play(&mut sounds, 1200, 0);
        assert_eq!(out[1000..], [-1; 200]);
        assert_eq!(played.ran_out, Some(2000));
        assert_eq!(play(&mut sounds, 100, 1000).1, Played::default());
        sounds.push(piece(1000));
        assert_eq!(play(&mut sounds, 100, 1500).0, (1500..1600).collect::<Vec<_>>());
    }

    #[test]
    fn what_nobody_takes_makes_room_again() {
        let mut sounds = Sounds::new(RATE);
        let mut next = 0;
        while sounds.has_room() {
            sounds.push(piece(next));
            next += PIECE;
        }
        assert!(next * 2 >= AHEAD && next * 2 < AHEAD + 4 * PIECE);
        sounds.pass(OVER + 2 * next);
        assert!(sounds.has_room() && sounds.end().is_none());
    }
}
