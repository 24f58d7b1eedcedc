//! What a viewer serves over HTTP, read by other people's programs.

use anyhow::{Context, Result, ensure};
use rig::frames::Frames;
use rig::program::argument;
use rig::scene::{PLAYS, Scene, Viewer};
use rig::verdict::Verdict;
use rig::{Program, Wire};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const HTTP: &str = "0.0.0.0:8080";

#[test]
fn ffmpeg_reads_the_stream_and_the_playlist() -> Result<()> {
    let scene = Scene::open("http", Wire::Bridge, 15, &[])?;
    let mut verdict = Verdict::of("http");
    let viewer = scene.viewer_with("viewer", 5, &["--sponsor", "never", "--http", HTTP])?;
    viewer.watch.playing(PLAYS)?;
    viewer.full(Duration::from_secs(10))?;
    verdict.check(read_with_ffmpeg(&scene, &viewer, "stream.ts"));
    verdict.check(read_with_ffmpeg(&scene, &viewer, "live.m3u8"));
    let page = get(&viewer, "/")?;
    verdict.expect(page.starts_with("HTTP/1.1 200"), || format!("the page: {page}"));
    verdict.expect(page.contains("<video"), || {
        format!("the page has no player: {page}")
    });
    verdict.expect(get(&viewer, "/nothing")?.starts_with("HTTP/1.1 404"), || {
        "a page that is not there is".into()
    });
    verdict.check(viewer.check_unharmed());
    drop(viewer);
    scene.close(verdict)
}

/// Six seconds of what is served have the frames of the input.
fn read_with_ffmpeg(scene: &Scene, viewer: &Viewer, path: &str) -> Result<()> {
    let piece = scene.stage.path(&format!("{path}.ts"));
    let url = format!("http://127.0.0.1:8080/{path}");
    let words = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        &url,
        "-t",
        "6",
        "-map",
        "0",
        "-c",
        "copy",
        &argument(&piece),
    ];
    let reader = Program::start(&scene.stage, &viewer.host, path, &words.map(str::to_owned))?;
    let ended = reader
        .wait_end(Duration::from_secs(40))
        .context("the reader does not end")?;
    ensure!(
        ended.success(),
        "{path}: ffmpeg ended with {ended}: {}",
        reader.stderr()
    );
    let frames = Frames::of(&piece)?;
    ensure!(
        frames.video.len() >= 120,
        "{path}: {} frames in six seconds",
        frames.video.len()
    );
    ensure!(!frames.audio.is_empty(), "{path}: no sound");
    frames.check_within(&scene.input()?).context(path.to_owned())
}

/// A whole answer, head and body.
fn get(viewer: &Viewer, path: &str) -> Result<String> {
    let mut stream = viewer.host.inside(|| TcpStream::connect("127.0.0.1:8080"))??;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
