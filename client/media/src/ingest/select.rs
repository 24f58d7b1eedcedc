//! Which of an input's streams are broadcast.

use crate::error::Error;
use crate::sys::{self, Shape};
use ffmpeg_next as ff;
use ffmpeg_next::codec::Parameters;
use ffmpeg_next::format::context;
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::media::Type;

/// One stream of an input.
pub(crate) struct Selected {
    pub(crate) index: usize,
    pub(crate) parameters: Parameters,
    pub(crate) time_base: ff::Rational,
    pub(crate) shape: Shape,
    /// Frames in a thousand seconds; 0 for sound, or if unknown.
    pub(crate) frames_per_1000s: u32,
}

/// The streams that are broadcast.
pub(crate) struct Selection {
    pub(crate) video: Selected,
    pub(crate) audio: Option<Selected>,
    /// Names those that are not.
    pub(crate) dropped: Vec<String>,
}

impl Selection {
    /// Picks the best picture, and the best sound that goes with it.
    pub(crate) fn of(name: &str, input: &context::Input) -> Result<Self, Error> {
        let no_video = || Error::NoVideo { input: name.into() };
        // FFmpeg takes any text for the drawing of an old terminal.
        if input.format().name() == "tty" {
            return Err(Error::Unreadable {
                input: name.into(),
                why: "it is text".into(),
            });
        }
        let video = input
            .streams()
            .best(Type::Video)
            .filter(|stream| !stream.disposition().contains(Disposition::ATTACHED_PIC))
            .map(|stream| Selected::of(&stream))
            .filter(|video| video.shape.width > 0 && video.shape.height > 0)
            .ok_or_else(no_video)?;
        let audio = input
            .streams()
            .best(Type::Audio)
            .map(|stream| Selected::of(&stream))
            .filter(|audio| audio.shape.sample_rate > 0 && audio.shape.channels > 0);
        let mut selection = Self {
            video,
            audio,
            dropped: Vec::new(),
        };
        let kept = selection.indices();
        selection.dropped = input
            .streams()
            .filter(|stream| !kept.contains(&stream.index()))
            .map(|stream| describe(&stream))
            .collect();
        Ok(selection)
    }

    /// The streams' numbers in the input.
    pub(crate) fn indices(&self) -> Vec<usize> {
        let audio = self.audio.as_ref().map(|audio| audio.index);
        std::iter::once(self.video.index).chain(audio).collect()
    }

    /// A sentence about what is not broadcast, if anything.
    pub(crate) fn dropped(&self) -> Option<String> {
        if self.dropped.is_empty() {
            return None;
        }
        let list = self.dropped.join(", ");
        Some(format!(
            "one picture and one sound are broadcast; left out: {list}"
        ))
    }
}

impl Selected {
    fn of(stream: &Stream<'_>) -> Self {
        let parameters = stream.parameters();
        Self {
            index: stream.index(),
            time_base: stream.time_base(),
            shape: sys::shape(&parameters),
            frames_per_1000s: frame_rate(stream),
            parameters,
        }
    }

    /// The codec.
    pub(crate) fn codec(&self) -> ff::codec::Id {
        self.parameters.id()
    }
}

/// The mean frame rate if it makes sense, else the container's base rate, else 0.
fn frame_rate(stream: &Stream<'_>) -> u32 {
    [stream.avg_frame_rate(), stream.rate()]
        .into_iter()
        .filter(|rate| rate.denominator() > 0)
        .map(f64::from)
        .find(|rate| (1.0..=240.0).contains(rate))
        .map_or(0, |rate| (rate * 1000.0).round() as u32)
}

fn describe(stream: &Stream<'_>) -> String {
    let parameters = stream.parameters();
    let kind = match parameters.medium() {
        Type::Video => "picture",
        Type::Audio => "sound",
        Type::Subtitle => "subtitles",
        _ => "data",
    };
    let metadata = stream.metadata();
    let language = metadata.get("language").map(|it| format!(", {it}"));
    format!(
        "{kind} {} ({}{})",
        stream.index(),
        parameters.id().name(),
        language.unwrap_or_default()
    )
}
