//! Which tiers an input is broadcast in, and what is copied or encoded for each.

use super::Mode;
use super::select::{Selected, Selection};
use super::source::Wish;
use crate::encode::{AudioSettings, VideoSettings};
use banyan_protocol::media::TierId;
use banyan_protocol::units::Bitrate;
use ffmpeg_next::codec::Id;

/// A source of so little is its own low tier.
const SMALL: Bitrate = Bitrate::from_kbps(600);

/// The low tier: picture and sound, and a little for the containers of its frames.
const LOW_VIDEO: Bitrate = Bitrate::from_kbps(420);
const LOW_AUDIO: Bitrate = Bitrate::from_kbps(64);

/// The shorter side of the low tier's picture, in pixels.
const LOW_SIDE: u32 = 360;

/// The longest time without a keyframe that is still copied: 4 s, and a frame.
pub(crate) const KEYFRAMES_APART_MAX: i64 = 4 * 90_000 + 4500;

/// What is known about the input beside its streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The longest time without a keyframe so far, in 1/90,000 s.
    pub(crate) keyframes_apart: i64,
    /// Its measured or announced rate; zero if unknown.
    pub(crate) rate: Bitrate,
}

/// What is done for one track of a tier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Work<S> {
    /// Its packets are copied.
    Copy,
    /// It is decoded and encoded.
    Encode(S),
}

/// One tier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tier {
    pub(crate) tier: TierId,
    pub(crate) video: Work<VideoSettings>,
    pub(crate) audio: Option<Work<AudioSettings>>,
    pub(crate) rate: Bitrate,
}

/// Whether the picture is copied under this mode, and if not, why not.
pub(crate) fn copies(video: &Selected, mode: Mode, facts: Facts) -> Result<(), String> {
    let fits = matches!(video.codec(), Id::H264 | Id::HEVC);
    match mode {
        Mode::Transcode => Err("encoding was asked for".into()),
        _ if !fits => Err(format!("{} is no codec to copy", video.codec().name())),
        Mode::Auto if facts.keyframes_apart > KEYFRAMES_APART_MAX => Err(format!(
            "keyframes are {} s apart",
            (facts.keyframes_apart + 45_000) / 90_000
        )),
        _ => Ok(()),
    }
}

/// The tiers, lowest first.
pub(crate) fn tiers(selection: &Selection, mode: Mode, copied: bool, facts: Facts, wish: Wish) -> Vec<Tier> {
    let mut top = if copied {
        copied_tier(selection, facts)
    } else {
        encoded_tier(selection, wish)
    };
    if mode == Mode::Copy || (top.rate <= SMALL && top.rate > Bitrate::ZERO) {
        return vec![top];
    }
    top.tier = TierId(1);
    vec![low_tier(selection), top]
}

fn copied_tier(selection: &Selection, facts: Facts) -> Tier {
    let audio = selection.audio.as_ref().map(|audio| match audio.codec() {
        Id::AAC => Work::Copy,
        _ => Work::Encode(sound(audio, full_sound(audio))),
    });
    let encoded = match &audio {
        Some(Work::Encode(settings)) => settings.rate,
        _ => Bitrate::ZERO,
    };
    Tier {
        tier: TierId(0),
        video: Work::Copy,
        audio,
        rate: facts.rate.percent(103) + encoded,
    }
}

fn encoded_tier(selection: &Selection, wish: Wish) -> Tier {
    let video = picture(&selection.video, 1080, 1);
    let rate = wish.video_bps.map_or_else(|| full_rate(&video), Bitrate);
    let keyframe_ms = wish.keyframe_ms.unwrap_or(2000);
    let keyframe_every = u64::from(video.frames_per_1000s) * keyframe_ms / 1_000_000;
    let audio = selection.audio.as_ref().map(|audio| {
        let rate = if audio.codec() == Id::AAC {
            Bitrate::from_kbps(160)
        } else {
            full_sound(audio)
        };
        sound(audio, rate)
    });
    let whole = rate + audio.as_ref().map_or(Bitrate::ZERO, |audio| audio.rate);
    Tier {
        tier: TierId(0),
        video: Work::Encode(VideoSettings {
            rate,
            keyframe_every: keyframe_every.max(1) as u32,
            ..video
        }),
        audio: audio.map(Work::Encode),
        rate: whole.percent(103),
    }
}

fn low_tier(selection: &Selection) -> Tier {
    let every = if selection.video.frames_per_1000s > 31_000 {
        2
    } else {
        1
    };
    let audio = selection.audio.as_ref().map(|audio| sound(audio, LOW_AUDIO));
    let sound_rate = audio.as_ref().map_or(Bitrate::ZERO, |audio| audio.rate);
    let video = VideoSettings {
        rate: LOW_VIDEO,
        ..picture(&selection.video, LOW_SIDE, every)
    };
    Tier {
        tier: TierId(0),
        video: Work::Encode(video),
        audio: audio.map(Work::Encode),
        rate: (LOW_VIDEO + sound_rate).percent(103),
    }
}

/// A picture of square pixels whose shorter side is at most `side`, with a keyframe each second; its rate is still open.
fn picture(video: &Selected, side: u32, every: u32) -> VideoSettings {
    let (across, down) = video.shape.pixel_aspect;
    let width = f64::from(video.shape.width) * f64::from(across) / f64::from(down);
    let height = f64::from(video.shape.height);
    let scale = (f64::from(side) / width.min(height)).min(1.0);
    let even = |side: f64| ((side * scale / 2.0).round() as u32 * 2).max(2);
    let rate = match video.frames_per_1000s {
        0 => 30_000,
        known => known,
    };
    let frames_per_1000s = (rate / every).max(1000);
    VideoSettings {
        width: even(width),
        height: even(height),
        frames_per_1000s,
        every,
        rate: Bitrate::ZERO,
        keyframe_every: (frames_per_1000s / 1000).max(1),
    }
}

/// 0.09 bits a pixel, as x264 needs for television without B-frames: 2.5 Mbit/s for 720p at 30 frames a second.
fn full_rate(video: &VideoSettings) -> Bitrate {
    let pixels = u64::from(video.width) * u64::from(video.height);
    let bps = pixels * u64::from(video.frames_per_1000s) * 9 / 100_000;
    Bitrate(bps.clamp(300_000, 8_000_000))
}

fn full_sound(audio: &Selected) -> Bitrate {
    Bitrate::from_kbps(if audio.shape.channels == 1 { 96 } else { 160 })
}

fn sound(audio: &Selected, rate: Bitrate) -> AudioSettings {
    let known = [48_000, 44_100, 32_000, 24_000, 22_050, 16_000];
    let sample_rate = audio.shape.sample_rate;
    AudioSettings {
        sample_rate: if known.contains(&sample_rate) {
            sample_rate
        } else {
            48_000
        },
        channels: audio.shape.channels.min(2),
        rate,
    }
}
