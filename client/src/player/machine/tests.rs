use super::*;
use banyan_media::decode::{Matrix, Plane, Planes, Range, Sampling};
use banyan_protocol::media::{Codec, Packet, TierId};
use bytes::Bytes;

/// A picture at 25 a second.
const FRAME: i64 = SECOND / 25;

/// Sound frames in a packet of sound, which is as long as a picture.
const SOUND: usize = RATE as usize / 25;

/// What a device asks for at once, and how long before it is heard.
const CALLBACK: Duration = Duration::from_millis(10);
const LATENCY: Duration = Duration::from_millis(30);

/// A picture of one grey at this time.
pub(in crate::player) fn picture(pts: i64) -> Picture {
    let plane = Plane {
        data: Bytes::from_static(&[128]),
        stride: 1,
        width: 1,
        height: 1,
    };
    Picture {
        pts,
        width: 1,
        height: 1,
        aspect: 1.0,
        planes: Planes::Three([plane.clone(), plane.clone(), plane]),
        sampling: Sampling::BYTE,
        matrix: Matrix::Bt601,
        range: Range::Limited,
    }
}

fn tracks() -> Play {
    let video = Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 16,
            height: 16,
            frames_per_1000s: 25_000,
        },
        setup: Bytes::new(),
    };
    let audio = Track {
        codec: Codec::Aac,
        kind: Kind::Audio {
            sample_rate: RATE,
            channels: 2,
        },
        setup: Bytes::new(),
    };
    Play::Tracks {
        tier: TierId(0),
        tracks: [video, audio].into(),
    }
}

fn packet(track: u8, number: i64) -> Play {
    Play::Packet(Packet {
        track,
        pts: number * FRAME,
        dts: number * FRAME,
        duration: FRAME as u32,
        keyframe: track == 1 || number % 50 == 0,
        data: Bytes::from_static(&[0; 100]),
    })
}

/// A world around a machine: packets come in bursts, a decoder that takes no time, a device, and a screen.
struct World {
    machine: Machine,
    start: Instant,
    now: Instant,
    /// Pictures that came.
    come: i64,
    /// Whether packets come.
    flows: bool,
    device: bool,
    /// How often the device asks.
    callback: Duration,
    next_callback: Instant,
    /// Each change of the screen: when, and which picture.
    shown: Vec<(Instant, i64)>,
    /// Each callback that had sound: when it is heard, and the time on the line of its first frame.
    heard: Vec<(Instant, i64)>,
}

impl World {
    fn new(device: bool) -> Self {
        let start = Instant::now();
        let mut machine = Machine::new();
        machine.push(start, tracks());
        Self {
            machine,
            start,
            now: start,
            come: 0,
            flows: true,
            device,
            callback: CALLBACK,
            next_callback: start,
            shown: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// A millisecond at a time.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += Duration::from_millis(1);
            self.receive();
            self.decode();
            self.play();
            self.look();
        }
    }

    /// A block each 100 ms holds what was captured in them.
    fn receive(&mut self) {
        let ms = (self.now - self.start).as_millis() as i64;
        while self.flows && ms % 100 == 0 && self.come * FRAME < ticks(Duration::from_millis(ms as u64)) {
            self.machine.push(self.now, packet(0, self.come));
            self.machine.push(self.now, packet(1, self.come));
            self.come += 1;
        }
    }

    fn decode(&mut self) {
        while let Some(work) = self.machine.work(self.now) {
            let pts = work.item.packet.pts;
            match work.medium {
                Medium::Picture => self.machine.pictures(self.now, work.run, vec![picture(pts)]),
                Medium::Sound => self
                    .machine
                    .sounds(self.now, work.run, vec![sound(pts, work.stretch)]),
            }
        }
    }

    fn play(&mut self) {
        if !self.device || self.now < self.next_callback {
            return;
        }
        self.next_callback += self.callback;
        let frames = RATE as usize / 100;
        let asked = self.next_callback - self.callback;
        let (plays_at, mut first) = (asked + LATENCY, None);
        self.machine
            .fill(self.now, (frames, RATE), plays_at, |frame, [left, _]| {
                first.get_or_insert((
                    plays_at + Duration::from_micros(frame as u64 * 1_000_000 / RATE as u64),
                    left as i64,
                ));
            });
        self.heard.extend(first);
    }

    fn look(&mut self) {
        let picture = self.machine.picture(self.now);
        let pts = picture.map(|picture| picture.pts);
        if let Some(pts) = pts.filter(|pts| self.shown.last().is_none_or(|(_, last)| last != pts)) {
            self.shown.push((self.now, pts));
        }
    }

    fn state(&self) -> State {
        self.machine.state(self.now)
    }

    /// The most that picture and sound were apart since the `from`th picture, in milliseconds.
    fn apart_ms(&self, from: usize) -> f64 {
        let off = self.shown[from..].iter().filter_map(|&(when, pts)| {
            let (heard_at, time) = self.heard.iter().rev().find(|(heard_at, _)| *heard_at <= when)?;
            let sound = time + ticks(when - *heard_at);
            Some((sound - pts).abs() as f64 / 90.0)
        });
        off.fold(0.0, f64::max)
    }
}

/// Each frame of sound has its time on the line as its value, in steps that an `f32` holds.
fn sound(pts: i64, stretch: f32) -> Samples {
    let frames = (SOUND as f32 * (1.0 - stretch)) as usize;
    let at = |frame: usize| (pts + frame as i64 * FRAME / frames as i64) as f32;
    Samples {
        pts,
        ticks: FRAME,
        data: (0..frames).flat_map(|frame| [at(frame), at(frame)]).collect(),
    }
}

#[test]
fn live_it_plays_evenly_and_in_step_a_little_behind() {
    let mut world = World::new(true);
    world.run(20_000);
    let state = world.state();
    assert_eq!(
        (state.phase, state.live, state.dropped),
        (Phase::Playing, true, 0)
    );
    assert!(
        state.behind_live < Duration::from_millis(500),
        "{:?}",
        state.behind_live
    );
    let playing = world.shown.iter().skip(2).collect::<Vec<_>>();
    assert!(
        playing.windows(2).all(|two| two[1].1 - two[0].1 == FRAME),
        "no picture is left out"
    );
    let even = |two: &[&(Instant, i64)]| (38..=42).contains(&(two[1].0 - two[0].0).as_millis());
    assert!(
        playing.windows(2).all(even),
        "each is shown as long as the others"
    );
    assert!(world.apart_ms(2) <= 5.0, "{} ms", world.apart_ms(2));
    let told = state.lip_sync_ms.unwrap();
    assert!(told.abs() <= 5.0, "{told} ms");
}

#[test]
fn without_a_device_pictures_go_on_by_the_machine_s_clock() {
    let mut world = World::new(false);
    world.run(10_000);
    let state = world.state();
    assert_eq!(
        (state.phase, state.dropped, state.lip_sync_ms),
        (Phase::Playing, 0, None)
    );
    assert!(world.shown.len() > 235, "{} pictures", world.shown.len());
}

#[test]
fn a_device_that_comes_later_begins_in_step() {
    let mut world = World::new(false);
    world.run(5_000);
    world.device = true;
    world.next_callback = world.now;
    let from = world.shown.len();
    world.run(5_000);
    assert!(
        world.heard.len() > 490,
        "{} callbacks with sound",
        world.heard.len()
    );
    assert!(world.apart_ms(from + 2) <= 5.0, "{} ms", world.apart_ms(from + 2));
    assert_eq!(world.state().dropped, 0);
}

#[test]
fn a_device_that_goes_away_and_comes_back_begins_in_step_again() {
    let mut world = World::new(true);
    world.run(5_000);
    world.device = false;
    world.run(4_000);
    assert_eq!(world.state().lip_sync_ms, None);
    world.device = true;
    world.next_callback = world.now;
    let from = world.shown.len();
    world.run(3_000);
    assert!(
        world.shown[from - 50..]
            .windows(2)
            .all(|two| two[1].1 - two[0].1 == FRAME),
        "nothing jumps"
    );
    assert!(world.apart_ms(from + 2) <= 5.0, "{} ms", world.apart_ms(from + 2));
}

#[test]
fn a_device_whose_crystal_is_fast_is_followed_without_a_stop() {
    let mut world = World::new(true);
    // A thousandth: twenty times what crystals are off by.
    world.callback = CALLBACK - Duration::from_micros(10);
    world.run(120_000);
    let state = world.state();
    assert_eq!((state.phase, state.dropped), (Phase::Playing, 0));
    assert!(world.apart_ms(2) <= 10.0, "{} ms", world.apart_ms(2));
    assert!(state.behind_live > Duration::from_millis(30), "{state:?}");
}

#[test]
fn a_pause_holds_everything_and_live_is_a_jump_away() {
    let mut world = World::new(true);
    world.run(5_000);
    world.machine.pause(world.now);
    let (shown, heard) = (world.shown.len(), world.heard.len());
    world.run(3_000);
    assert_eq!(
        (world.shown.len(), world.heard.len()),
        (shown, heard),
        "nothing moves"
    );
    world.machine.resume(world.now);
    world.run(2_000);
    let state = world.state();
    assert!(
        !state.live && state.behind_live > Duration::from_secs(3),
        "{state:?}"
    );
    assert_eq!(
        world.shown[shown].1 - world.shown[shown - 1].1,
        FRAME,
        "it goes on where it stood"
    );
    assert!(
        world.apart_ms(shown + 1) <= 5.0,
        "{} ms",
        world.apart_ms(shown + 1)
    );
    world.machine.live(world.now);
    world.run(1_000);
    let state = world.state();
    assert!(
        state.live && state.behind_live < Duration::from_millis(500),
        "{state:?}"
    );
    assert_eq!(state.dropped, 0);
}

#[test]
fn a_pause_while_it_gathers_ends_too() {
    let mut world = World::new(true);
    world.run(3_000);
    world.flows = false;
    world.run(400);
    world.machine.pause(world.now);
    world.flows = true;
    world.run(2_000);
    world.machine.resume(world.now);
    let shown = world.shown.len();
    world.run(1_000);
    assert!(world.shown.len() > shown + 20, "{:?}", world.state());
}

#[test]
fn going_back_shows_the_very_place() {
    let mut world = World::new(true);
    world.run(20_000);
    let at = world.shown.last().unwrap().1;
    world.machine.back(world.now, Duration::from_secs(7));
    let from = world.shown.len();
    world.run(2_000);
    let first = world.shown[from].1;
    assert!(
        (at - 7 * SECOND - FRAME..=at - 7 * SECOND + FRAME).contains(&first),
        "{}",
        at - first
    );
    assert!(world.apart_ms(from + 2) <= 5.0);
    world.machine.back(world.now, Duration::from_secs(600));
    world.run(100);
    assert_eq!(world.shown.last().unwrap().1 / SECOND, 0, "as far as there is");
    assert_eq!(world.state().dropped, 0);
}

#[test]
fn when_nothing_comes_it_stands_and_then_plays_on_with_more_in_hand() {
    let mut world = World::new(true);
    world.run(5_000);
    let wished = world.machine.margin.wished();
    world.flows = false;
    world.run(2_000);
    assert_eq!(world.state().phase, Phase::Buffering);
    let at = world.shown.last().unwrap().1;
    world.flows = true;
    let from = world.shown.len();
    world.run(2_000);
    assert_eq!(world.state().phase, Phase::Playing);
    assert!(world.machine.margin.wished() > wished);
    let after = &world.shown[from..];
    assert_eq!(after[0].1 - at, FRAME, "nothing is left out");
    assert!(world.apart_ms(from + 1) <= 5.0, "{} ms", world.apart_ms(from + 1));
}

#[test]
fn after_a_long_pause_it_goes_on_with_the_oldest() {
    let mut world = World::new(true);
    world.run(2_000);
    world.machine.pause(world.now);
    let shown = world.shown.len();
    world.run(90_000);
    assert_eq!(world.shown.len(), shown, "the picture stands");
    world.machine.resume(world.now);
    world.run(500);
    let state = world.state();
    assert_eq!(state.phase, Phase::Playing);
    assert!(state.held < Duration::from_secs(2), "{state:?}");
}

#[test]
fn a_window_that_nobody_looks_at_shows_the_present_when_it_is_seen_again() {
    let mut world = World::new(true);
    world.run(3_000);
    for _ in 0..20_000 {
        world.now += Duration::from_millis(1);
        world.receive();
        world.decode();
        world.play();
    }
    world.run(200);
    assert!(
        world.apart_ms(world.shown.len() - 2) <= 5.0,
        "{:?}",
        world.state()
    );
    assert_eq!(world.state().phase, Phase::Playing);
}

#[test]
fn another_rate_of_the_device_begins_sound_anew_and_nothing_else() {
    let mut world = World::new(true);
    world.run(3_000);
    let shown = world.shown.len();
    let old = world.machine.runs[Medium::Sound as usize];
    world
        .machine
        .fill(world.now, (441, 44_100), world.now + LATENCY, |_, _| {});
    let work = world.machine.work(world.now).unwrap();
    assert_eq!((work.medium, work.rate), (Medium::Sound, 44_100));
    let before = world.machine.sounds.end();
    world.machine.sounds(world.now, old, vec![sound(0, 0.0)]);
    assert_eq!(
        world.machine.sounds.end(),
        before,
        "what was decoded for the old rate is thrown away"
    );
    world.device = false;
    world.run(1_000);
    assert!(world.shown.len() >= shown + 24);
}

#[test]
fn what_cannot_be_decoded_is_told_and_the_other_goes_on() {
    let mut world = World::new(true);
    for _ in 0..5_000 {
        world.now += Duration::from_millis(1);
        world.receive();
        while let Some(work) = world.machine.work(world.now) {
            match work.medium {
                Medium::Picture => world.machine.failed(Medium::Picture, "no such decoder".into()),
                Medium::Sound => {
                    let piece = sound(work.item.packet.pts, work.stretch);
                    world.machine.sounds(world.now, work.run, vec![piece]);
                }
            }
        }
        world.play();
    }
    assert_eq!(world.state().error.as_deref(), Some("no such decoder"));
    assert!(
        world.heard.len() > 430,
        "{} callbacks with sound",
        world.heard.len()
    );
}
