//! Records: packets as a stream of bytes that is cut into blocks anywhere, except within a record's head.
//!
//! ```text
//! record  flags 1, track 1, data length, duration, dts, pts less dts | data
//! ```
//!
//! Lengths and times are variable-length integers, seven bits a byte, least first (LEB128); the times are signed and
//! zigzag-coded. Times are absolute, so that reading may begin at any record (`docs/protocol.md` §4).

use super::Packet;
use super::block::BodyHead;
use super::join::{Join, copied};
use crate::limits::RECORD_MAX;
use alloc::vec::Vec;
use bytes::Bytes;

const KEYFRAME: u8 = 1;
const DISCONTINUITY: u8 = 2;
const FLAGS_KNOWN: u8 = KEYFRAME | DISCONTINUITY;

/// The most bytes of a record's head: flags, track, two integers of 32 bits and two of 64.
pub const HEAD_MAX: usize = 1 + 1 + 5 + 5 + 10 + 10;

/// A packet as it stands in a tier's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The packet.
    pub packet: Packet,
    /// Whether the media clock jumps before it.
    pub discontinuity: bool,
}

/// Bytes that are not a stream of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A body's head is missing or points outside.
    #[error("block body has no sound head")]
    Body,
    /// A record's head is cut off, or says nonsense.
    #[error("record is malformed")]
    Malformed,
    /// A record is larger than [`RECORD_MAX`].
    #[error("record of {0} bytes is too large")]
    TooLarge(u64),
    /// A record does not end where the body says that the next one begins.
    #[error("records disagree with the block's head")]
    Disagrees,
}

/// All of a record but its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which of the tier's tracks.
    pub track: u8,
    /// When it is shown, in 1/90,000 s.
    pub pts: i64,
    /// When it is decoded, in 1/90,000 s.
    pub dts: i64,
    /// How long it is shown, in 1/90,000 s.
    pub duration: u32,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Whether the media clock jumps before it.
    pub discontinuity: bool,
    /// Bytes of data that follow, at most [`RECORD_MAX`].
    pub len: usize,
}

impl Head {
    /// The head of `packet`.
    pub fn of(packet: &Packet, discontinuity: bool) -> Self {
        Self {
            track: packet.track,
            pts: packet.pts,
            dts: packet.dts,
            duration: packet.duration,
            keyframe: packet.keyframe,
            discontinuity,
            len: packet.data.len(),
        }
    }

    /// As bytes, at most [`HEAD_MAX`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(HEAD_MAX);
        let discontinuity = if self.discontinuity { DISCONTINUITY } else { 0 };
        to.push(u8::from(self.keyframe) | discontinuity);
        to.push(self.track);
        write_varint(self.len as u64, &mut to);
        write_varint(self.duration.into(), &mut to);
        write_varint(zigzag(self.dts), &mut to);
        write_varint(zigzag(self.pts.wrapping_sub(self.dts)), &mut to);
        to
    }

    /// The head that `bytes` begin with, and its length.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), RecordError> {
        let [flags, track, rest @ ..] = bytes else {
            return Err(RecordError::Malformed);
        };
        let mut rest = rest;
        let len = read_varint(&mut rest)?;
        let duration = read_varint(&mut rest)?;
        let dts = unzigzag(read_varint(&mut rest)?);
        let pts = dts.wrapping_add(unzigzag(read_varint(&mut rest)?));
        if flags & !FLAGS_KNOWN != 0 {
            return Err(RecordError::Malformed);
        }
        if len > RECORD_MAX as u64 {
            return Err(RecordError::TooLarge(len));
        }
        let head = Self {
            track: *track,
            pts,
            dts,
            duration: duration.try_into().map_err(|_| RecordError::Malformed)?,
            keyframe: flags & KEYFRAME != 0,
            discontinuity: flags & DISCONTINUITY != 0,
            len: len as usize,
        };
        Ok((head, bytes.len() - rest.len()))
    }

    fn with(self, data: Bytes) -> Record {
        debug_assert_eq!(
            self.len,
            data.len(),
            "a record's data is as long as its head says"
        );
        Record {
            packet: Packet {
                track: self.track,
                pts: self.pts,
                dts: self.dts,
                duration: self.duration,
                keyframe: self.keyframe,
                data,
            },
            discontinuity: self.discontinuity,
        }
    }
}

/// A record whose data have not all come.
#[derive(Debug)]
struct Partial {
    head: Head,
    /// What has come, and how much it is.
    parts: Vec<Bytes>,
    len: usize,
}

/// Reads the records of consecutive blocks of one tier. Holds at most one unfinished record.
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Partial>,
    synced: bool,
    join: Join,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::joining(copied)
    }
}

impl Decoder {
    /// One that begins at the first keyframe it meets.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, which puts records together by `join`.
    pub fn joining(join: Join) -> Self {
        Self {
            partial: None,
            synced: false,
            join,
        }
    }

    /// Forgets what is unfinished, and begins at the next keyframe.
    pub fn reset(&mut self) {
        *self = Self::joining(self.join);
    }

    /// Hands the records that are whole with this body to `to`. After an error it begins at the next keyframe.
    pub fn feed(&mut self, body: &Bytes, mut to: impl FnMut(Record)) -> Result<(), RecordError> {
        let fed = self.try_feed(body, &mut to);
        if fed.is_err() {
            self.reset();
        }
        fed
    }

    fn try_feed(&mut self, body: &Bytes, to: &mut impl FnMut(Record)) -> Result<(), RecordError> {
        if body.is_empty() {
            return Ok(());
        }
        let head = BodyHead::read(body).ok_or(RecordError::Body)?;
        let first = if self.synced {
            self.finish(body, head, to)?
        } else {
            head.first_keyframe
        };
        match first {
            Some(first) => self.read_from(body, first as usize, to),
            None => Ok(()),
        }
    }

    /// Adds to the unfinished record, and says where the next one begins.
    fn finish(
        &mut self,
        body: &Bytes,
        head: BodyHead,
        to: &mut impl FnMut(Record),
    ) -> Result<Option<u32>, RecordError> {
        let end = head.first_record.map_or(body.len(), |first| first as usize);
        let rest = body.slice(BodyHead::LEN..end);
        let Some(mut partial) = self.partial.take() else {
            return if rest.is_empty() {
                Ok(head.first_record)
            } else {
                Err(RecordError::Disagrees)
            };
        };
        let wanted = partial.head.len - partial.len;
        if rest.is_empty() && head.first_record.is_some() && wanted > 0 {
            // The broadcaster gave the record up, because its input's set-up changed.
            return Ok(head.first_record);
        }
        if rest.len() > wanted || (head.first_record.is_some() && rest.len() < wanted) {
            return Err(RecordError::Disagrees);
        }
        partial.len += rest.len();
        if !rest.is_empty() {
            partial.parts.push(rest);
        }
        if partial.len < partial.head.len {
            self.partial = Some(partial);
        } else {
            to(partial.head.with((self.join)(&partial.parts)));
        }
        Ok(head.first_record)
    }

    fn read_from(
        &mut self,
        body: &Bytes,
        mut at: usize,
        to: &mut impl FnMut(Record),
    ) -> Result<(), RecordError> {
        self.synced = true;
        while at < body.len() {
            let (head, head_len) = Head::read(&body[at..])?;
            let start = at + head_len;
            let Some(end) = Some(start + head.len).filter(|&end| end <= body.len()) else {
                let rest = body.slice(start..);
                let len = rest.len();
                let parts = Vec::from_iter((len > 0).then_some(rest));
                self.partial = Some(Partial { head, parts, len });
                return Ok(());
            };
            to(head.with(body.slice(start..end)));
            at = end;
        }
        Ok(())
    }
}

/// The head of the first keyframe record that begins in `body`, if there is one.
pub fn first_keyframe(body: &[u8]) -> Option<Head> {
    let at = BodyHead::read(body)?.first_keyframe?;
    Head::read(&body[at as usize..]).ok().map(|(head, _)| head)
}

fn write_varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn read_varint(from: &mut &[u8]) -> Result<u64, RecordError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first().ok_or(RecordError::Malformed)?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(RecordError::Malformed);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(RecordError::Malformed)
}

/// Small numbers of either sign become small numbers without one.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests;
