//! One viewer: what it plays, and when.

use crate::audience::Person;
use crate::media::{self, FRAMES_A_SECOND, Media};
use crate::net::{Micros, SECOND};
use banyan_protocol::io::{Ended, Play};
use banyan_protocol::media::{Packet, TierId};

/// A picture that comes this much later than the buffer says is not in time.
const LATE: Micros = SECOND;

/// After having stood still, a viewer has so long to find back.
const RECOVERY: Micros = 10 * SECOND;

/// The time between two pictures.
const FRAME: Micros = SECOND / FRAMES_A_SECOND;

/// When frame `n` was captured: the first a frame's time after the beginning.
pub(crate) const fn captured(n: u64) -> Micros {
    (n + 1) * FRAME
}

/// A viewer as seen from outside.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Who sits there.
    pub(crate) person: Person,
    pub(crate) joined: Micros,
    pub(crate) left: Option<Micros>,
    pub(crate) ended: Option<Ended>,
    /// The tier that it plays.
    pub(crate) tier: Option<TierId>,
    /// When it played a picture last, and which.
    pub(crate) last: Option<(Micros, u64)>,
    /// Pictures played in time, and due, since the first.
    pub(crate) in_time: u64,
    first: Option<Micros>,
    /// Times in which it, or the broadcaster, stood still, with the recovery after.
    excuses: Vec<(Micros, Micros)>,
    buffer: Micros,
    /// What comes next may be anything, and begins with a keyframe.
    anew: bool,
}

impl Seat {
    pub(crate) fn new(person: Person, joined: Micros, buffer: Micros) -> Self {
        Self {
            person,
            joined,
            left: None,
            ended: None,
            tier: None,
            last: None,
            in_time: 0,
            first: None,
            excuses: Vec::new(),
            buffer,
            anew: true,
        }
    }

    /// It, or the broadcaster, stands still in this time.
    pub(crate) fn excuse(&mut self, from: Micros, until: Micros) {
        self.excuses.push((from, until + RECOVERY));
    }

    pub(crate) fn is_excused(&self, now: Micros) -> bool {
        self.excuses
            .iter()
            .any(|(from, until)| (*from..*until).contains(&now))
    }

    pub(crate) fn leave(&mut self, now: Micros) {
        self.left.get_or_insert(now);
    }

    /// Takes in what it plays.
    ///
    /// # Errors
    /// If that is not what was sent, or not in order, in words.
    pub(crate) fn play(&mut self, now: Micros, play: &Play, media: &Media) -> Result<(), String> {
        match play {
            Play::Tracks { tier, .. } => {
                self.tier = Some(*tier);
                self.anew = true;
                Ok(())
            }
            Play::Gap => {
                self.anew = true;
                Ok(())
            }
            Play::Packet(packet) => self.packet(now, packet, media),
        }
    }

    fn packet(&mut self, now: Micros, packet: &Packet, media: &Media) -> Result<(), String> {
        let tier = self.tier.ok_or("plays before it knows the tracks")?;
        if !media.is_ours(tier, packet) {
            return Err(format!(
                "plays on tier {tier} what was never sent: {packet:?}",
                packet = Brief(packet)
            ));
        }
        if media::is_picture(packet) {
            self.picture(now, packet)?;
        }
        Ok(())
    }

    fn picture(&mut self, now: Micros, packet: &Packet) -> Result<(), String> {
        let n = media::frame_number(packet.pts);
        let before = self.last.map(|(_, before)| before);
        let follows = before.is_none_or(|before| n == before + 1);
        if self.anew && !packet.keyframe {
            return Err(format!("begins with picture {n}, which is no keyframe"));
        }
        if !self.anew && !follows {
            return Err(format!("plays picture {n} after {before:?} without a word"));
        }
        self.anew = false;
        self.first.get_or_insert(now);
        self.last = Some((now, n));
        if !self.is_excused(now) && now <= captured(n) + self.buffer + LATE {
            self.in_time += 1;
        }
        Ok(())
    }

    /// Whether it shows what is live: something came just now, and it is not old.
    pub(crate) fn is_live(&self, now: Micros) -> bool {
        self.last
            .is_some_and(|(at, n)| now - at <= LATE && at <= captured(n) + self.buffer + LATE)
    }

    /// How many pictures were due up to `end`, from its first on.
    pub(crate) fn due(&self, end: Micros) -> u64 {
        let Some(first) = self.first else { return 0 };
        let until = self.left.unwrap_or(end);
        let mut at = first;
        let mut due = 0;
        while at + FRAME <= until {
            due += u64::from(!self.is_excused(at));
            at += FRAME;
        }
        due
    }
}

struct Brief<'a>(&'a Packet);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Packet {
            track,
            pts,
            dts,
            duration,
            keyframe,
            data,
        } = self.0;
        let len = data.len();
        write!(
            f,
            "track {track} pts {pts} dts {dts} duration {duration} keyframe {keyframe} {len} bytes"
        )
    }
}
