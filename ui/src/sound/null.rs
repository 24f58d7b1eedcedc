//! A device that nobody hears: takes sound in real time, and shows it to whoever listens. For machines and tests without
//! one.

use banyan::player::{Player, SoundSource};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Channels that it takes.
pub const CHANNELS: usize = 2;

/// Frames a second that it takes.
pub const RATE: u32 = 48_000;

/// Frames that it takes at once: 10 ms.
const FRAMES: usize = RATE as usize / 100;

/// How long after it takes them it plays them, as devices do.
const LATENCY: Duration = Duration::from_millis(30);

/// A device that takes a player's sound, for as long as this is kept.
pub struct Null {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Null {
    /// Takes sound from now on. `listen` gets samples, left and right in turn, and when the first would be heard.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn open(player: &Player, listen: impl FnMut(&[f32], Instant) + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (source, told) = (player.sound(), ends.clone());
        let thread = std::thread::Builder::new()
            .name("sound".into())
            .spawn(move || take(source, &told, listen))
            .expect("the system gives a thread");
        Self {
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for Null {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A crystal's pace: what is late is caught up with, so that no sample is ever left out.
fn take(mut source: SoundSource, ends: &AtomicBool, mut listen: impl FnMut(&[f32], Instant)) {
    let mut samples = [0.0; FRAMES * CHANNELS];
    let mut next = Instant::now();
    while !ends.load(Ordering::Relaxed) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let plays_at = next + LATENCY;
        source.fill(&mut samples, CHANNELS, RATE, plays_at);
        listen(&samples, plays_at);
        next += Duration::from_nanos(FRAMES as u64 * 1_000_000_000 / u64::from(RATE));
    }
}
