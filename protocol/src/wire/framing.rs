//! Frames on a lane: three bytes of length, little endian, then that many bytes. A received frame keeps its prefix, so
//! that a chunk is passed on as the very bytes that came.

use crate::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX};
use alloc::vec::Vec;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes before a frame's body.
pub const PREFIX: usize = 3;

/// No frame's body is that long.
const TOO_LONG: usize = 1 << (8 * PREFIX);
const _: () = assert!(CONTROL_FRAME_MAX < TOO_LONG && DATA_FRAME_MAX < TOO_LONG);

/// What goes before a body of `len` bytes.
///
/// # Panics
/// If that is longer than any frame.
pub(super) fn prefix(len: usize) -> [u8; PREFIX] {
    assert!(len < TOO_LONG, "our own frames are within their limits");
    let [a, b, c, ..] = (len as u32).to_le_bytes();
    [a, b, c]
}

/// `body` as a frame.
///
/// # Panics
/// If it is longer than any frame.
pub fn frame(body: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(PREFIX + body.len());
    bytes.extend_from_slice(&prefix(body.len()));
    bytes.extend_from_slice(body);
    bytes.into()
}

/// A frame's body, without copying.
///
/// # Panics
/// If `frame` has no prefix: frames come from [`frame`] or [`Deframer`].
pub fn body(frame: &Bytes) -> Bytes {
    frame.slice(PREFIX..)
}

/// A frame longer than its lane allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes is too large")]
pub struct FrameTooLarge(pub usize);

/// Cuts a lane's bytes into frames. Holds at most one unfinished frame.
#[derive(Debug)]
pub struct Deframer {
    buffer: BytesMut,
    max: usize,
}

impl Deframer {
    /// For a lane whose frame bodies are at most `max` bytes.
    pub fn new(max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            max,
        }
    }

    /// Takes in what came; call [`next_frame`](Self::next_frame) until it has no more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame with its prefix, if there is one. An error is final for the lane.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameTooLarge> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let [a, b, c] = *prefix;
        let len = u32::from_le_bytes([a, b, c, 0]) as usize;
        if len > self.max {
            return Err(FrameTooLarge(len));
        }
        if self.buffer.remaining() < PREFIX + len {
            self.buffer.reserve(PREFIX + len - self.buffer.remaining());
            return Ok(None);
        }
        Ok(Some(self.buffer.split_to(PREFIX + len).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let stream: Vec<u8> = [frame(b"one"), frame(b""), frame(b"three")].concat();
        for cut in 1..stream.len() {
            let mut deframer = Deframer::new(5);
            let mut got = Vec::new();
            for part in stream.chunks(cut) {
                deframer.push(part);
                while let Some(frame) = deframer.next_frame().unwrap() {
                    got.push(body(&frame));
                }
            }
            assert_eq!(got, [&b"one"[..], b"", b"three"]);
        }
    }

    #[test]
    fn an_oversized_frame_is_refused_before_it_is_buffered() {
        let mut deframer = Deframer::new(4);
        deframer.push(&prefix(5));
        assert_eq!(deframer.next_frame(), Err(FrameTooLarge(5)));
    }
}
