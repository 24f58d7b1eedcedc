//! What the tests of this module share.

use super::{Codec, Kind, TierId, Track};
use crate::id::{Context, PublicKey, Sign, Signature};
use crate::time::ChannelTime;
use crate::units::Bitrate;
use crate::wire::chunk::{Chunk, Header};
use crate::wire::layout::{Layout, Tier};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// Signs at no cost; nothing here verifies.
pub(super) struct Quick;

impl Sign for Quick {
    fn public(&self) -> PublicKey {
        PublicKey([1; 32])
    }

    fn sign(&self, _: Context, _: &[u8]) -> Signature {
        Signature([0; 64])
    }
}

/// Channel time `ms` after some origin.
pub(super) fn at(ms: u64) -> ChannelTime {
    ChannelTime::from_micros(1_000_000_000 + ms * 1000)
}

/// A picture and a sound, in this order.
pub(super) fn tracks() -> Vec<Track> {
    let video = Kind::Video {
        width: 640,
        height: 360,
        frames_per_1000s: 25_000,
    };
    let audio = Kind::Audio {
        sample_rate: 48_000,
        channels: 2,
    };
    let track = |(codec, kind)| Track {
        codec,
        kind,
        setup: Bytes::new(),
    };
    [(Codec::H264, video), (Codec::Aac, audio)].map(track).into()
}

pub(super) fn tier_of(id: u8, stripes: u8, parity: bool) -> Tier {
    Tier {
        id: TierId(id),
        stripes,
        parity,
        rate: Bitrate::from_kbps(800),
        slot: Bitrate::from_kbps(1000),
        tracks: tracks(),
    }
}

pub(super) fn layout_of(epoch: u64, number: u32, from_block: u64, tiers: Vec<Tier>) -> Layout {
    Layout {
        epoch,
        number,
        from_block,
        title: String::new(),
        tiers,
    }
}

/// A chunk with a payload of `len` bytes.
pub(super) fn chunk_of(header: Header, len: usize) -> Chunk {
    Chunk::seal(&Quick, header, &alloc::vec![0; len])
}
