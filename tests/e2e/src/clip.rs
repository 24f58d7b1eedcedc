//! Clips that FFmpeg makes once and the build folder keeps.

use crate::program::argument;
use crate::{frames, stage, tool};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// A clip and the hashes of its decoded frames.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// How long it is.
    pub seconds: u32,
}

/// Changes with what the clips are made of, so that old ones are not used.
const VERSION: u32 = 2;

/// 2 Mbit/s of a picture that no encoder finds easy, at a constant rate, with a keyframe each second and B-frames;
/// perceptual noise substitution is off, for its decoder draws random numbers.
const FIVE_STRIPES: &str = "-c:v libx264 -preset veryfast -profile:v high -pix_fmt yuv420p \
    -b:v 1850k -maxrate 1850k -bufsize 925k \
    -x264-params keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=2:b-adapt=0:nal-hrd=cbr \
    -c:a aac -b:a 128k -ac 2 -aac_pns 0 -f mpegts";

impl Clip {
    /// 40 s of 720p whose full quality has five stripes, as MPEG-TS.
    pub fn five_stripes() -> Result<Self> {
        let seconds = 40;
        let path = clips()?.join(format!("five-stripes-{VERSION}.ts"));
        make_generated(&path, seconds)?;
        Ok(Self { path, seconds })
    }

    /// 40 s of `film`, again and again, coded as a broadcaster's encoder would, with five stripes.
    pub fn recoded(name: &str, film: &Path) -> Result<Self> {
        let seconds = 40;
        let path = clips()?.join(format!("{name}-{VERSION}.ts"));
        let (film, length) = (argument(film), seconds.to_string());
        let scaled = "scale=1280:720,fps=25";
        make(
            &path,
            &["-stream_loop", "-1", "-i", &film, "-t", &length, "-vf", scaled],
            FIVE_STRIPES,
        )?;
        Ok(Self { path, seconds })
    }

    /// The frames of the clip played `times` in a row, as FFmpeg decodes them.
    pub fn frames(&self, times: u32) -> Result<frames::Frames> {
        let kept = self.path.with_extension(format!("{times}.framemd5"));
        if !kept.exists() {
            whole(&kept, |to| {
                fs::write(to, frames::decode_in_a_row(&self.path, times)?).map_err(Into::into)
            })?;
        }
        frames::Frames::parse(&fs::read_to_string(kept)?)
    }

    /// The path as an argument.
    pub fn argument(&self) -> String {
        argument(&self.path)
    }
}

fn clips() -> Result<PathBuf> {
    let folder = stage::build_folder()?.join("e2e/clips");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn make_generated(path: &Path, seconds: u32) -> Result<()> {
    let picture =
        format!("testsrc2=size=1280x720:rate=25:duration={seconds},noise=alls=10:allf=t:all_seed=1");
    let sound = format!("sine=frequency=330:beep_factor=4:sample_rate=48000:duration={seconds}");
    make(
        path,
        &["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound],
        FIVE_STRIPES,
    )
}

fn make(path: &Path, sources: &[&str], coding: &str) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    whole(path, |to| {
        let to = argument(to);
        let coding: Vec<&str> = coding.split_whitespace().collect();
        tool::run(
            "ffmpeg",
            &[&["-v", "error", "-y"], sources, &coding, &[&to]].concat(),
        )
        .map(drop)
    })
}

/// Has `make` write a file that appears under its name only when it is whole.
fn whole(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    make(&part)?;
    Ok(fs::rename(&part, path)?)
}
