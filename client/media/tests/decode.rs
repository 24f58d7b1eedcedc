//! What the decoders make of packets.
#![allow(clippy::unwrap_used)]

mod support;

use banyan_media::Error;
use banyan_media::decode::{CHANNELS, Matrix, Picture, Planes, Range, Samples, Sampling, Sound, Video};
use banyan_media::ingest::Options;
use banyan_protocol::media::{Packet, Track};
use bytes::Bytes;
use std::process::Command;
use support::{Folder, Heard, PICTURE, TONE, clip, ffmpeg, hear_all};

/// A second of the media clock.
const SECOND: i64 = 90_000;

/// A clip of one second at 30 frames a second with these options of the encoder.
fn coded(folder: &Folder, options: &str) -> (String, Heard) {
    let path = folder.path("clip.mp4");
    ffmpeg(&format!(
        "{PICTURE} -t 1 -c:v libx264 -preset veryfast -bf 2 -g 15 {options} {path}"
    ));
    let heard = hear_all(&path, Options::default());
    (path, heard)
}

fn track(heard: &Heard, index: usize) -> Track {
    heard.tiers.last().unwrap().tracks[index].clone()
}

fn packets(heard: &Heard, index: u8) -> Vec<Packet> {
    let packets = heard.track(heard.top(), index);
    packets.into_iter().cloned().collect()
}

fn pictures(heard: &Heard) -> Result<Vec<Picture>, Error> {
    decoded(&track(heard, 0), &packets(heard, 0)).map(|(pictures, _)| pictures)
}

/// The pictures of these packets, and how often something broken was come upon.
fn decoded(track: &Track, packets: &[Packet]) -> Result<(Vec<Picture>, u64), Error> {
    let mut video = Video::open(track)?;
    let mut pictures = Vec::new();
    for packet in packets {
        video.packet(packet, &mut pictures)?;
    }
    video.finish(&mut pictures)?;
    Ok((pictures, video.broken()))
}

fn sound(heard: &Heard, rate: u32, stretch: f32) -> Vec<Samples> {
    let mut sound = Sound::open(&track(heard, 1), rate).unwrap();
    sound.stretch(stretch);
    let mut samples = Vec::new();
    for packet in packets(heard, 1) {
        sound.packet(&packet, &mut samples).unwrap();
    }
    samples
}

/// A picture's samples without what lies between rows, as FFmpeg writes raw video.
fn raw(picture: &Picture) -> Vec<u8> {
    let Planes::Three(planes) = &picture.planes else {
        panic!("three planes")
    };
    let mut raw = Vec::new();
    for plane in planes {
        let row = plane.width as usize * picture.sampling.bytes();
        for y in 0..plane.height as usize {
            raw.extend_from_slice(&plane.data[y * plane.stride..][..row]);
        }
    }
    raw
}

fn raw_video(path: &str) -> Vec<u8> {
    let words = ["-v", "error", "-i", path, "-map", "0:v", "-f", "rawvideo", "-"];
    Command::new("ffmpeg").args(words).output().unwrap().stdout
}

#[test]
fn pictures_are_what_ffmpeg_decodes_in_the_order_shown() {
    let folder = Folder::new();
    let (path, heard) = coded(&folder, "");
    let pictures = pictures(&heard).unwrap();
    assert_eq!(pictures.len(), 30);
    assert!(pictures.windows(2).all(|two| two[1].pts - two[0].pts == 3000));
    let first = &pictures[0];
    assert_eq!((first.width, first.height), (320, 180));
    assert_eq!(first.sampling, Sampling::BYTE);
    assert!((first.aspect - 16.0 / 9.0).abs() < 0.001);
    let ours: Vec<u8> = pictures.iter().flat_map(raw).collect();
    assert!(ours == raw_video(&path), "the planes differ");
}

#[test]
fn ten_bits_stay_ten_bits() {
    let folder = Folder::new();
    let (path, heard) = coded(&folder, "-pix_fmt yuv420p10le");
    let pictures = pictures(&heard).unwrap();
    assert_eq!(pictures[0].sampling, Sampling { bits: 10, shift: 0 });
    let ours: Vec<u8> = pictures.iter().flat_map(raw).collect();
    assert!(ours == raw_video(&path), "the planes differ");
}

#[test]
fn colour_and_shape_are_as_the_stream_says_else_the_usual() {
    let folder = Folder::new();
    let (_, heard) = coded(&folder, "");
    let untold = &pictures(&heard).unwrap()[0];
    assert_eq!((untold.matrix, untold.range), (Matrix::Bt601, Range::Limited));
    let (_, heard) = coded(
        &folder,
        "-vf setsar=4/3 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range pc",
    );
    let told = &pictures(&heard).unwrap()[0];
    assert_eq!((told.matrix, told.range), (Matrix::Bt709, Range::Full));
    assert!((told.aspect - 64.0 / 27.0).abs() < 0.001, "{}", told.aspect);
}

/// Where Linux has the devices that VAAPI uses.
fn has_render_device() -> bool {
    std::fs::read_dir("/dev/dri").is_ok_and(|entries| entries.count() > 0)
}

#[test]
fn without_a_device_software_decodes_at_once() {
    let folder = Folder::new();
    let (_, heard) = coded(&folder, "-c:v libx264 -g 10");
    let (track, packets) = (track(&heard, 0), packets(&heard, 0));
    let began = std::time::Instant::now();
    let mut video = Video::open(&track).unwrap();
    assert!(has_render_device() || video.hardware().is_none());
    let mut pictures = Vec::new();
    packets
        .iter()
        .for_each(|packet| video.packet(packet, &mut pictures).unwrap());
    assert!(
        !pictures.is_empty() && began.elapsed().as_secs() < 2,
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn what_cannot_be_drawn_is_told_in_words() {
    let folder = Folder::new();
    let (_, heard) = coded(&folder, "-c:v libx264rgb");
    let error = pictures(&heard).unwrap_err();
    assert!(matches!(error, Error::Undrawable { .. }), "{error}");
    assert!(error.to_string().contains("gbrp"), "{error}");
}

#[test]
fn a_codec_that_is_none_of_pictures_is_an_error() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 1), Options::default());
    assert!(Video::open(&track(&heard, 1)).is_err());
    assert!(Sound::open(&track(&heard, 0), 48_000).is_err());
}

#[test]
fn after_a_broken_packet_pictures_go_on_with_the_next_keyframe() {
    let folder = Folder::new();
    let (_, heard) = coded(&folder, "");
    let mut packets = packets(&heard, 0);
    // The slice's head says what can't be: 0xff is an exponential Golomb code of a forbidden slice type and more.
    let broken: Vec<u8> = packets[5].data[..5].iter().copied().chain([0; 40]).collect();
    packets[5].data = Bytes::from(broken);
    let (pictures, broken) = decoded(&track(&heard, 0), &packets).unwrap();
    assert!(broken > 0);
    let second = packets
        .iter()
        .filter(|packet| packet.keyframe)
        .nth(1)
        .unwrap()
        .pts;
    assert_eq!(pictures.iter().filter(|it| it.pts >= second).count(), 15);
    assert!(pictures.len() < 29, "{} pictures", pictures.len());
}

#[test]
fn nothing_whatever_in_a_packet_ends_a_decoder() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 2), Options::default());
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    let mut damaged = |packet: &Packet| {
        let mut data = packet.data.to_vec();
        for _ in 0..1 + data.len() / 50 {
            let at = random() as usize % data.len();
            data[at] = random() as u8;
        }
        Packet {
            data: data.into(),
            ..packet.clone()
        }
    };
    let video: Vec<_> = packets(&heard, 0).iter().map(&mut damaged).collect();
    let sounds: Vec<_> = packets(&heard, 1).iter().map(&mut damaged).collect();
    decoded(&track(&heard, 0), &video).unwrap();
    let mut sound = Sound::open(&track(&heard, 1), 48_000).unwrap();
    let mut out = Vec::new();
    sounds
        .iter()
        .for_each(|packet| sound.packet(packet, &mut out).unwrap());
    let whole = packets(&heard, 1);
    out.clear();
    whole
        .iter()
        .for_each(|packet| sound.packet(packet, &mut out).unwrap());
    assert!(out.len() > whole.len() / 2, "sound goes on after what was broken");
}

/// How often a second the left channel goes from below zero to above.
fn pitch(samples: &[Samples], rate: u32) -> f64 {
    let left = samples
        .iter()
        .flat_map(|it| it.data.iter().step_by(CHANNELS).copied());
    // Without the coder's start.
    let left: Vec<f32> = left.skip(rate as usize / 2).take(2 * rate as usize).collect();
    let rises = left
        .windows(2)
        .filter(|two| two[0] <= 0.0 && two[1] > 0.0)
        .count();
    rises as f64 * f64::from(rate) / left.len() as f64
}

fn count(samples: &[Samples]) -> i64 {
    samples.iter().map(|it| (it.data.len() / CHANNELS) as i64).sum()
}

#[test]
fn sound_comes_at_the_rate_wished_and_without_holes() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 3), Options::default());
    for rate in [44_100, 48_000] {
        let samples = sound(&heard, rate, 0.0);
        assert!(
            (pitch(&samples, rate) - 440.0).abs() < 2.0,
            "{}",
            pitch(&samples, rate)
        );
        assert!(
            samples
                .windows(2)
                .all(|two| (two[0].pts + two[0].ticks - two[1].pts).abs() <= 2)
        );
        let expected = 3 * i64::from(rate);
        assert!((count(&samples) - expected).abs() < 3000, "{}", count(&samples));
    }
}

#[test]
fn stretched_sound_covers_the_same_time_with_fewer_samples() {
    let folder = Folder::new();
    let path = folder.path("tone.mp4");
    ffmpeg(&format!(
        "{PICTURE} {TONE} -t 8 -c:v libx264 -preset ultrafast -c:a aac {path}"
    ));
    let heard = hear_all(&path, Options::default());
    let (plain, fast) = (sound(&heard, 48_000, 0.0), sound(&heard, 48_000, 0.005));
    let covered = |samples: &[Samples]| samples.iter().map(|it| it.ticks).sum::<i64>();
    assert!((covered(&plain) - covered(&fast)).abs() < SECOND / 100);
    let share = 1.0 - count(&fast) as f64 / count(&plain) as f64;
    assert!((0.0045..0.0055).contains(&share), "{share}");
}
