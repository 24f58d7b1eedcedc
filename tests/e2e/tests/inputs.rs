//! Inputs that others push: they may pause and come back, and the channel goes on.

use anyhow::{Context, Result};
use rig::clip::Clip;
use rig::frames::Frames;
use rig::scene::{PLAYS, STRIPES, TOP};
use rig::verdict::Verdict;
use rig::{Broadcast, Event, Host, Net, Program, Stage, Watch, Wire};
use std::time::Duration;

/// What six seconds of the clip weigh.
const SIX_SECONDS: u64 = 1_500_000;

#[test]
fn rtmp_is_pushed_and_pushed_again() -> Result<()> {
    pushed(
        "rtmp",
        "rtmp://0.0.0.0:1935/live/key",
        &["-f", "flv", "rtmp://127.0.0.1:1935/live/key"],
    )
}

#[test]
fn srt_is_pushed_and_pushed_again() -> Result<()> {
    pushed(
        "srt",
        "srt://0.0.0.0:9000?mode=listener",
        &["-f", "mpegts", "srt://127.0.0.1:9000?mode=caller"],
    )
}

#[test]
fn udp_is_pushed_and_pushed_again() -> Result<()> {
    let to = "udp://127.0.0.1:9001?pkt_size=1316";
    pushed("udp", "udp://127.0.0.1:9001", &["-f", "mpegts", to])
}

/// One ffmpeg pushes, ends, and another one pushes: the viewer plays, stands, and plays again by itself.
fn pushed(name: &str, input: &str, output: &[&str]) -> Result<()> {
    let stage = Stage::open(&format!("input-{name}"))?;
    let mut verdict = Verdict::of(&format!("input-{name}"));
    let (clip, net) = (Clip::five_stripes()?, Net::new(Wire::Bridge)?);
    let (source, home) = (net.host("broadcaster")?, net.host("viewer")?);
    let first = push(&stage, &source, &clip, "pusher", output)?;
    let broadcast = Broadcast::start(&stage, &source, input, &["--uplink", "20M"])?;
    let watch = Watch::recording(&stage, &home, &broadcast.link, &["--sponsor", "never"])?;
    watch.playing(PLAYS)?;
    watch.receiving(TOP, STRIPES, PLAYS)?;
    let mark = broadcast.program.events().count();
    drop(first);
    broadcast
        .program
        .wait_from(mark, "input-paused", Duration::from_secs(20), |_| true)?;
    let second = push(&stage, &source, &clip, "pusher-again", output)?;
    broadcast
        .program
        .wait_from(mark, "input-resumed", Duration::from_secs(30), |_| true)?;
    let before = watch.stats()?.number("down_bytes");
    let plays = |stats: &Event| stats.number("down_bytes") > before + SIX_SECONDS;
    verdict.check(
        watch
            .program
            .wait("stats", Duration::from_secs(30), plays)
            .context("it does not come back"),
    );
    let ended = (broadcast.program.events().ended(), watch.program.events().ended());
    verdict.expect(ended == (None, None), || {
        format!("broadcaster and viewer ended: {ended:?}")
    });
    verdict.check(watch.program.stop(Duration::from_secs(8)));
    let output = Frames::of(watch.output.as_ref().context("it records")?)?;
    verdict.check(
        output
            .last(75)
            .check_picture_within(&clip.frames(1)?)
            .context("the last three seconds"),
    );
    drop((second, watch, broadcast));
    verdict.close()?;
    stage.passed();
    Ok(())
}

/// Pushes the clip at its own speed. Listeners may come later than it: it is started anew by the shell until they are there.
fn push(stage: &Stage, host: &Host, clip: &Clip, name: &str, output: &[&str]) -> Result<Program> {
    let output = output
        .iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let ffmpeg = format!(
        "ffmpeg -v error -re -i '{}' -c copy -bsf:a aac_adtstoasc {output}",
        clip.argument()
    );
    let ffmpeg = if output.contains("flv") {
        ffmpeg
    } else {
        ffmpeg.replace("-bsf:a aac_adtstoasc ", "")
    };
    let script = format!("until {ffmpeg}; do sleep 0.3; done");
    Program::start(stage, host, name, &["sh", "-c", &script].map(str::to_owned))
}
