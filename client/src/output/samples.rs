//! A small stream for tests.

use banyan_protocol::io::Play;
use banyan_protocol::media::{Codec, Kind, Packet, TierId, Track};
use bytes::Bytes;

/// Of a 128 × 96 picture as x264 makes it, with start codes.
const PARAMETER_SETS: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0a, 0xda, 0x08, 0x36, 0xc0, 0x44, 0, 0, 0x03, 0, 0x04, 0, 0, 0x03, 0,
    0x28, 0x3c, 0x48, 0x9a, 0x80, 0, 0, 0, 1, 0x68, 0xce, 0x0f, 0xc8,
];

/// Frames of the picture in a second.
const FRAMES: i64 = 25;

/// Units of the media clock in a frame.
const FRAME: i64 = 90_000 / FRAMES;

/// A picture and a sound.
pub(crate) fn tracks() -> Play {
    let video = Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 128,
            height: 96,
            frames_per_1000s: 25_000,
        },
        setup: Bytes::from_static(PARAMETER_SETS),
    };
    let audio = Track {
        codec: Codec::Aac,
        kind: Kind::Audio {
            sample_rate: 48_000,
            channels: 2,
        },
        setup: Bytes::from_static(&[0x11, 0x90]),
    };
    Play::Tracks {
        tier: TierId(1),
        tracks: [video, audio].into(),
    }
}

/// A frame of the picture at `dts`.
pub(crate) fn frame(dts: i64, keyframe: bool) -> Play {
    let slice = [
        0,
        0,
        0,
        1,
        if keyframe { 0x65 } else { 0x41 },
        0x88,
        0x84,
        0x04,
        0x7f,
    ];
    let setup = if keyframe { PARAMETER_SETS } else { &[] };
    packet(0, dts, keyframe, [setup, &slice].concat())
}

/// A frame of sound at `dts`.
pub(crate) fn sound(dts: i64) -> Play {
    packet(1, dts, true, vec![0x21, 0x10, 0x04, 0x60])
}

/// So many seconds, with a keyframe at the start of each.
pub(crate) fn seconds(count: i64) -> impl Iterator<Item = Play> {
    let frames = (0..count * FRAMES).flat_map(|number| {
        let dts = number * FRAME;
        [frame(dts, number % FRAMES == 0), sound(dts)]
    });
    std::iter::once(tracks()).chain(frames)
}

fn packet(track: u8, dts: i64, keyframe: bool, data: Vec<u8>) -> Play {
    Play::Packet(Packet {
        track,
        pts: dts,
        dts,
        duration: FRAME as u32,
        keyframe,
        data: data.into(),
    })
}
