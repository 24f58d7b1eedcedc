//! A player and its thread.

use super::machine::{Machine, State};
use super::work;
use banyan_media::decode::Picture;
use banyan_protocol::io::Play;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Plays a stream: packets in, pictures and sound out. Clones are the same player; its thread ends with the last one.
///
/// Nothing here waits for a decoder: the lock inside is held for microseconds at a time.
#[derive(Clone)]
pub struct Player {
    shared: Arc<Shared>,
    /// Ends the thread when the last clone goes.
    _running: Arc<Running>,
}

/// What a sound device plays.
pub struct SoundSource {
    shared: Arc<Shared>,
    number: u64,
    /// The loudness at the end of what was filled last: changes are spread, so that nothing clicks.
    gain: f32,
}

/// What player, thread and sound share.
pub(super) struct Shared {
    machine: Mutex<Machine>,
    /// There may be something to decode.
    pub(super) news: Condvar,
    pub(super) ends: AtomicBool,
    /// Told when the screen has to look again.
    on_change: Mutex<Option<OnChange>>,
    /// Bits of an `f32`.
    volume: AtomicU32,
    muted: AtomicBool,
    /// The number of the only source that is filled: the newest.
    source: AtomicU64,
}

type OnChange = Arc<dyn Fn() + Send + Sync>;

struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let _machine = self.0.machine();
        self.0.ends.store(true, Ordering::Relaxed);
        self.0.news.notify_all();
    }
}

impl Shared {
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().expect("the machine does not panic")
    }

    /// Does something with the machine; then tells the decoder, and the screen if it has to look.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let mut machine = self.machine();
        let result = act(&mut machine, Instant::now());
        let changed = machine.take_changed();
        drop(machine);
        self.news.notify_one();
        if changed {
            self.tell();
        }
        result
    }

    fn tell(&self) {
        let on_change = self
            .on_change
            .lock()
            .expect("nobody panics while setting it")
            .clone();
        if let Some(on_change) = on_change {
            on_change();
        }
    }

    fn gain(&self) -> f32 {
        if self.muted.load(Ordering::Relaxed) {
            return 0.0;
        }
        f32::from_bits(self.volume.load(Ordering::Relaxed))
    }
}

impl Player {
    /// A player that waits for something to play.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn new() -> Self {
        let shared = Arc::new(Shared {
            machine: Mutex::new(Machine::new()),
            news: Condvar::new(),
            ends: AtomicBool::new(false),
            on_change: Mutex::new(None),
            volume: AtomicU32::new(1.0_f32.to_bits()),
            muted: AtomicBool::new(false),
            source: AtomicU64::new(0),
        });
        let thread = shared.clone();
        std::thread::Builder::new()
            .name("decoder".into())
            .spawn(move || work::run(&thread))
            .expect("the system gives a thread");
        Self {
            _running: Arc::new(Running(shared.clone())),
            shared,
        }
    }

    /// Calls `on_change`, from any thread, when a picture has to be looked for before
    /// [`next_change`](Self::next_change), or the [`state`](Self::state) changed by itself. It must not call the player.
    pub fn on_change(&self, on_change: impl Fn() + Send + Sync + 'static) {
        let mut held = self
            .shared
            .on_change
            .lock()
            .expect("nobody panics while setting it");
        *held = Some(Arc::new(on_change));
    }

    /// Takes in what is played. Never waits; keeps the last minute, at most 64 MiB.
    pub fn push(&self, play: Play) {
        self.shared.with(|machine, now| machine.push(now, play));
    }

    /// Stops picture and sound where they are. What comes is kept meanwhile.
    pub fn pause(&self) {
        self.shared.with(|machine, now| machine.pause(now));
    }

    /// Goes on after a pause: from where it stood, or the oldest that is kept.
    pub fn resume(&self) {
        self.shared.with(|machine, now| machine.resume(now));
    }

    /// Goes back by `by`, or as far as what is kept reaches.
    pub fn back(&self, by: Duration) {
        self.shared.with(|machine, now| machine.back(now, by));
    }

    /// Goes to the live edge and follows it; ends a pause.
    pub fn live(&self) {
        self.shared.with(|machine, now| machine.live(now));
    }

    /// The picture to show at `now`.
    pub fn picture(&self, now: Instant) -> Option<Arc<Picture>> {
        self.shared.with(|machine, _| machine.picture(now))
    }

    /// When another picture is to be shown, if nothing else happens; `None` if that is not known.
    pub fn next_change(&self, _now: Instant) -> Option<Instant> {
        self.shared.machine().next_change()
    }

    /// How it is doing.
    pub fn state(&self) -> State {
        self.shared.machine().state(Instant::now())
    }

    /// How loud, 0 to 1; how loud that is to the ear is the caller's to choose.
    pub fn set_volume(&self, volume: f32) {
        let volume = volume.clamp(0.0, 1.0);
        self.shared.volume.store(volume.to_bits(), Ordering::Relaxed);
    }

    /// How loud, 0 to 1, if not muted.
    pub fn volume(&self) -> f32 {
        f32::from_bits(self.shared.volume.load(Ordering::Relaxed))
    }

    /// Silences it, or no longer.
    pub fn mute(&self, muted: bool) {
        self.shared.muted.store(muted, Ordering::Relaxed);
    }

    /// Whether it is silenced.
    pub fn is_muted(&self) -> bool {
        self.shared.muted.load(Ordering::Relaxed)
    }

    /// What a sound device is to play. From now on earlier sources are silent.
    pub fn sound(&self) -> SoundSource {
        self.shared.with(|machine, _| machine.other_device());
        SoundSource {
            number: self.shared.source.fetch_add(1, Ordering::Relaxed) + 1,
            shared: self.shared.clone(),
            gain: self.shared.gain(),
        }
    }
}

impl Default for Player {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Player {
    /// Whether they are the same player.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Player({:?})", self.state().phase)
    }
}

impl fmt::Debug for SoundSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoundSource({})", self.number)
    }
}

impl SoundSource {
    /// Fills a device's buffer: `channels` interleaved samples a frame, `rate` frames a second, of which the first is heard
    /// at `plays_at`. May be called from a sound callback: it waits for no more than microseconds.
    pub fn fill(&mut self, out: &mut [f32], channels: usize, rate: u32, plays_at: Instant) {
        out.fill(0.0);
        let is_newest = self.shared.source.load(Ordering::Relaxed) == self.number;
        if channels == 0 || rate == 0 || !is_newest {
            return;
        }
        let frames = out.len() / channels;
        let (from, to) = (self.gain, self.shared.gain());
        self.gain = to;
        let put = |frame: usize, [left, right]: [f32; 2]| {
            let gain = from + (to - from) * frame as f32 / frames as f32;
            place(
                &mut out[frame * channels..][..channels],
                gain * left,
                gain * right,
            );
        };
        self.shared
            .with(|machine, now| machine.fill(now, (frames, rate), plays_at, put));
    }
}

/// Left and right to a device's channels: one gets both, and those past the second nothing.
fn place(frame: &mut [f32], left: f32, right: f32) {
    match frame {
        [one] => *one = (left + right) / 2.0,
        [first, second, ..] => (*first, *second) = (left, right),
        [] => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::Phase;

    #[test]
    fn one_channel_gets_both_and_more_than_two_only_two() {
        let placed = |mut frame: Vec<f32>| {
            place(&mut frame, 0.5, -0.25);
            frame
        };
        assert_eq!(placed(vec![0.0]), [0.125]);
        assert_eq!(placed(vec![0.0; 2]), [0.5, -0.25]);
        assert_eq!(placed(vec![0.0; 6]), [0.5, -0.25, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_player_without_a_stream_waits_and_is_silent() {
        let player = Player::new();
        let mut out = [1.0; 96];
        player.sound().fill(&mut out, 2, 48_000, Instant::now());
        assert_eq!(out, [0.0; 96]);
        player.back(Duration::from_secs(5));
        player.pause();
        player.live();
        assert_eq!(player.state().phase, Phase::Waiting);
        assert!(player.picture(Instant::now()).is_none() && player.next_change(Instant::now()).is_none());
    }

    #[test]
    fn the_thread_ends_with_the_last_clone() {
        let player = Player::new();
        let shared = Arc::downgrade(&player.shared);
        let clone = player.clone();
        drop(player);
        assert!(shared.upgrade().is_some());
        drop(clone);
        while shared.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
