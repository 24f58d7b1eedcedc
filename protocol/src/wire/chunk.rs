//! Data lanes: chunks and late marks, with a fixed hand-laid header (`docs/protocol.md` §5).
//!
//! A frame's body begins with its kind:
//!
//! ```text
//! chunk  0  version 1, flags 1, tier 1, stripe 1, shards 1, reserved 2, layout 4, epoch 8, block 8, captured 8,
//!           block length 4, payload length 4 | payload | signature 64     (integers little endian, sizes in bytes)
//! late   1  tier 1, stripe 1, block 8
//! layout 2  a signed layout
//! ```

use crate::id::{Context, PublicKey, Sign, Signature, Verify};
use crate::limits::{self, DATA_FRAME_MAX, STRIPES_MAX};
use crate::media::{StripeId, TierId};
use crate::time::ChannelTime;
use crate::wire::framing::{PREFIX, prefix};
use alloc::vec::Vec;
use bytes::Bytes;

const KIND_CHUNK: u8 = 0;
const KIND_LATE: u8 = 1;
const KIND_LAYOUT: u8 = 2;

/// Bytes of a chunk's header, its kind included.
pub const HEADER: usize = 44;

/// Bytes that a chunk adds to its payload: frame prefix, header, signature.
pub const OVERHEAD: usize = PREFIX + HEADER + Signature::LEN;

/// The most payload that a chunk may carry.
pub const PAYLOAD_MAX: usize = DATA_FRAME_MAX - HEADER - Signature::LEN;

/// What a chunk's flags say of its block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// A keyframe of the picture (or, without a picture, any sound) begins in this block: playing may begin here.
    pub const KEYFRAME: Self = Self(1);
    /// The media clock jumps at this block.
    pub const DISCONTINUITY: Self = Self(2);

    /// Both sets of flags.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A chunk's header: one stripe's part of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is special about the block.
    pub flags: Flags,
    /// The stripe; an index equal to `shards` is the parity shard.
    pub stripe: StripeId,
    /// How many data shards the block was cut into, 1 to 16.
    pub shards: u8,
    /// The layout that the block was made by.
    pub layout: u32,
    /// The run of the broadcaster.
    pub epoch: u64,
    /// The block's number in its epoch: one a tick.
    pub block: u64,
    /// When the earliest media in the block was captured.
    pub captured: ChannelTime,
    /// Bytes of the whole block: the data shards' payloads together.
    pub block_len: u32,
}

/// A chunk as it travels: the whole frame, which is passed on untouched, and its header, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its header.
    pub header: Header,
    frame: Bytes,
}

impl Chunk {
    /// Makes and signs a chunk.
    ///
    /// # Panics
    /// If the payload is larger than [`PAYLOAD_MAX`].
    pub fn seal(key: &dyn Sign, header: Header, payload: &[u8]) -> Self {
        assert!(payload.len() <= PAYLOAD_MAX, "a chunk of {} bytes", payload.len());
        let body_len = HEADER + payload.len() + Signature::LEN;
        let mut frame = Vec::with_capacity(PREFIX + body_len);
        frame.extend_from_slice(&prefix(body_len));
        header.write(payload.len() as u32, &mut frame);
        frame.extend_from_slice(payload);
        let signature = key.sign(Context::Chunk, &frame[PREFIX..]);
        frame.extend_from_slice(&signature.0);
        Self {
            header,
            frame: frame.into(),
        }
    }

    /// Whether `channel` signed it.
    pub fn is_signed_by(&self, channel: &PublicKey, verify: &dyn Verify) -> bool {
        let body = &self.frame[PREFIX..];
        let (signed, signature) = body
            .split_last_chunk::<{ Signature::LEN }>()
            .expect("a parsed chunk ends with a signature");
        verify.verify(channel, Context::Chunk, signed, &Signature(*signature))
    }

    /// The whole frame, to be sent on as it is.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Whether both are the same, byte for byte.
    pub fn is_same(&self, other: &Self) -> bool {
        let (one, other) = (&self.frame, &other.frame);
        let same_place = (one.as_ptr(), one.len()) == (other.as_ptr(), other.len());
        same_place || one == other
    }

    /// Its part of the block.
    pub fn payload(&self) -> Bytes {
        self.frame
            .slice(PREFIX + HEADER..self.frame.len() - Signature::LEN)
    }
}

impl Header {
    fn write(&self, payload_len: u32, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(&[KIND_CHUNK, limits::VERSION, self.flags.0, self.stripe.tier.0]);
        to.extend_from_slice(&[self.stripe.index, self.shards, 0, 0]);
        to.extend_from_slice(&self.layout.to_le_bytes());
        to.extend_from_slice(&self.epoch.to_le_bytes());
        to.extend_from_slice(&self.block.to_le_bytes());
        to.extend_from_slice(&self.captured.as_micros().to_le_bytes());
        to.extend_from_slice(&self.block_len.to_le_bytes());
        to.extend_from_slice(&payload_len.to_le_bytes());
        debug_assert_eq!(to.len() - start, HEADER, "the header is fixed");
    }

    /// Whether this shard carries parity instead of a part of the block.
    pub fn is_parity(&self) -> bool {
        self.stripe.index == self.shards
    }
}

/// A frame that no data lane carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Too short, of an unknown kind, or with lengths that disagree.
    #[error("data frame is malformed")]
    Malformed,
    /// A version that this program does not speak.
    #[error("data frame of version {0}")]
    Version(u8),
}

/// What a data lane carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A chunk; not verified yet.
    Chunk(Chunk),
    /// The parent is alive and has nothing to pass on for this stripe yet.
    Late {
        /// The stripe.
        stripe: StripeId,
        /// The block that it waits for.
        block: u64,
    },
    /// A signed layout, sent before the first chunk made by it; not verified yet.
    Layout(Bytes),
}

impl Data {
    /// Reads a frame that came with its prefix.
    pub fn parse(frame: Bytes) -> Result<Self, DataError> {
        let body = frame.get(PREFIX..).ok_or(DataError::Malformed)?;
        match body.first() {
            Some(&KIND_CHUNK) => parse_chunk(frame).map(Self::Chunk),
            Some(&KIND_LATE) => parse_late(body),
            Some(&KIND_LAYOUT) => Ok(Self::Layout(frame.slice(PREFIX + 1..))),
            _ => Err(DataError::Malformed),
        }
    }
}

/// A late mark as a frame.
pub fn late_frame(stripe: StripeId, block: u64) -> Bytes {
    let mut body = Vec::with_capacity(11);
    body.extend_from_slice(&[KIND_LATE, stripe.tier.0, stripe.index]);
    body.extend_from_slice(&block.to_le_bytes());
    crate::wire::framing::frame(&body)
}

/// A signed layout as a frame.
pub fn layout_frame(sealed: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(1 + sealed.len());
    body.push(KIND_LAYOUT);
    body.extend_from_slice(sealed);
    crate::wire::framing::frame(&body)
}

fn parse_late(body: &[u8]) -> Result<Data, DataError> {
    let &[_, tier, index, ref block @ ..] = body else {
        return Err(DataError::Malformed);
    };
    let block = block.try_into().map_err(|_| DataError::Malformed)?;
    Ok(Data::Late {
        stripe: stripe_id(tier, index)?,
        block: u64::from_le_bytes(block),
    })
}

fn parse_chunk(frame: Bytes) -> Result<Chunk, DataError> {
    let body = &frame[PREFIX..];
    let head = body.first_chunk::<HEADER>().ok_or(DataError::Malformed)?;
    if head[1] != limits::VERSION {
        return Err(DataError::Version(head[1]));
    }
    let payload_len = u32_at(head, 40) as usize;
    if body.len() != HEADER + payload_len + Signature::LEN || payload_len > PAYLOAD_MAX {
        return Err(DataError::Malformed);
    }
    let header = Header {
        flags: Flags(head[2]),
        stripe: stripe_id(head[3], head[4])?,
        shards: head[5],
        layout: u32_at(head, 8),
        epoch: u64_at(head, 12),
        block: u64_at(head, 20),
        captured: ChannelTime::from_micros(u64_at(head, 28)),
        block_len: u32_at(head, 36),
    };
    if !(1..=STRIPES_MAX).contains(&header.shards) || header.stripe.index > header.shards {
        return Err(DataError::Malformed);
    }
    Ok(Chunk { header, frame })
}

fn stripe_id(tier: u8, index: u8) -> Result<StripeId, DataError> {
    if index > STRIPES_MAX || usize::from(tier) >= limits::TIERS_MAX {
        return Err(DataError::Malformed);
    }
    Ok(StripeId {
        tier: TierId(tier),
        index,
    })
}

fn u32_at(head: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes(*head[at..].first_chunk().expect("within the header"))
}

fn u64_at(head: &[u8; HEADER], at: usize) -> u64 {
    u64::from_le_bytes(*head[at..].first_chunk().expect("within the header"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Ed25519, SecretKey};

    fn header() -> Header {
        Header {
            flags: Flags::KEYFRAME,
            stripe: StripeId {
                tier: TierId(1),
                index: 3,
            },
            shards: 5,
            layout: 2,
            epoch: 1_800_000_000,
            block: 77,
            captured: ChannelTime::from_micros(123_456_789),
            block_len: 40,
        }
    }

    #[test]
    fn a_chunk_comes_back_whole_and_verified() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let chunk = Chunk::seal(&key, header(), b"12345678");
        let Data::Chunk(read) = Data::parse(chunk.frame().clone()).unwrap() else {
            panic!("no chunk")
        };
        assert_eq!(read, chunk);
        assert_eq!(&read.payload()[..], b"12345678");
        assert!(read.is_signed_by(&key.public(), &Ed25519));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let chunk = Chunk::seal(&key, header(), b"payload");
        for byte in PREFIX..chunk.frame().len() {
            let mut bent = chunk.frame().to_vec();
            bent[byte] ^= 1;
            let accepted = match Data::parse(bent.into()) {
                Ok(Data::Chunk(chunk)) => chunk.is_signed_by(&key.public(), &Ed25519),
                _ => false,
            };
            assert!(!accepted, "byte {byte}");
        }
    }

    #[test]
    fn marks_and_layouts_come_back() {
        let stripe = StripeId {
            tier: TierId(0),
            index: 1,
        };
        assert_eq!(
            Data::parse(late_frame(stripe, 9)).unwrap(),
            Data::Late { stripe, block: 9 }
        );
        assert_eq!(
            Data::parse(layout_frame(b"abc")).unwrap(),
            Data::Layout(Bytes::from_static(b"abc"))
        );
    }

    #[test]
    fn short_and_strange_frames_are_malformed() {
        for body in [
            &b""[..],
            &[KIND_CHUNK; 20],
            &[KIND_LATE, 0, 0, 1],
            &[9; 64],
            &[KIND_LATE, 200, 0, 0, 0],
        ] {
            assert!(Data::parse(crate::wire::framing::frame(body)).is_err());
        }
    }
}
