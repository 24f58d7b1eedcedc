//! A small stream for tests.

use banyan_protocol::io::Play;
use banyan_protocol::media::{Codec, Kind, Packet, TierId, Track};
use bytes::Bytes;

/// Parameter sets of a 128 × 96 H.264 picture.
const PARAMETER_SETS: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0a];

/// A picture and a sound.
pub(crate) fn tracks() -> Play {
    let video = Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 320,
            height: 180,
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
    packet(0, dts, keyframe)
}

/// A frame of sound at `dts`.
pub(crate) fn sound(dts: i64) -> Play {
    packet(1, dts, true)
}

fn packet(track: u8, dts: i64, keyframe: bool) -> Play {
    Play::Packet(Packet {
        track,
        pts: dts,
        dts,
        duration: 3_600,
        keyframe,
        data: Bytes::from_static(&[0, 0, 0, 1, 0x65, 1, 2, 3]),
    })
}
