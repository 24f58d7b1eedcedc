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
const VERSION: u32 = 1;

/// 2.7 Mbit/s of a picture that no encoder finds easy, at a constant rate, with a keyframe each second and B-frames;
/// perceptual noise substitution is off, for its decoder draws random numbers.
const FIVE_STRIPES: &str = "-c:v libx264 -preset veryfast -profile:v high -pix_fmt yuv420p \
    -b:v 2500k -maxrate 2500k -bufsize 1250k \
    -x264-params keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=2:b-adapt=0:nal-hrd=cbr \
    -c:a aac -b:a 128k -ac 2 -aac_pns 0 -f mpegts";

impl Clip {
    /// 40 s of 720p whose full quality has five stripes, as MPEG-TS.
    pub fn five_stripes() -> Result<Self> {
        let seconds = 40;
        let path = clips()?.join(format!("five-stripes-{VERSION}.ts"));
        make(&path, seconds, FIVE_STRIPES)?;
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

fn make(path: &Path, seconds: u32, coding: &str) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let picture =
        format!("testsrc2=size=1280x720:rate=25:duration={seconds},noise=alls=10:allf=t:all_seed=1");
    let sound = format!("sine=frequency=330:beep_factor=4:sample_rate=48000:duration={seconds}");
    let sources = [
        "-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound,
    ];
    let args = sources
        .into_iter()
        .chain(coding.split_whitespace())
        .map(str::to_owned);
    whole(path, |to| {
        let args: Vec<String> = args.chain([argument(to)]).collect();
        tool::run("ffmpeg", &args).map(drop)
    })
}

/// Has `make` write a file that appears under its name only when it is whole.
fn whole(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    make(&part)?;
    Ok(fs::rename(&part, path)?)
}
