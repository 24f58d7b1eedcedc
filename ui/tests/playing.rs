//! A stream of FFmpeg's, played in real time through decoder, timeline and clock to a screen and a sound device that
//! nobody sees or hears.
#![allow(clippy::unwrap_used)]

use banyan::player::{Phase, Picture, Planes, Player};
use banyan_media::ingest::{IngestEvent, Options};
use banyan_protocol::io::{Play, TierSetup};
use banyan_protocol::media::Packet;
use banyan_tv::sound::{self, Null};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A second of the line.
const SECOND: i64 = 90_000;

/// A block of the protocol: packets come in such bursts.
const BLOCK: Duration = Duration::from_millis(100);

/// White for the first tenth of each second, and a tone just then.
const FLASH_AND_BEEP: &str = "-f lavfi -i color=c=black:s=1280x720:r=30,drawbox=c=white:t=fill:enable='lt(mod(t\\,1)\\,0.1)' \
     -f lavfi -i aevalsrc='lt(mod(t\\,1)\\,0.1)*sin(2*PI*1000*t)':s=48000";

/// Film-like enough to be work for a decoder.
const MOVING: &str =
    "-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000";

/// Longer than any of these tests waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A clip of H.264 and AAC that goes away with its owner.
struct Clip(PathBuf);

impl Clip {
    fn make(input: &str, seconds: u32) -> Self {
        Self::coded(input, seconds, "-c:v libx264 -bf 2 -b:v 2500k")
    }

    fn coded(input: &str, seconds: u32, coder: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("banyan-tv-{}-{number}.mp4", std::process::id()));
        let coded = format!("-t {seconds} {coder} -preset veryfast -g 30 -c:a aac");
        let words = input.split_whitespace().chain(coded.split_whitespace());
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(words)
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
        Self(path)
    }

    /// The top tier's tracks and packets, in the order sent.
    fn plays(&self) -> Vec<Play> {
        let ingest = banyan_media::ingest::open(self.0.to_str().unwrap(), Options::default()).unwrap();
        let (mut top, mut packets) = (None::<TierSetup>, Vec::new());
        while let Ok(event) = ingest.events().recv() {
            match event {
                IngestEvent::Tiers(tiers) => top = tiers.into_iter().next_back(),
                IngestEvent::Packet { tier, packet } => packets.push((tier, packet)),
                IngestEvent::Ended(_) => break,
                IngestEvent::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
        let TierSetup { tier, tracks, .. } = top.unwrap();
        let tracks = Play::Tracks {
            tier,
            tracks: tracks.into(),
        };
        let of_top = packets.into_iter().filter(|(of, _)| *of == tier);
        let packets = of_top.map(|(_, packet)| Play::Packet(packet));
        std::iter::once(tracks).chain(packets).collect()
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Hands a player what a viewer would get, at its own speed, a block at a time.
fn feed(player: &Player, plays: Vec<Play>) -> std::thread::JoinHandle<()> {
    let player = player.clone();
    std::thread::spawn(move || {
        let start = Instant::now();
        let time = |packet: &Packet| Duration::from_micros(packet.dts as u64 * 1000 / 90);
        let origin = plays.iter().find_map(|play| match play {
            Play::Packet(packet) => Some(time(packet)),
            _ => None,
        });
        for play in plays {
            if let Play::Packet(packet) = &play {
                let at = time(packet).saturating_sub(origin.unwrap()).as_millis() / BLOCK.as_millis();
                let due = start + BLOCK * (at as u32 + 1);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            player.push(play);
        }
    })
}

/// Whether the middle of a picture is white.
fn is_white(picture: &Picture) -> bool {
    let (Planes::Three([luma, ..]) | Planes::Two([luma, _])) = &picture.planes;
    luma.data[luma.stride * (luma.height as usize / 2) + luma.width as usize / 2] > 128
}

/// Looks as a window does, until the feeder is done: when each picture came that differs in `what` from the one before,
/// and how many there were.
fn look(player: &Player, feeder: &std::thread::JoinHandle<()>) -> (Vec<Instant>, usize) {
    let (mut flashes, mut white, mut count, mut last) = (Vec::new(), false, 0, None);
    while !feeder.is_finished() {
        let now = Instant::now();
        if let Some(picture) = player.picture(now).filter(|picture| last != Some(picture.pts)) {
            count += 1;
            last = Some(picture.pts);
            let was = std::mem::replace(&mut white, is_white(&picture));
            if white && !was {
                flashes.push(now);
            }
        }
        // A window is told of the first picture; this one looks again instead.
        let next = player.next_change(now).unwrap_or(now + Duration::from_millis(2));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (flashes, count)
}

/// Notes when each beep is heard.
fn beeps(player: &Player) -> (Null, Arc<Mutex<Vec<Instant>>>) {
    let beeps = Arc::new(Mutex::new(Vec::<Instant>::new()));
    let noted = beeps.clone();
    let device = Null::open(player, move |samples, plays_at| {
        let loud = samples
            .iter()
            .step_by(sound::CHANNELS)
            .position(|sample| sample.abs() > 0.2);
        if let Some(frame) = loud {
            let at = plays_at + Duration::from_nanos(frame as u64 * 1_000_000_000 / u64::from(sound::RATE));
            let mut beeps = noted.lock().unwrap();
            let is_new = beeps
                .last()
                .is_none_or(|last| at - *last > Duration::from_millis(500));
            if is_new {
                beeps.push(at);
            }
        }
    });
    (device, beeps)
}

#[test]
fn flash_and_beep_are_within_40_ms_of_each_other() {
    let clip = Clip::make(FLASH_AND_BEEP, 9);
    let player = Player::new();
    let (_device, beeps) = beeps(&player);
    let feeder = feed(&player, clip.plays());
    let (flashes, _) = look(&player, &feeder);
    feeder.join().unwrap();
    let beeps = beeps.lock().unwrap().clone();
    // The first may be on the screen before sound begins.
    let apart = |flash: &Instant| {
        let nearest = beeps.iter().map(|beep| {
            let (late, early) = (
                flash.saturating_duration_since(*beep),
                beep.saturating_duration_since(*flash),
            );
            late.as_secs_f64() * 1000.0 - early.as_secs_f64() * 1000.0
        });
        nearest
            .min_by(|one, other| one.abs().total_cmp(&other.abs()))
            .unwrap()
    };
    let mut apart: Vec<f64> = flashes[1..].iter().map(apart).collect();
    println!(
        "flashes after their beeps by {apart:.1?} ms; told: {:?}",
        player.state().lip_sync_ms
    );
    assert!(
        apart.len() >= 6,
        "{} flashes, {} beeps",
        flashes.len(),
        beeps.len()
    );
    apart.sort_by(|one, other| one.abs().total_cmp(&other.abs()));
    assert!(apart[apart.len() / 2].abs() <= 40.0, "{apart:?}");
    let told = player.state().lip_sync_ms.unwrap();
    assert!(told.abs() <= 40.0, "{told} ms");
}

/// Seconds that this process has computed, all threads together.
fn computed() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / 100.0
}

/// The most memory that this process has used, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn software_decoding_of_720p30_takes_less_than_60_percent_of_a_core() {
    let clip = Clip::make(MOVING, 8);
    let plays = clip.plays();
    let player = Player::new();
    let _device = Null::open(&player, |_, _| {});
    let (begin, before) = (Instant::now(), computed());
    let feeder = feed(&player, plays);
    let (_, pictures) = look(&player, &feeder);
    let share = (computed() - before) / begin.elapsed().as_secs_f64();
    feeder.join().unwrap();
    let state = player.state();
    println!(
        "{:.0} % of a core, {} MiB, {pictures} pictures, {state:?}",
        100.0 * share,
        memory()
    );
    assert!(share <= 0.6, "{share}");
    assert!(memory() <= 300, "{} MiB", memory());
    assert!(
        state.phase == Phase::Playing && pictures >= 200,
        "{pictures} pictures, {state:?}"
    );
}

/// Looks as a window does until `enough` of a picture.
fn look_until(player: &Player, mut enough: impl FnMut(&Picture) -> bool) {
    let begin = Instant::now();
    loop {
        let now = Instant::now();
        if player.picture(now).is_some_and(|picture| enough(&picture)) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{:?}", player.state());
        let next = player.next_change(now).unwrap_or(now + Duration::from_millis(2));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

#[test]
fn another_tier_is_shown_where_it_begins_and_going_back_shows_the_old_one() {
    let (large, small) = (
        Clip::make(MOVING, 2),
        Clip::make(&MOVING.replace("1280x720", "640x360"), 2),
    );
    let player = Player::new();
    let _device = Null::open(&player, |_, _| {});
    let plays = large.plays().into_iter().chain(small.plays());
    plays.for_each(|play| player.push(play));
    let (mut heights, mut last) = (Vec::new(), -1);
    look_until(&player, |picture| {
        assert!(picture.pts >= last, "the line only grows");
        last = picture.pts;
        heights.push(picture.height);
        picture.height == 360 && picture.pts > 3 * SECOND
    });
    heights.dedup();
    assert_eq!(heights, [720, 360]);
    player.back(Duration::from_secs(2));
    look_until(&player, |picture| picture.height == 720);
    let state = player.state();
    assert!(!state.live && state.error.is_none(), "{state:?}");
    let shown = player.picture(Instant::now()).unwrap().pts;
    assert!(
        (last - 2 * SECOND - shown).abs() < SECOND / 2,
        "{shown} after {last}"
    );
}

#[test]
fn a_picture_that_cannot_be_shown_is_told_in_words_and_sound_goes_on() {
    let clip = Clip::coded(MOVING, 3, "-c:v libx264rgb");
    let player = Player::new();
    let loud = Arc::new(AtomicU32::new(0));
    let heard = loud.clone();
    let _device = Null::open(&player, move |samples, _| {
        let is_loud = samples.iter().any(|sample| sample.abs() > 0.05);
        heard.fetch_add(u32::from(is_loud), Ordering::Relaxed);
    });
    clip.plays().into_iter().for_each(|play| player.push(play));
    let begin = Instant::now();
    // A hundred times 10 ms.
    while loud.load(Ordering::Relaxed) < 100 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", player.state());
        std::thread::sleep(Duration::from_millis(10));
    }
    let state = player.state();
    assert!(
        state
            .error
            .as_ref()
            .is_some_and(|why| why.contains("cannot show")),
        "{state:?}"
    );
    assert!(player.picture(Instant::now()).is_none());
}
