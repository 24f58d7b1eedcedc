//! Decoded frames by their hashes: whether what came out is what went in.

use crate::program::argument;
use crate::tool;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The hashes of a file's decoded frames, in order, by kind of track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// The picture's.
    pub video: Vec<String>,
    /// The sound's.
    pub audio: Vec<String>,
}

/// The first frame of sound after a start differs: a decoder overlaps each with the one before.
const AUDIO_WARM_UP: usize = 1;

/// How much of an output's end is not compared: a program that is killed leaves a last frame of each track cut short.
const CUT_SHORT: usize = 1;

impl Frames {
    /// The frames of a file.
    pub fn of(path: &Path) -> Result<Self> {
        Self::parse(&decode(path)?)
    }

    /// Reads what `framemd5` prints.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (mut kinds, mut frames) = (BTreeMap::new(), Self::default());
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("#media_type ") {
                let (track, kind) = kind.split_once(": ").context("a track has a kind")?;
                kinds.insert(track.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let columns: Vec<&str> = line.split(',').map(str::trim).collect();
                let (track, hash) = columns
                    .first()
                    .zip(columns.last())
                    .context("a frame has columns")?;
                frames.track(kinds.get(*track))?.push((*hash).to_owned());
            }
        }
        Ok(frames)
    }

    fn track(&mut self, kind: Option<&String>) -> Result<&mut Vec<String>> {
        match kind.map(String::as_str) {
            Some("video") => Ok(&mut self.video),
            Some("audio") => Ok(&mut self.audio),
            other => bail!("a track is {other:?}"),
        }
    }

    /// Checks that this output is one unbroken piece of `input`. An error names the first frame that is not.
    pub fn check_within(&self, input: &Self) -> Result<()> {
        let audio = self.audio.get(AUDIO_WARM_UP..).unwrap_or_default();
        self.check_picture_within(input)?;
        unbroken(audio, &input.audio).context("sound")
    }

    /// The same for the picture alone.
    pub fn check_picture_within(&self, input: &Self) -> Result<()> {
        unbroken(&self.video, &input.video).context("picture")
    }

    /// The last `count` frames of the picture.
    pub fn last(&self, count: usize) -> Self {
        let video = self.video[self.video.len().saturating_sub(count)..].to_vec();
        Self {
            video,
            audio: Vec::new(),
        }
    }
}

fn unbroken(output: &[String], input: &[String]) -> Result<()> {
    let output = &output[..output.len().saturating_sub(CUT_SHORT)];
    let first = output.first().context("there is no frame to compare")?;
    // A tone repeats itself: of the places that begin alike it is the one that goes on alike.
    let starts = (0..input.len()).filter(|start| &input[*start] == first);
    let alike = |start: &usize| {
        let both = output.iter().zip(&input[*start..]);
        both.take_while(|(came, sent)| came == sent).count()
    };
    let start = starts
        .max_by_key(alike)
        .context("its first frame is not in the input")?;
    let expected = &input[start..];
    ensure!(
        expected.len() >= output.len(),
        "{} frames came after the input's end",
        output.len() - expected.len()
    );
    match output.iter().zip(expected).position(|(came, sent)| came != sent) {
        None => Ok(()),
        Some(at) => bail!(
            "frame {at} of {} (the input's {}) is another one: {}",
            output.len(),
            start + at,
            explain(&output[at], input, start + at)
        ),
    }
}

fn explain(hash: &String, input: &[String], at: usize) -> String {
    match input.iter().skip(at).position(|other| other == hash) {
        Some(skipped) => format!("{skipped} frames are missing"),
        None if input[..at].contains(hash) => "it came before".into(),
        None => "the input has no such frame".into(),
    }
}

/// Decodes `path` to `framemd5`'s text.
fn decode(path: &Path) -> Result<String> {
    decode_input(&["-i", &argument(path)])
}

/// Decodes `path`, played `times` in a row. The list opens it anew each time, for FFmpeg's own loop seeks to the start
/// and loses the first keyframe of an MPEG-TS.
pub(crate) fn decode_in_a_row(path: &Path, times: u32) -> Result<String> {
    let list = path.with_extension(format!("{times}.list"));
    fs::write(
        &list,
        format!("file '{}'\n", argument(path)).repeat(times as usize),
    )?;
    decode_input(&["-f", "concat", "-safe", "0", "-i", &argument(&list)])
}

fn decode_input(input: &[&str]) -> Result<String> {
    let output = [
        "-map",
        "0:v",
        "-map",
        "0:a?",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ];
    tool::run("ffmpeg", &[&["-v", "error"], input, &output].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(from: u32, to: u32) -> Vec<String> {
        (from..to).map(|n| n.to_string()).collect()
    }

    #[test]
    fn reads_framemd5() {
        let text = "#format: frame checksums\n#media_type 0: video\n#media_type 1: audio\n\
            #stream#, dts, pts, duration, size, hash\n\
            0,  0,  0,  1,  1382400, aa\n1,  0,  0,  1024,  4096, bb\n0,  1,  1,  1,  1382400, cc\n";
        let frames = Frames::parse(text).unwrap();
        assert_eq!(
            frames,
            Frames {
                video: vec!["aa".into(), "cc".into()],
                audio: vec!["bb".into()]
            }
        );
    }

    #[test]
    fn a_piece_is_found_and_a_gap_is_named() {
        let input = hashes(0, 100);
        assert!(unbroken(&hashes(20, 60), &input).is_ok());
        let gap = [hashes(20, 30), hashes(33, 60)].concat();
        let error = unbroken(&gap, &input).unwrap_err().to_string();
        assert_eq!(
            error,
            "frame 10 of 36 (the input's 30) is another one: 3 frames are missing"
        );
        assert!(unbroken(&hashes(90, 110), &input).is_err());
        assert!(unbroken(&[], &input).is_err());
        assert!(unbroken(&["x".into(), "y".into()], &input).is_err());
    }

    #[test]
    fn a_piece_is_found_where_the_input_repeats_itself() {
        let input = [hashes(0, 30), hashes(20, 30), hashes(40, 90)].concat();
        assert!(unbroken(&[hashes(20, 30), hashes(40, 60)].concat(), &input).is_ok());
        assert!(unbroken(&[hashes(20, 30), hashes(41, 60)].concat(), &input).is_err());
    }

    #[test]
    fn a_repeated_or_wrong_frame_is_named() {
        let input = hashes(0, 100);
        let twice = [hashes(20, 30), hashes(29, 60)].concat();
        assert!(
            unbroken(&twice, &input)
                .unwrap_err()
                .to_string()
                .ends_with("it came before")
        );
        let wrong = [hashes(20, 30), vec!["x".into()], hashes(31, 60)].concat();
        assert!(
            unbroken(&wrong, &input)
                .unwrap_err()
                .to_string()
                .ends_with("no such frame")
        );
    }
}
