//! Players that people have, on what a viewer puts out. Each shows its pictures to a folder, or tells how far it is.
//!
//! mpv and ffplay come with the set-up; VLC and Chromium do not, so that only the long form asks for them.

use anyhow::{Context, Result, ensure};
use rig::program::argument;
use rig::scene::{PLAYS, Scene, Viewer};
use rig::verdict::Verdict;
use rig::{Program, Wire};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const HTTP: &str = "0.0.0.0:8080";

/// Four seconds of pictures.
const FRAMES: usize = 100;

/// How long a player may take to start and to show them.
const SHOWS: Duration = Duration::from_secs(40);

/// A viewer that serves, and keeps a file.
struct Home {
    scene: Scene,
    viewer: Viewer,
}

impl Home {
    fn open(name: &str) -> Result<Self> {
        let scene = Scene::open(name, Wire::Bridge, 15, &[])?;
        let viewer = scene.viewer_with("viewer", 5, &["--sponsor", "never", "--http", HTTP])?;
        viewer.watch.playing(PLAYS)?;
        viewer.full(Duration::from_secs(10))?;
        Ok(Self { scene, viewer })
    }

    fn start(&self, name: &str, words: &[&str]) -> Result<Program> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Program::start(&self.scene.stage, &self.viewer.host, name, &words)
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scene.stage.path(name);
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// mpv shows a hundred pictures of `input`.
    fn mpv(&self, name: &str, input: &str) -> Result<()> {
        let folder = self.folder(name)?;
        let to = format!("--vo-image-outdir={}", argument(&folder));
        let frames = format!("--frames={FRAMES}");
        let words = [
            "mpv",
            "--no-config",
            "--ao=null",
            "--vo=image",
            &to,
            &frames,
            input,
        ];
        let mpv = self.start(name, &words)?;
        let ended = mpv.wait_end(SHOWS)?;
        ensure!(ended.success(), "{name} ended with {ended}: {}", mpv.stderr());
        check_pictures(&folder, FRAMES).with_context(|| format!("{name}: {}", mpv.stderr()))
    }

    /// ffplay's clock runs on for three of the twelve seconds that it is given; it looks at a stream for five before it begins.
    fn ffplay(&self, name: &str, input: &str) -> Result<()> {
        let nothing = ["SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy"];
        let play = [
            "timeout", "-s", "INT", "12", "ffplay", "-v", "error", "-stats", input,
        ];
        let ffplay = self.start(name, &[&["env"], &nothing[..], &play[..]].concat())?;
        ffplay.wait_end(SHOWS)?;
        let said = ffplay.stderr();
        let clock = said
            .split('\r')
            .filter_map(|line| line.split_once(" A-V:")?.0.trim().parse().ok());
        let clock: Vec<f64> = clock.filter(|time: &f64| time.is_finite()).collect();
        let (first, last) = (clock.first().copied(), clock.last().copied());
        let ran = last.unwrap_or_default() - first.unwrap_or_default();
        ensure!(ran >= 3.0, "{name}: its clock went from {first:?} to {last:?}");
        Ok(())
    }
}

/// There are `least` pictures, and they move.
fn check_pictures(folder: &std::path::Path, least: usize) -> Result<()> {
    let files: std::io::Result<Vec<PathBuf>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut files = files?;
    files.sort();
    ensure!(files.len() >= least, "{} pictures", files.len());
    let (first, last) = (fs::read(&files[0])?, fs::read(&files[files.len() - 1])?);
    ensure!(!first.is_empty() && first != last, "the picture stands still");
    Ok(())
}

#[test]
fn mpv_and_ffplay_play_what_is_served_and_mpv_the_file() -> Result<()> {
    let home = Home::open("players")?;
    let mut verdict = Verdict::of("players");
    let (stream, playlist) = (
        "http://127.0.0.1:8080/stream.ts",
        "http://127.0.0.1:8080/live.m3u8",
    );
    verdict.check(home.mpv("mpv-stream", stream));
    verdict.check(home.mpv("mpv-hls", playlist));
    verdict.check(home.ffplay("ffplay-stream", stream));
    verdict.check(home.ffplay("ffplay-hls", playlist));
    verdict.check(home.viewer.check_unharmed());
    verdict.check(home.viewer.leave());
    let file = home.viewer.watch.output.as_ref().context("it records")?;
    verdict.check(home.mpv("mpv-file", &argument(file)));
    drop(home.viewer);
    home.scene.close(verdict)
}

/// VLC wants to be nobody's root: in a user namespace without one it sees itself as nobody.
#[cfg(feature = "long")]
#[test]
fn vlc_plays_what_is_served_and_the_file() -> Result<()> {
    let home = Home::open("vlc")?;
    let mut verdict = Verdict::of("vlc");
    let file = argument(home.viewer.watch.output.as_ref().context("it records")?);
    let inputs = [
        ("vlc-stream", "http://127.0.0.1:8080/stream.ts"),
        ("vlc-hls", "http://127.0.0.1:8080/live.m3u8"),
        ("vlc-file", &file),
    ];
    for (name, input) in inputs {
        let folder = home.folder(name)?;
        let to = format!("--scene-path={}", argument(&folder));
        let shows = [
            "--vout",
            "dummy",
            "--aout",
            "dummy",
            "--video-filter=scene",
            "--scene-ratio=25",
        ];
        let ends = [
            "--run-time",
            "6",
            "--play-and-exit",
            "--no-dbus",
            input,
            "vlc://quit",
        ];
        let words = [&["unshare", "--user", "cvlc"], &shows[..], &[&to], &ends[..]].concat();
        let vlc = home.start(name, &words)?;
        verdict.check(vlc.wait_end(SHOWS));
        // One picture a second is kept, of those that were shown.
        verdict.check(check_pictures(&folder, 3).with_context(|| format!("{name}: {}", vlc.stderr())));
    }
    drop(home.viewer);
    home.scene.close(verdict)
}

/// A page that Chromium opens headless, and a picture that moves in it.
#[cfg(feature = "long")]
#[test]
fn chromium_plays_the_page() -> Result<()> {
    let home = Home::open("chromium")?;
    let folder = home.folder("pictures")?;
    for (name, wait) in [("first", 8000), ("second", 14_000)] {
        let shot = format!("--screenshot={}", argument(&folder.join(format!("{name}.png"))));
        let wait = format!("--timeout={wait}");
        let flags = ["--headless=new", "--no-sandbox", "--disable-gpu"];
        let plays = "--autoplay-policy=no-user-gesture-required";
        let words = [
            &["chromium"],
            &flags[..],
            &[plays, &shot, &wait, "http://127.0.0.1:8080/"],
        ]
        .concat();
        let chromium = home.start(name, &words)?;
        let ended = chromium.wait_end(Duration::from_secs(60))?;
        ensure!(ended.success(), "{}", chromium.stderr());
    }
    check_pictures(&folder, 2)?;
    drop(home.viewer);
    home.scene.close(Verdict::of("chromium"))
}
