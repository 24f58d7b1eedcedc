//! OBS Studio itself, on a display that nobody sees. It is no part of the set-up, so that only the long form asks for it:
//! `apt-get install obs-studio xvfb`.
#![cfg(feature = "long")]

use anyhow::{Context, Result, ensure};
use rig::frames::Frames;
use rig::scene::PLAYS;
use rig::{Broadcast, Event, Host, Net, Program, Stage, Watch, Wire};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DISPLAY: &str = ":77";

/// No wizard at the first start, and which profile and scenes to use.
const GLOBAL: &str = "[General]
FirstRun=true
LastVersion=486539266
EnableAutoUpdates=false
[Basic]
Profile=Banyan
ProfileDir=Banyan
SceneCollection=Banyan
SceneCollectionFile=Banyan
";

/// As the README has it: x264, and a keyframe each second.
const PROFILE: &str = "[General]
Name=Banyan
[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSCommon=30
[Output]
Mode=Simple
[SimpleOutput]
VBitrate=1000
ABitrate=128
StreamEncoder=x264
UseAdvanced=true
Preset=ultrafast
x264Settings=keyint=30
";

/// How OBS is told where to push, and how the broadcaster listens there.
struct Push {
    name: &'static str,
    service: &'static str,
    input: &'static str,
}

const RTMP: Push = Push {
    name: "obs",
    service: r#"{"type":"rtmp_custom","settings":{"server":"rtmp://127.0.0.1:1935/live","key":"key"}}"#,
    input: "rtmp://0.0.0.0:1935/live/key",
};

/// As the app tells it to be pasted, with an empty key.
const SRT: Push = Push {
    name: "obs-srt",
    service: r#"{"type":"rtmp_custom","settings":{"server":"srt://127.0.0.1:9000?passphrase=0123456789abcdef","key":""}}"#,
    input: "srt://0.0.0.0:9000?mode=listener&passphrase=0123456789abcdef",
};

/// Red, green and blue of what OBS shows.
const COLOUR: [u8; 3] = [0x20, 0x80, 0xe0];

/// How far coding may move a colour.
const NEAR: u8 = 12;

/// One scene with the plain colour, which OBS writes as alpha, blue, green and red.
const SCENES: &str = r#"{"name":"Banyan","current_scene":"Scene","current_program_scene":"Scene",
"scene_order":[{"name":"Scene"}],"sources":[
{"id":"scene","name":"Scene","settings":{"id_counter":1,"items":[{"name":"Colour","id":1,"visible":true}]}},
{"id":"color_source","versioned_id":"color_source_v3","name":"Colour",
"settings":{"width":640,"height":360,"color":4292902944}}]}"#;

/// A broadcaster's desk: the display, and OBS, which can be closed and opened again.
struct Desk<'a> {
    stage: &'a Stage,
    host: &'a Host,
    _display: Program,
}

impl<'a> Desk<'a> {
    fn open(stage: &'a Stage, host: &'a Host, service: &str) -> Result<Self> {
        let config = stage.path("obs.data").join("obs-studio");
        let (profile, scenes) = (config.join("basic/profiles/Banyan"), config.join("basic/scenes"));
        fs::create_dir_all(&profile)?;
        fs::create_dir_all(&scenes)?;
        fs::write(config.join("global.ini"), GLOBAL)?;
        fs::write(profile.join("basic.ini"), PROFILE)?;
        fs::write(profile.join("service.json"), service)?;
        fs::write(scenes.join("Banyan.json"), SCENES)?;
        // It says the number of its display when it is ready.
        let script =
            format!("Xvfb {DISPLAY} -displayfd 3 3>&1 >/dev/null | sed -u 's/.*/{{\"event\":\"display\"}}/'");
        let display = Program::start(stage, host, "display", &["sh", "-c", &script].map(str::to_owned))?;
        display.wait("display", PLAYS, |_| true)?;
        Ok(Self {
            stage,
            host,
            _display: display,
        })
    }

    fn start_obs(&self) -> Result<Program> {
        let display = format!("DISPLAY={DISPLAY}");
        let words = [
            "env",
            &display,
            "LIBGL_ALWAYS_SOFTWARE=1",
            "obs",
            "--multi",
            "--startstreaming",
        ];
        Program::start(self.stage, self.host, "obs", &words.map(str::to_owned))
    }
}

/// The colour of the last picture of a file.
fn last_colour(file: &Path) -> Result<[u8; 3]> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args([
            "-an",
            "-vf",
            "scale=1:1",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-",
        ])
        .output()?;
    let last = output.stdout.last_chunk().context("there is no picture")?;
    Ok(*last)
}

fn check_output(file: &Path) -> Result<()> {
    let frames = Frames::of(file)?;
    ensure!(
        frames.video.len() > 180 && frames.audio.len() > 180,
        "{} pictures, {} pieces of sound",
        frames.video.len(),
        frames.audio.len()
    );
    let shown = last_colour(file)?;
    let is_near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= NEAR;
    ensure!(shown.iter().zip(&COLOUR).all(is_near), "it shows {shown:?}");
    Ok(())
}

fn pushes_is_closed_and_pushes_again(push: &Push) -> Result<()> {
    let stage = Stage::open(push.name)?;
    let net = Net::new(Wire::Bridge)?;
    let (host, home) = (net.host("broadcaster")?, net.host("viewer")?);
    let desk = Desk::open(&stage, &host, push.service)?;
    // It takes seconds to start; the broadcaster is ready when it gets something.
    let obs = desk.start_obs()?;
    let broadcast = Broadcast::start(&stage, &host, push.input, &["--uplink", "20M"])?;
    let watch = Watch::recording(&stage, &home, &broadcast.link, &["--sponsor", "never"])?;
    watch.playing(Duration::from_secs(60))?;
    let mark = broadcast.program.events().count();
    drop(obs);
    let waits = |name, seconds| {
        let within = Duration::from_secs(seconds);
        broadcast.program.wait_from(mark, name, within, |_| true)
    };
    waits("input-paused", 20)?;
    let _again = desk.start_obs()?;
    waits("input-resumed", 60)?;
    let before = watch.stats()?.number("down_bytes");
    // Six seconds of it.
    let plays = |stats: &Event| stats.number("down_bytes") > before + 700_000;
    watch
        .program
        .wait("stats", Duration::from_secs(30), plays)
        .context("it does not come back")?;
    ensure!(watch.program.stop(Duration::from_secs(8))?.success());
    check_output(watch.output.as_ref().context("it records")?)?;
    drop((watch, broadcast, desk, home));
    stage.passed();
    Ok(())
}

#[test]
fn obs_pushes_is_closed_and_pushes_again() -> Result<()> {
    pushes_is_closed_and_pushes_again(&RTMP)
}

#[test]
fn obs_pushes_by_srt_is_closed_and_pushes_again() -> Result<()> {
    pushes_is_closed_and_pushes_again(&SRT)
}
