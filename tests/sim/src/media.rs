//! The picture and the sound that a simulated broadcaster sends: of the right sizes at the right times, cut from one
//! buffer, so that nothing is copied and everything can be recognised at the other end.

use crate::chance::mix;
use banyan_protocol::io::TierSetup;
use banyan_protocol::media::{Codec, Kind, PACKET_CLOCK_HZ, Packet, TierId, Track};
use banyan_protocol::units::Bitrate;
use bytes::Bytes;

/// Pictures a second, and packets of sound.
pub const FRAMES_A_SECOND: u64 = 10;

/// A keyframe's slice of a tenth of a second is so many times the mean.
const KEYFRAME_TIMES: u64 = 5;

/// Payload of a packet of sound, 64 kbit/s.
const SOUND: usize = 800;

/// What of the named rate the packets come to; the rest is for what the protocol adds to each.
const FILL_PERCENT: u64 = 97;

const PICTURE_TRACK: u8 = 0;
const SOUND_TRACK: u8 = 1;

/// Different packets begin at different places of the buffer.
const OFFSETS: usize = 4096;

/// So many bytes at either end are looked at.
const ENDS: usize = 16;

/// Makes the packets of all tiers.
pub struct Media {
    rates: Vec<u64>,
    keyframe_every: u64,
    bytes: Bytes,
}

impl Media {
    /// Of tiers with these payload rates, in kbit/s, with a keyframe every `keyframe_s` seconds.
    pub fn new(tiers_kbps: &[u64], keyframe_s: u64) -> Self {
        let most = tiers_kbps.iter().max().copied().unwrap_or(0) * 1000 / 8;
        let bytes = (0..most as usize + OFFSETS).map(|at| mix(at as u64, 1) as u8);
        Self {
            rates: tiers_kbps.iter().map(|kbps| kbps * 1000).collect(),
            keyframe_every: keyframe_s * FRAMES_A_SECOND,
            bytes: bytes.collect(),
        }
    }

    /// What the broadcaster is told of them.
    pub fn setups(&self) -> Vec<TierSetup> {
        let setup = |(tier, rate): (usize, &u64)| TierSetup {
            tier: TierId(tier as u8),
            rate: Bitrate(*rate),
            tracks: tracks(),
        };
        self.rates.iter().enumerate().map(setup).collect()
    }

    /// The packets of frame `n`, all tiers'.
    pub fn frame(&self, n: u64) -> impl Iterator<Item = (TierId, Packet)> + '_ {
        let tiers = 0..self.rates.len() as u8;
        tiers.flat_map(move |tier| {
            let tier = TierId(tier);
            [PICTURE_TRACK, SOUND_TRACK].map(|track| (tier, self.packet(tier, track, n)))
        })
    }

    fn packet(&self, tier: TierId, track: u8, n: u64) -> Packet {
        let pts = (n * u64::from(PACKET_CLOCK_HZ) / FRAMES_A_SECOND) as i64;
        Packet {
            track,
            pts,
            dts: pts,
            duration: PACKET_CLOCK_HZ / FRAMES_A_SECOND as u32,
            keyframe: track == SOUND_TRACK || self.is_keyframe(n),
            data: self.data(tier, track, n),
        }
    }

    const fn is_keyframe(&self, n: u64) -> bool {
        n.is_multiple_of(self.keyframe_every)
    }

    fn data(&self, tier: TierId, track: u8, n: u64) -> Bytes {
        let from = mix(n, u64::from(tier.0) << 8 | u64::from(track)) as usize % OFFSETS;
        let len = if track == SOUND_TRACK {
            SOUND
        } else {
            self.picture_len(tier, n)
        };
        self.bytes.slice(from..from + len)
    }

    fn picture_len(&self, tier: TierId, n: u64) -> usize {
        let mean = self.rates[usize::from(tier.0)] * FILL_PERCENT / 100 / 8 / FRAMES_A_SECOND;
        let mean = mean - SOUND as u64;
        let others = (self.keyframe_every - KEYFRAME_TIMES) * mean / (self.keyframe_every - 1);
        let len = if self.is_keyframe(n) {
            KEYFRAME_TIMES * mean
        } else {
            // A quarter more or less.
            others * (75 + mix(n, 7) % 51) / 100
        };
        len as usize
    }

    /// Whether a viewer of `tier` got a packet as it was sent: all about it, its length, and the ends of its bytes.
    pub fn is_ours(&self, tier: TierId, packet: &Packet) -> bool {
        if packet.track > SOUND_TRACK || packet.pts < 0 || usize::from(tier.0) >= self.rates.len() {
            return false;
        }
        let sent = self.packet(tier, packet.track, frame_number(packet.pts));
        let head = |data: &Bytes| data.first_chunk::<ENDS>().copied();
        let tail = |data: &Bytes| data.last_chunk::<ENDS>().copied();
        (packet.pts, packet.dts, packet.duration) == (sent.pts, sent.dts, sent.duration)
            && packet.keyframe == sent.keyframe
            && packet.data.len() == sent.data.len()
            && head(&packet.data) == head(&sent.data)
            && tail(&packet.data) == tail(&sent.data)
    }
}

/// The frame that is shown at `pts`.
pub const fn frame_number(pts: i64) -> u64 {
    pts as u64 * FRAMES_A_SECOND / PACKET_CLOCK_HZ as u64
}

/// Whether it is a picture.
pub const fn is_picture(packet: &Packet) -> bool {
    packet.track == PICTURE_TRACK
}

fn tracks() -> Vec<Track> {
    let picture = Kind::Video {
        width: 1280,
        height: 720,
        frames_per_1000s: FRAMES_A_SECOND as u32 * 1000,
    };
    let sound = Kind::Audio {
        sample_rate: 48_000,
        channels: 2,
    };
    let track = |codec, kind| Track {
        codec,
        kind,
        setup: Bytes::from_static(b"setup"),
    };
    vec![track(Codec::H264, picture), track(Codec::Aac, sound)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_to_the_rate_and_are_recognised() {
        let media = Media::new(&[500, 2500], 1);
        for tier in [TierId(0), TierId(1)] {
            let all = (0..1000)
                .flat_map(|n| media.frame(n))
                .filter(|(of, _)| *of == tier);
            let bytes: usize = all.map(|(_, packet)| packet.data.len()).sum();
            let rate = bytes as u64 * 8 / 100;
            let named = media.rates[usize::from(tier.0)];
            assert!(rate < named && rate > named * 92 / 100, "{rate} of {named}");
        }
        let (tier, packet) = media.frame(30).nth(2).unwrap();
        assert!(packet.keyframe && is_picture(&packet) && media.is_ours(tier, &packet));
        let other = Packet {
            data: packet.data.slice(1..),
            ..packet
        };
        assert!(!media.is_ours(tier, &other));
    }
}
