//! OBS Studio itself, on a display that nobody sees. It is no part of the set-up, so that only the long form asks for it:
//! `apt-get install obs-studio xvfb`.
#![cfg(feature = "long")]

use anyhow::{Context, Result, ensure};
use rig::scene::PLAYS;
use rig::{Broadcast, Event, Host, Net, Program, Stage, Watch, Wire};
use std::fs;
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

const SERVICE: &str =
    r#"{"type":"rtmp_custom","settings":{"server":"rtmp://127.0.0.1:1935/live","key":"key"}}"#;

/// One scene with a plain colour.
const SCENES: &str = r#"{"name":"Banyan","current_scene":"Scene","current_program_scene":"Scene",
"scene_order":[{"name":"Scene"}],"sources":[
{"id":"scene","name":"Scene","settings":{"id_counter":1,"items":[{"name":"Colour","id":1,"visible":true}]}},
{"id":"color_source","versioned_id":"color_source_v3","name":"Colour","settings":{"width":640,"height":360}}]}"#;

/// A broadcaster's desk: the display, and OBS, which can be closed and opened again.
struct Desk<'a> {
    stage: &'a Stage,
    host: &'a Host,
    _display: Program,
}

impl<'a> Desk<'a> {
    fn open(stage: &'a Stage, host: &'a Host) -> Result<Self> {
        let config = stage.path("obs.data").join("obs-studio");
        let (profile, scenes) = (config.join("basic/profiles/Banyan"), config.join("basic/scenes"));
        fs::create_dir_all(&profile)?;
        fs::create_dir_all(&scenes)?;
        fs::write(config.join("global.ini"), GLOBAL)?;
        fs::write(profile.join("basic.ini"), PROFILE)?;
        fs::write(profile.join("service.json"), SERVICE)?;
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

#[test]
fn obs_pushes_is_closed_and_pushes_again() -> Result<()> {
    let stage = Stage::open("obs")?;
    let net = Net::new(Wire::Bridge)?;
    let (host, home) = (net.host("broadcaster")?, net.host("viewer")?);
    let desk = Desk::open(&stage, &host)?;
    let obs = desk.start_obs()?;
    let broadcast = Broadcast::start(
        &stage,
        &host,
        "rtmp://0.0.0.0:1935/live/key",
        &["--uplink", "20M"],
    )?;
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
    let frames = rig::frames::Frames::of(watch.output.as_ref().context("it records")?)?;
    ensure!(
        frames.video.len() > 180 && !frames.audio.is_empty(),
        "{} frames",
        frames.video.len()
    );
    drop((watch, broadcast, desk, home));
    stage.passed();
    Ok(())
}
