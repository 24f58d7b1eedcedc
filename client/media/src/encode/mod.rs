//! Decoded frames to the packets of a tier.

mod audio;
mod coder;
mod graph;
mod video;

pub(crate) use audio::{Audio, Settings as AudioSettings};
pub(crate) use video::{Settings as VideoSettings, Video};

use bytes::Bytes;

/// A coded frame of an encoder; times in 1/90,000 s of the media clock.
#[derive(Clone, Debug)]
pub(crate) struct Coded {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) duration: u32,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// The media clock as FFmpeg writes a unit of time.
pub(crate) const CLOCK: ffmpeg_next::Rational = ffmpeg_next::Rational(1, 90_000);
