//! What people and files get wrong: each has an exit code, and a sentence that says what to do.

use anyhow::{Result, ensure};
use banyan_protocol::wire::link::ChannelLink;
use rig::clip::Clip;
use rig::program::argument;
use rig::scene::PLAYS;
use rig::stage::built;
use rig::{Broadcast, Host, Net, Program, Stage, Watch, Wire};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The exit codes of the command-line contract.
const USAGE: i32 = 2;
const UNREACHABLE: i32 = 3;
const INPUT: i32 = 5;
const CLOUD: i32 = 6;
const OTHER: i32 = 1;

/// A disk of two megabytes; goes with its value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir(&at)?;
        let mount = ["-t", "tmpfs", "-o", "size=2m", "small"];
        ensure!(Command::new("mount").args(mount).arg(&at).status()?.success());
        Ok(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

/// A broadcaster and its host, on a stage of its own.
struct Bench {
    host: Host,
    net: Net,
    stage: Stage,
}

impl Bench {
    fn open(name: &str) -> Result<Self> {
        let stage = Stage::open(name)?;
        let net = Net::new(Wire::Bridge)?;
        let host = net.host("host")?;
        Ok(Self { host, net, stage })
    }

    /// Runs `banyan` and checks that it ends with `code`, saying `word` on the last line of standard error.
    fn fails(&self, name: &str, words: &[&str], code: i32, word: &str) -> Result<()> {
        let command = std::iter::once(built("banyan")?).chain(words.iter().map(|word| (*word).to_owned()));
        let program = Program::start(&self.stage, &self.host, name, &command.collect::<Vec<_>>())?;
        let ended = program.wait_end(Duration::from_secs(60))?;
        let stderr = program.stderr();
        ensure!(
            ended.code() == Some(code),
            "{name} ended with {ended}, not {code}: {stderr}"
        );
        let said = stderr.lines().any(|line| line.to_lowercase().contains(word));
        ensure!(said, "{name} does not say `{word}`: {stderr}");
        Ok(())
    }
}

#[test]
fn files_that_are_missing_or_no_video() -> Result<()> {
    let bench = Bench::open("bad-files")?;
    bench.fails("missing", &["broadcast", "/nowhere/film.mkv"], INPUT, "film.mkv")?;
    bench.fails("folder", &["broadcast", "/proc"], INPUT, "/proc")?;
    // A file that not even root may read.
    let secret = "/proc/sys/vm/compact_memory";
    bench.fails("unreadable", &["broadcast", secret], INPUT, "permission denied")?;
    bench.fails(
        "no-camera",
        &["broadcast", "/dev/video99"],
        INPUT,
        "/dev/video99 does not exist",
    )?;
    let text = bench.stage.path("text.mp4");
    fs::write(&text, "this is no film\n".repeat(1000))?;
    bench.fails("text", &["broadcast", &argument(&text)], INPUT, "text.mp4")?;
    let sound = bench.stage.path("sound.ts");
    let tone = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=3",
        "-c:a",
        "aac",
    ];
    ensure!(Command::new("ffmpeg").args(tone).arg(&sound).status()?.success());
    bench.fails("sound", &["broadcast", &argument(&sound)], INPUT, "video")?;
    bench.stage.passed();
    Ok(())
}

#[test]
fn a_damaged_file_plays_what_is_there() -> Result<()> {
    let bench = Bench::open("bad-damaged")?;
    let clip = Clip::five_stripes()?;
    let mut bytes = fs::read(&clip.path)?;
    bytes.truncate(4_000_000);
    // A tenth of a second is overwritten, in the middle of the fifth second.
    bytes[1_600_000..1_630_000].fill(0xaa);
    let damaged = bench.stage.path("damaged.ts");
    fs::write(&damaged, bytes)?;
    let broadcast = Broadcast::start(&bench.stage, &bench.host, &argument(&damaged), &[])?;
    let home = bench.net.host("viewer")?;
    let watch = Watch::recording(&bench.stage, &home, &broadcast.link, &["--sponsor", "never"])?;
    watch.playing(PLAYS)?;
    let ended = broadcast.program.wait_end(Duration::from_secs(40))?;
    ensure!(ended.success(), "the broadcaster ended with {ended}");
    let ended = watch.program.wait_end(Duration::from_secs(20))?;
    ensure!(ended.success(), "the viewer ended with {ended}");
    let frames = rig::frames::Frames::of(watch.output.as_ref().expect("it records"))?;
    ensure!(
        frames.video.len() > 200,
        "{} frames of about 290",
        frames.video.len()
    );
    bench.stage.passed();
    Ok(())
}

#[test]
fn links_that_lead_nowhere_or_elsewhere() -> Result<()> {
    let bench = Bench::open("bad-links")?;
    bench.fails("malformed", &["watch", "banyan://nobody"], USAGE, "link")?;
    bench.fails("other", &["watch", "http://example.org/"], USAGE, "banyan://")?;
    let source = bench.net.host("source")?;
    let broadcast = Broadcast::start(&bench.stage, &source, "test:", &[])?;
    let real: ChannelLink = broadcast.link.parse()?;
    let mut stranger = real.clone();
    stranger.channel.0[0] ^= 1;
    bench.fails("wrong-key", &["watch", &stranger.to_string()], UNREACHABLE, "key")?;
    let mut nobody = real;
    nobody.addresses = vec![(bench.host.address(), 9).into()];
    bench.fails("nobody", &["watch", &nobody.to_string()], UNREACHABLE, "answer")?;
    drop((broadcast, source));
    bench.stage.passed();
    Ok(())
}

#[test]
fn options_and_places_that_do_not_work() -> Result<()> {
    let bench = Bench::open("bad-options")?;
    let source = bench.net.host("source")?;
    let broadcast = Broadcast::start(&bench.stage, &source, "test:", &[])?;
    let link = broadcast.link.as_str();
    bench.fails("budget", &["watch", link, "--sponsor", "yes"], USAGE, "--budget")?;
    bench.fails("rate", &["watch", link, "--uplink", "fast"], USAGE, "fast")?;
    bench.fails(
        "no-folder",
        &["watch", link, "--output", "/nowhere/a.ts"],
        OTHER,
        "/nowhere/a.ts",
    )?;
    let listen = format!("{}:4999", bench.host.address());
    let taken = bench.host.inside(|| std::net::UdpSocket::bind(&listen))??;
    bench.fails(
        "port",
        &["broadcast", "test:", "--listen", &listen],
        OTHER,
        "in use",
    )?;
    drop((taken, broadcast, source));
    bench.stage.passed();
    Ok(())
}

#[test]
fn a_disk_that_fills_up_ends_the_recording_and_keeps_it() -> Result<()> {
    let bench = Bench::open("bad-disk")?;
    let disk = SmallDisk::mount(bench.stage.path("disk"))?;
    let source = bench.net.host("source")?;
    let broadcast = Broadcast::start(&bench.stage, &source, "test:", &[])?;
    let film = disk.0.join("film.ts");
    let watch = ["watch", &broadcast.link, "--output", &argument(&film)];
    bench.fails("full-disk", &watch, OTHER, "what was written so far is kept")?;
    let kept = rig::frames::Frames::of(&film)?;
    ensure!(kept.video.len() > 50, "{} frames are kept", kept.video.len());
    drop((broadcast, source, disk));
    bench.stage.passed();
    Ok(())
}

#[test]
fn relays_that_cannot_be_sponsored() -> Result<()> {
    let bench = Bench::open("bad-sponsor")?;
    let source = bench.net.host("source")?;
    let broadcast = Broadcast::start(&bench.stage, &source, "test:", &[])?;
    let link = broadcast.link.as_str();
    let local = ["--provider", "local", "--budget", "0"];
    let sponsor = |link, more: &[&'static str]| [&["sponsor", link], &local[..], more].concat();
    bench.fails("no-hours", &sponsor(link, &[]), USAGE, "--hours")?;
    bench.fails("hours-0", &sponsor(link, &["--hours", "0"]), USAGE, "--hours 0")?;
    bench.fails(
        "no-link",
        &sponsor("banyan://nobody", &["--hours", "1"]),
        USAGE,
        "link",
    )?;
    let mut nobody: ChannelLink = link.parse()?;
    nobody.addresses = vec![(bench.host.address(), 9).into()];
    let nobody = nobody.to_string();
    bench.fails(
        "nobody",
        &sponsor(&nobody, &["--hours", "1"]),
        UNREACHABLE,
        "answer",
    )?;
    let paid = [
        "--provider",
        "ec2",
        "--region",
        "us-east-1",
        "--hours",
        "1",
        "--budget",
        "0.001",
    ];
    bench.fails(
        "too-little",
        &[&["sponsor", link], &paid[..]].concat(),
        CLOUD,
        "budget",
    )?;
    drop((broadcast, source));
    bench.stage.passed();
    Ok(())
}
