//! The last minute of what came, to be read again from any keyframe.

use super::line::{SECOND, ticks};
use banyan_protocol::io::Play;
use banyan_protocol::media::{Kind, Packet, Track};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How far back a person can go.
const KEPT_MAX: i64 = ticks(Duration::from_secs(60));

/// The most memory for it: at 8 Mbit/s a minute.
const BYTES_MAX: usize = 64 << 20;

/// What a packet costs besides its data.
const PACKET_BYTES: usize = 128;

/// A media clock that goes on within this goes on; else what comes follows on what was.
const JUMP: i64 = ticks(Duration::from_millis(500));

/// No packet is shown longer, or so long after it is decoded, whatever it says.
const LENGTH_MAX: i64 = 10 * SECOND;

/// No media clock goes further, so that sums of times are times: a thousand centuries.
const TIME_MAX: i64 = i64::MAX / 4;

/// A track further behind than this is not waited for: it may never come.
const LAG_MAX: i64 = SECOND;

/// Which of a tier's tracks: Banyan has one picture and one sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    Picture,
    Sound,
}

/// A packet on the line.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Grows where something is missing, or tracks change: a decoder starts anew there.
    pub(super) segment: u32,
    pub(super) track: Track,
    /// Its times are on the line.
    pub(super) packet: Packet,
}

#[derive(Debug)]
struct Kept {
    segment: u32,
    medium: Medium,
    tracks: Arc<[Track]>,
    packet: Packet,
}

/// What came, and how far each medium has been read.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// The number of the first that is kept; numbers only grow.
    first: u64,
    /// The number of the next that is read, for [`Medium::Picture`] and [`Medium::Sound`].
    next: [u64; 2],
    tracks: Arc<[Track]>,
    segment: u32,
    /// Whether the next packet is the first of its segment.
    begins: bool,
    /// When its first packet is shown.
    begun: i64,
    /// The line's time less the media clock's.
    offset: i64,
    /// Where the leading medium ends.
    end: i64,
    /// Up to where each medium of this segment has come.
    come: [Option<i64>; 2],
    /// Up to where all has come.
    edge: i64,
}

impl Timeline {
    /// Takes in what is played; forgets what is too old.
    pub(super) fn push(&mut self, play: Play) {
        match play {
            Play::Tracks { tracks, .. } => {
                self.tracks = tracks;
                self.begin();
            }
            Play::Gap => self.begin(),
            Play::Packet(packet) => self.packet(packet),
        }
    }

    fn begin(&mut self) {
        self.segment = self.segment.wrapping_add(1);
        self.begins = true;
        self.come = [None; 2];
    }

    fn packet(&mut self, mut packet: Packet) {
        let Some(track) = self.tracks.get(usize::from(packet.track)) else {
            return;
        };
        let medium = medium(track);
        let length = length(track, &packet).min(LENGTH_MAX);
        packet.pts = packet.pts.clamp(-TIME_MAX, TIME_MAX);
        packet.dts = packet.dts.clamp(packet.pts - LENGTH_MAX, packet.pts);
        // A clock that jumps without a word is one that jumps.
        if self.off_by(packet.pts) > KEPT_MAX {
            self.begin();
        }
        if std::mem::take(&mut self.begins) {
            self.join(packet.pts);
        }
        packet.pts += self.offset;
        packet.dts += self.offset;
        self.note(medium, &packet, length);
        self.bytes += cost(&packet);
        self.kept.push_back(Kept {
            segment: self.segment,
            medium,
            tracks: self.tracks.clone(),
            packet,
        });
        self.forget();
    }

    /// How far `pts` of the media clock is from where the line ends.
    fn off_by(&self, pts: i64) -> i64 {
        (pts + self.offset - self.end).abs()
    }

    /// A segment that begins at `pts` of the media clock goes on at its own time, or where the line ends.
    fn join(&mut self, pts: i64) {
        if self.kept.is_empty() || self.off_by(pts) > JUMP {
            self.offset = self.end - pts;
        }
        self.begun = pts + self.offset;
    }

    fn note(&mut self, medium: Medium, packet: &Packet, length: i64) {
        if medium == self.leading() {
            self.end = self.end.max(packet.pts + length);
        }
        // Pictures may be shown in another order than they come; all that are shown before this one is decoded have come.
        let upto = match medium {
            Medium::Picture => packet.dts,
            Medium::Sound => packet.pts + length,
        };
        let come = &mut self.come[medium as usize];
        *come = Some(come.map_or(upto, |come| come.max(upto)));
        self.edge = self.edge.max(self.all_come());
    }

    fn all_come(&self) -> i64 {
        let come = self.come.into_iter().flatten();
        let newest = come.clone().max().unwrap_or(self.edge);
        let is_missing = come.clone().count() < self.tracks.len();
        if is_missing && newest - self.begun <= LAG_MAX {
            return self.edge;
        }
        come.filter(|upto| *upto > newest - LAG_MAX)
            .min()
            .unwrap_or(self.edge)
    }

    fn forget(&mut self) {
        while let (Some(oldest), Some(newest)) = (self.kept.front(), self.kept.back()) {
            let age = newest.packet.dts - oldest.packet.dts;
            if self.bytes <= BYTES_MAX && age <= KEPT_MAX {
                return;
            }
            self.bytes -= cost(&oldest.packet);
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// The next packet of a medium.
    pub(super) fn read(&mut self, medium: Medium) -> Option<Item> {
        let from = self.next[medium as usize].max(self.first);
        let found = self.numbered(from).find(|(_, kept)| kept.medium == medium);
        let (next, item) = match found {
            Some((number, kept)) => (number + 1, Some(kept.item())),
            None => (self.first + self.kept.len() as u64, None),
        };
        self.next[medium as usize] = next;
        item
    }

    /// Whether there is no more to read of a medium now.
    pub(super) fn is_read(&self, medium: Medium) -> bool {
        let from = self.next[medium as usize].max(self.first);
        !self.numbered(from).any(|(_, kept)| kept.medium == medium)
    }

    /// Whether what was to be read next has been forgotten.
    pub(super) fn is_lost(&self) -> bool {
        self.next[self.leading() as usize] < self.first
    }

    /// Reads on from the keyframe by which `time` can be shown, or the oldest. Gives the time from which on that can be
    /// shown, if anything can.
    pub(super) fn seek(&mut self, time: i64) -> Option<i64> {
        let leading = self.leading();
        let is_start = |(_, kept): &(u64, &Kept)| kept.medium == leading && kept.packet.keyframe;
        let mut starts = self.numbered(self.first).filter(is_start);
        let oldest = starts.next()?;
        let (number, start) = starts
            .take_while(|(_, kept)| kept.packet.pts <= time)
            .last()
            .unwrap_or(oldest);
        let from = time.max(start.packet.pts);
        self.next[leading as usize] = number;
        self.rewind_sound(from);
        Some(from)
    }

    /// Reads sound on from what is heard at `time`.
    pub(super) fn rewind_sound(&mut self, time: i64) {
        let is_heard = |(_, kept): &(u64, &Kept)| {
            kept.medium == Medium::Sound && kept.packet.pts + i64::from(kept.packet.duration) >= time
        };
        let found = self.numbered(self.first).find(is_heard).map(|(number, _)| number);
        let all = self.first + self.kept.len() as u64;
        self.next[Medium::Sound as usize] = found.unwrap_or(all);
    }

    /// If the picture that is read next is later than `late` at `time`, reads on from a keyframe by which `time` can be
    /// shown. Says whether there was one.
    pub(super) fn skip(&mut self, time: i64, late: i64) -> bool {
        let next = self.next[Medium::Picture as usize].max(self.first);
        let mut unread = self
            .numbered(next)
            .filter(|(_, kept)| kept.medium == Medium::Picture);
        let is_late = |(_, kept): (u64, &Kept)| kept.packet.pts < time - late;
        if !unread.next().is_some_and(is_late) {
            return false;
        }
        let starts = unread.filter(|(_, kept)| kept.packet.keyframe && kept.packet.pts <= time);
        let Some(number) = starts.last().map(|(number, _)| number) else {
            return false;
        };
        self.next[Medium::Picture as usize] = number;
        true
    }

    /// The earliest time that can be shown.
    pub(super) fn oldest(&self) -> Option<i64> {
        let leading = self.leading();
        let mut starts = self.kept.iter().filter(|kept| kept.medium == leading);
        starts
            .find(|kept| kept.packet.keyframe)
            .map(|kept| kept.packet.pts)
    }

    /// Up to where all has come.
    pub(super) fn edge(&self) -> i64 {
        self.edge
    }

    /// The newest tracks.
    pub(super) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// What decides where one can begin: the picture, or without one the sound.
    fn leading(&self) -> Medium {
        let has_picture = self.tracks.iter().any(Track::is_video);
        if has_picture {
            Medium::Picture
        } else {
            Medium::Sound
        }
    }

    /// What is kept from number `from` on, which is not before the first.
    fn numbered(&self, from: u64) -> impl Iterator<Item = (u64, &Kept)> {
        let skip = (from - self.first) as usize;
        let kept = self.kept.range(skip.min(self.kept.len())..);
        kept.enumerate()
            .map(move |(index, kept)| (from + index as u64, kept))
    }
}

impl Kept {
    fn item(&self) -> Item {
        Item {
            segment: self.segment,
            track: self.tracks[usize::from(self.packet.track)].clone(),
            packet: self.packet.clone(),
        }
    }
}

fn medium(track: &Track) -> Medium {
    if track.is_video() {
        Medium::Picture
    } else {
        Medium::Sound
    }
}

/// How long a packet is shown or heard; as long as its track tells, if it doesn't say.
fn length(track: &Track, packet: &Packet) -> i64 {
    match track.kind {
        _ if packet.duration > 0 => i64::from(packet.duration),
        Kind::Video { frames_per_1000s, .. } if frames_per_1000s > 0 => {
            1000 * SECOND / i64::from(frames_per_1000s)
        }
        _ => 0,
    }
}

fn cost(packet: &Packet) -> usize {
    packet.data.len() + PACKET_BYTES
}

#[cfg(test)]
mod tests;
