//! Files: what is copied comes out frame by frame as it went in, what is encoded is whole and in step.
#![allow(clippy::unwrap_used)]

mod support;

use banyan_media::Error;
use banyan_media::ingest::{self, IngestEvent, Mode, Options};
use banyan_protocol::media::{Codec, Kind};
use std::time::{Duration, Instant};
use support::{Folder, Heard, PICTURE, TONE, clip, ffmpeg, frames, hear, hear_all, probe, serve};

fn assert_copied(folder: &Folder, input: &str) -> Heard {
    let heard = hear_all(input, Options::default());
    let out = folder.path("out.ts");
    heard.write(heard.top(), &out);
    let expected = frames(input);
    assert!(expected.len() > 50, "{} frames in {input}", expected.len());
    assert_eq!(frames(&out), expected, "{input}");
    heard
}

#[test]
fn h264_with_b_frames_is_copied_from_each_container() {
    let folder = Folder::new();
    for name in ["clip.mp4", "clip.ts", "clip.flv", "clip.mkv"] {
        let heard = assert_copied(&folder, &clip(&folder, name, 3));
        assert_eq!(heard.tiers.len(), 2, "{name}");
        assert_eq!(heard.tiers[1].tracks[1].codec, Codec::Aac);
        assert_eq!(heard.announced, 1);
        assert_even(&heard, name);
    }
}

/// Pictures are shown a thirtieth of a second apart, as near as the container tells times, and decoded one after the other before.
fn assert_even(heard: &Heard, name: &str) {
    let pictures = heard.track(1, 0);
    let mut shown: Vec<_> = pictures.iter().map(|picture| picture.pts).collect();
    shown.sort_unstable();
    let steps = shown.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        steps.clone().all(|step| (step - 3000).abs() <= 180),
        "{name}: {:?}",
        steps.collect::<Vec<_>>()
    );
    let decoded = pictures.windows(2).map(|pair| pair[1].dts - pair[0].dts);
    assert!(
        decoded.clone().all(|step| (step - 3000).abs() <= 180),
        "{name}: {:?}",
        decoded.collect::<Vec<_>>()
    );
    assert!(
        pictures.iter().all(|picture| picture.dts <= picture.pts),
        "{name}"
    );
}

#[test]
fn h265_is_copied() {
    let folder = Folder::new();
    let path = folder.path("clip.mp4");
    ffmpeg(&format!(
        "{PICTURE} -t 3 -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30 -b:v 900k {path}"
    ));
    let heard = assert_copied(&folder, &path);
    assert_eq!(heard.tiers.last().unwrap().tracks[0].codec, Codec::H265);
    assert_eq!(heard.tiers.last().unwrap().tracks.len(), 1, "it has no sound");
}

#[test]
fn every_keyframe_of_a_copied_tier_has_its_parameter_sets() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 3), Options::default());
    let setup = &heard.tiers[1].tracks[0].setup;
    let keyframes: Vec<_> = heard.track(1, 0).into_iter().filter(|it| it.keyframe).collect();
    assert_eq!(keyframes.len(), 3);
    for keyframe in keyframes {
        assert!(keyframe.data.windows(setup.len()).any(|part| part == setup));
    }
}

#[test]
fn the_low_tier_stands_beside_with_every_frame() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 3), Options::default());
    assert_eq!(heard.track(0, 0).len(), 90);
    let bytes: usize = heard
        .packets
        .iter()
        .filter(|it| it.0.0 == 0)
        .map(|it| it.1.data.len())
        .sum();
    let rate = bytes * 8 / 3;
    assert!(rate < 560_000, "{rate} bit/s");
    let first = |tier| heard.track(tier, 0).iter().map(|it| it.pts).min().unwrap();
    assert_eq!(first(0), first(1));
    let keyframes = heard.track(0, 0).iter().filter(|it| it.keyframe).count();
    assert!((3..=5).contains(&keyframes), "{keyframes} keyframes");
}

#[test]
fn a_file_on_a_web_server_is_a_file() {
    let folder = Folder::new();
    for name in ["clip.ts", "clip.flv"] {
        let path = clip(&folder, name, 3);
        let body = bytes::Bytes::from(std::fs::read(&path).unwrap());
        let url = serve(name, move |asked| (asked == name).then(|| body.clone()));
        let heard = hear_all(&url, Options::default());
        let out = folder.path("out.ts");
        heard.write(heard.top(), &out);
        assert_eq!(frames(&out), frames(&path), "{name}");
        let missing = failure(&url.replace(name, "other.ts"));
        assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    }
}

#[test]
fn a_file_plays_at_its_own_speed() {
    let folder = Folder::new();
    let path = clip(&folder, "clip.mp4", 3);
    let start = Instant::now();
    hear_all(&path, Options::default());
    let took = start.elapsed();
    assert!(took > Duration::from_millis(2700), "{took:?}");
    assert!(took < Duration::from_millis(5000), "{took:?}");
}

/// A white flash and a beep at the start of each second.
fn flashes(path: &str, codecs: &str) {
    ffmpeg(&format!(
        "-f lavfi -i color=black:size=320x180:rate=25,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)' \
         -f lavfi -i aevalsrc='lt(mod(t,1),0.2)*sin(2*PI*1000*t)':s=48000 -t 4 {codecs} {path}"
    ));
}

/// When the picture turns white, and when sound begins after silence, in seconds.
fn onsets(path: &str) -> (Vec<f64>, Vec<f64>) {
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-copyts", "-i", path])
            .args(arguments)
            .args(["-f", "null", "-"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let numbers = |text: &str, key: &str| -> Vec<f64> {
        text.split(key)
            .skip(1)
            .filter_map(|rest| {
                rest.split([' ', '\n', '\r'])
                    .find(|it| !it.is_empty())?
                    .parse()
                    .ok()
            })
            .collect()
    };
    let black = run(&["-an", "-vf", "blackdetect=d=0.3:pix_th=0.3"]);
    let silence = run(&["-vn", "-af", "silencedetect=noise=-30dB:d=0.3"]);
    (numbers(&black, "black_end:"), numbers(&silence, "silence_end:"))
}

fn assert_in_step(path: &str, tier: &str) {
    let (white, loud) = onsets(path);
    assert!(white.len() >= 3 && loud.len() >= 3, "{tier}: {white:?} {loud:?}");
    for (white, loud) in white.iter().zip(&loud).take(3) {
        assert!(
            (white - loud).abs() < 0.04,
            "{tier}: picture {white} s, sound {loud} s"
        );
    }
}

#[test]
fn picture_and_sound_stay_in_step() {
    let folder = Folder::new();
    let copied = folder.path("copied.mp4");
    flashes(
        &copied,
        "-c:v libx264 -bf 2 -g 25 -b:v 900k -nal-hrd cbr -maxrate 900k -bufsize 900k -c:a aac",
    );
    let encoded = folder.path("encoded.ts");
    flashes(&encoded, "-c:v mpeg2video -b:v 3M -c:a mp2");
    for input in [copied, encoded] {
        let heard = hear_all(&input, Options::default());
        for setup in &heard.tiers {
            let out = folder.path("out.ts");
            heard.write(setup.tier.0, &out);
            assert_in_step(&out, &format!("{input}, tier {}", setup.tier));
        }
    }
}

#[test]
fn interlaced_television_is_encoded_progressive_with_every_frame() {
    let folder = Folder::new();
    let path = folder.path("tv.ts");
    ffmpeg(&format!(
        "-f lavfi -i testsrc2=size=720x576:rate=50 {TONE} -t 3 -vf interlace -c:v mpeg2video -flags +ilme+ildct \
         -b:v 4M -g 12 -aspect 16:9 -c:a mp2 -b:a 192k {path}"
    ));
    let heard = hear_all(&path, Options::default());
    assert_eq!(heard.tiers.len(), 2);
    let Kind::Video { width, height, .. } = heard.tiers[1].tracks[0].kind else {
        panic!("the first track is the picture");
    };
    assert_eq!((width, height), (1024, 576), "pixels are square");
    assert_eq!(heard.track(1, 0).len(), frames(&path).len());
    assert_eq!(heard.tiers[1].tracks[1].codec, Codec::Aac);
    let out = folder.path("out.ts");
    heard.write(1, &out);
    let order = probe(&out, "stream=field_order");
    assert!(order.iter().any(|line| line.contains("progressive")), "{order:?}");
    assert_eq!(frames(&out).len(), frames(&path).len());
}

#[test]
fn vp9_with_opus_is_encoded() {
    let folder = Folder::new();
    let path = folder.path("clip.webm");
    ffmpeg(&format!(
        "{PICTURE} {TONE} -t 3 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 900k -c:a libopus {path}"
    ));
    let heard = hear_all(&path, Options::default());
    let top = heard.tiers.last().unwrap();
    let codecs: Vec<_> = top.tracks.iter().map(|track| track.codec).collect();
    assert_eq!(codecs, [Codec::H264, Codec::Aac]);
    assert_eq!(heard.track(heard.top(), 0).len(), 90);
    assert!(
        heard.warnings.iter().any(|text| text.contains("vp9")),
        "{:?}",
        heard.warnings
    );
}

#[test]
fn rare_keyframes_are_not_copied() {
    let folder = Folder::new();
    let path = folder.path("clip.mp4");
    ffmpeg(&format!(
        "{PICTURE} -t 6 -c:v libx264 -preset veryfast -g 1000 -sc_threshold 0 {path}"
    ));
    let heard = hear_all(&path, Options::default());
    assert!(
        heard.warnings.iter().any(|text| text.contains("keyframes")),
        "{:?}",
        heard.warnings
    );
    let top = heard.track(heard.top(), 0);
    assert_eq!(top.len(), 180);
    assert!(top.iter().filter(|it| it.keyframe).count() >= 3);
    let copied = hear_all(
        &path,
        Options {
            mode: Mode::Copy,
            ..Options::default()
        },
    );
    assert_eq!(copied.tiers.len(), 1);
    assert_eq!(copied.track(0, 0).iter().filter(|it| it.keyframe).count(), 1);
}

#[test]
fn a_loop_is_seamless() {
    let folder = Folder::new();
    let path = clip(&folder, "clip.mp4", 2);
    let options = Options {
        loop_file: true,
        ..Options::default()
    };
    let ingest = ingest::open(&path, options).unwrap();
    let mut heard = Heard::default();
    hear(&ingest, &mut heard, |heard| heard.track(1, 0).len() > 150);
    drop(ingest);
    heard.check_times();
    assert_eq!((heard.discontinuities, heard.announced), (0, 1));
    let top = heard.track(1, 0);
    let mut shown: Vec<_> = top[..120].iter().map(|packet| packet.pts).collect();
    shown.sort_unstable();
    let gaps = shown.windows(2).map(|two| two[1] - two[0]);
    assert!(
        gaps.clone().all(|gap| (2900..6500).contains(&gap)),
        "{:?}",
        gaps.max()
    );
    assert_eq!(top[0].data, top[60].data, "the first frame comes again");
}

#[test]
fn what_is_left_of_a_broken_file_plays() {
    let folder = Folder::new();
    let whole = clip(&folder, "clip.ts", 4);
    let bytes = std::fs::read(&whole).unwrap();
    let path = folder.path("truncated.ts");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let heard = hear_all(&path, Options::default());
    assert!(heard.track(heard.top(), 0).len() > 45);
    let mut corrupt = bytes;
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 20_000].fill(0x55);
    std::fs::write(&path, &corrupt).unwrap();
    let heard = hear_all(&path, Options::default());
    assert!(heard.track(heard.top(), 0).len() > 90);
    assert!(heard.track(0, 0).len() > 80);
}

fn failure(input: &str) -> Error {
    let ingest = match ingest::open(input, Options::default()) {
        Ok(ingest) => ingest,
        Err(error) => return error,
    };
    match ingest.events().recv_timeout(Duration::from_secs(20)).unwrap() {
        IngestEvent::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_broadcast_is_told_apart() {
    let folder = Folder::new();
    let missing = failure(&folder.path("missing.mp4"));
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    for name in ["text.txt", "text.mp4", "text.ts"] {
        std::fs::write(folder.path(name), "This is no video. ".repeat(500)).unwrap();
        let text = failure(&folder.path(name));
        assert!(matches!(text, Error::Unreadable { .. }), "{name}: {text}");
    }
    let truncated = folder.path("truncated.mp4");
    let bytes = std::fs::read(clip(&folder, "clip.mp4", 3)).unwrap();
    std::fs::write(&truncated, &bytes[..bytes.len() / 2]).unwrap();
    let truncated = failure(&truncated);
    assert!(matches!(truncated, Error::Unreadable { .. }), "{truncated}");
    let sound = folder.path("sound.m4a");
    ffmpeg(&format!("{TONE} -t 2 -c:a aac {sound}"));
    let sound = failure(&sound);
    assert!(matches!(sound, Error::NoVideo { .. }), "{sound}");
    let folder = failure(&folder.path(""));
    assert!(matches!(folder, Error::Unreadable { .. }), "{folder}");
}

#[test]
fn further_tracks_are_named_and_left_out() {
    let folder = Folder::new();
    let path = folder.path("two.mkv");
    ffmpeg(&format!(
        "{PICTURE} {TONE} {TONE} -t 2 -map 0 -map 1 -map 2 -metadata:s:a:1 language=fra -c:v libx264 -g 30 -c:a aac {path}"
    ));
    let heard = hear_all(&path, Options::default());
    assert_eq!(heard.tiers.last().unwrap().tracks.len(), 2);
    assert!(
        heard.warnings.iter().any(|text| text.contains("fra")),
        "{:?}",
        heard.warnings
    );
}
