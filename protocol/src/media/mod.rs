//! The stream itself: from packets to blocks, stripes and chunks, and back.

pub mod block;
pub mod forward;
pub mod join;
pub mod playout;
pub mod reassemble;
pub mod record;
pub mod schedule;
pub mod smooth;
pub mod store;
pub mod stripe;

use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A quality that plays by itself; 0 is the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TierId(pub u8);

impl fmt::Display for TierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the equal substreams of a tier. The index one past the data stripes is the parity stripe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StripeId {
    /// The tier.
    pub tier: TierId,
    /// Which of its stripes, from 0.
    pub index: u8,
}

impl fmt::Display for StripeId {
    /// `1.3` is stripe 3 of tier 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tier, self.index)
    }
}

impl fmt::Debug for StripeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a track is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// ITU-T H.264, byte stream (Annex B) or length-prefixed as `setup` says.
    H264,
    /// ITU-T H.265, likewise.
    H265,
    /// MPEG-4 AAC, raw access units, `setup` is the AudioSpecificConfig.
    Aac,
}

/// What a track is, beside its codec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A picture of `width` × `height` pixels, `frames_per_1000s` frames in a thousand seconds (0: unknown).
    Video {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Frames in a thousand seconds.
        frames_per_1000s: u32,
    },
    /// Sound.
    Audio {
        /// Samples a second of one channel.
        sample_rate: u32,
        /// Channels.
        channels: u8,
    },
}

/// One picture or one sound of a tier, with what a decoder must know beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// How it is coded.
    pub codec: Codec,
    /// Its dimensions.
    pub kind: Kind,
    /// FFmpeg's `extradata`: parameter sets or AudioSpecificConfig, at most [`crate::limits::CODEC_SETUP_MAX`] bytes.
    pub setup: Bytes,
}

impl Track {
    /// Whether it is a picture.
    pub fn is_video(&self) -> bool {
        matches!(self.kind, Kind::Video { .. })
    }
}

/// Ticks a second of [`Packet`] times, as in MPEG-TS.
pub const PACKET_CLOCK_HZ: u32 = 90_000;

/// One coded frame of one track. Times are in units of 1/90,000 s on the channel's own, ever growing media clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which of the tier's tracks.
    pub track: u8,
    /// When it is shown.
    pub pts: i64,
    /// When it is decoded; never decreases within a track of an epoch.
    pub dts: i64,
    /// How long it is shown, 0 if unknown.
    pub duration: u32,
    /// Whether decoding can begin here. Set on every packet of sound.
    pub keyframe: bool,
    /// The coded bytes.
    pub data: Bytes,
}

#[cfg(test)]
mod tests;
