//! The device that the system takes for its default.

use banyan::player::{Player, SoundSource};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    Device, Error, ErrorKind, FromSample, OutputCallbackInfo, SampleFormat, SizedSample, Stream, StreamConfig,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a device is looked for while there is none that works.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is said where there is none.
const NONE: &str = "There is no sound device; the picture plays without sound. Plug one in, and it is used.";

/// What waits to be told to the thread: one reason to look again is enough.
const NEWS_MAX: usize = 1;

/// A player's sound, for as long as this is kept.
pub struct Output {
    news: SyncSender<News>,
    ends: Arc<AtomicBool>,
    trouble: Trouble,
}

/// Why nothing is heard.
type Trouble = Arc<Mutex<Option<String>>>;

enum News {
    /// The device does not work any more.
    Broke(String),
    /// No sound is wanted any more.
    End,
}

impl Output {
    /// Plays on the default device, now or as soon as there is one. Never fails: see [`trouble`](Self::trouble).
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn open(player: &Player) -> Self {
        let (news, told) = sync_channel(NEWS_MAX);
        let (trouble, ends) = (Trouble::default(), Arc::<AtomicBool>::default());
        let keeper = Keeper {
            player: player.clone(),
            news: news.clone(),
            ends: ends.clone(),
            trouble: trouble.clone(),
        };
        // The streams of some systems may not leave the thread that opened them.
        std::thread::Builder::new()
            .name("sound".into())
            .spawn(move || keeper.run(&told))
            .expect("the system gives a thread");
        Self { news, ends, trouble }
    }

    /// Why nothing is heard, as a sentence for the person; `None` if all is well.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().expect("nobody panics while telling").clone()
    }
}

impl Drop for Output {
    /// Does not wait for the device, which may take its time.
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // If something waits already, the thread wakes for that.
        let _ = self.news.try_send(News::End);
    }
}

/// Keeps a stream open.
struct Keeper {
    player: Player,
    news: SyncSender<News>,
    ends: Arc<AtomicBool>,
    trouble: Trouble,
}

impl Keeper {
    fn run(self, told: &Receiver<News>) {
        while !self.ends.load(Ordering::Relaxed) {
            match self.play() {
                Ok(stream) => {
                    self.tell(None);
                    let news = told.recv();
                    drop(stream);
                    match news {
                        Ok(News::Broke(why)) => self.tell(Some(why)),
                        Ok(News::End) | Err(_) => return,
                    }
                }
                Err(why) => self.tell(Some(why)),
            }
            // What an old stream still says is no news.
            if !matches!(
                told.recv_timeout(LOOK_EVERY),
                Err(RecvTimeoutError::Timeout) | Ok(News::Broke(_))
            ) {
                return;
            }
        }
    }

    fn tell(&self, trouble: Option<String>) {
        if let Some(why) = &trouble {
            tracing::debug!(why, "no sound");
        }
        *self.trouble.lock().expect("nobody panics while telling") = trouble;
    }

    /// Opens the default device, and plays.
    fn play(&self) -> Result<Stream, String> {
        let device = cpal::default_host().default_output_device().ok_or(NONE)?;
        let told = device.default_output_config().map_err(|error| unopened(&error))?;
        let stream = self.open(&device, told.sample_format(), told.config())?;
        stream.play().map_err(|error| words(&error))?;
        Ok(stream)
    }

    fn open(&self, device: &Device, format: SampleFormat, config: StreamConfig) -> Result<Stream, String> {
        match format {
            SampleFormat::F32 => self.build::<f32>(device, config),
            SampleFormat::F64 => self.build::<f64>(device, config),
            SampleFormat::I8 => self.build::<i8>(device, config),
            SampleFormat::I16 => self.build::<i16>(device, config),
            SampleFormat::I32 => self.build::<i32>(device, config),
            SampleFormat::U8 => self.build::<u8>(device, config),
            SampleFormat::U16 => self.build::<u16>(device, config),
            SampleFormat::U32 => self.build::<u32>(device, config),
            other => Err(format!(
                "The sound device takes samples as {other} only, which Banyan does not make; the picture plays without \
                 sound. Choose another device in the system's settings."
            )),
        }
    }

    fn build<T: SizedSample + FromSample<f32>>(
        &self,
        device: &Device,
        config: StreamConfig,
    ) -> Result<Stream, String> {
        let mut feed = Feed::new(self.player.sound(), &config);
        let news = self.news.clone();
        let stream = device.build_output_stream(
            config,
            move |out: &mut [T], info: &OutputCallbackInfo| feed.fill(out, info),
            move |error| {
                if is_over(error.kind()) {
                    // One that waits says the same.
                    let _ = news.try_send(News::Broke(words(&error)));
                }
            },
            None,
        );
        stream.map_err(|error| unopened(&error))
    }
}

/// What a device's callback is filled from.
struct Feed {
    source: SoundSource,
    channels: usize,
    rate: u32,
    samples: Vec<f32>,
}

impl Feed {
    fn new(source: SoundSource, config: &StreamConfig) -> Self {
        Self {
            source,
            channels: usize::from(config.channels),
            rate: config.sample_rate,
            samples: Vec::new(),
        }
    }

    fn fill<T: SizedSample + FromSample<f32>>(&mut self, out: &mut [T], info: &OutputCallbackInfo) {
        let times = info.timestamp();
        let plays_at = Instant::now() + times.playback.duration_since(times.callback);
        // As long as ever needed after the first few times.
        self.samples.resize(out.len(), 0.0);
        self.source
            .fill(&mut self.samples, self.channels, self.rate, plays_at);
        for (out, &sample) in out.iter_mut().zip(&self.samples) {
            *out = T::from_sample(sample);
        }
    }
}

/// Whether a stream that says so plays no more.
fn is_over(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged
    )
}

/// Systems that have none still name one, which then cannot be opened.
fn unopened(error: &Error) -> String {
    match error.kind() {
        ErrorKind::DeviceNotAvailable => NONE.into(),
        _ => words(error),
    }
}

fn words(error: &Error) -> String {
    let what = match error.kind() {
        ErrorKind::DeviceBusy => "The sound device is in use by another program".to_string(),
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated => {
            "The sound device is gone".to_string()
        }
        ErrorKind::HostUnavailable => "The system's sound service does not run".to_string(),
        ErrorKind::PermissionDenied => {
            "The sound device may not be used by this program; allow it in the system's settings".to_string()
        }
        _ => format!("The sound device does not work ({error})"),
    };
    format!("{what}; the picture plays without sound, and another try is made every two seconds.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_machine_has_opening_and_closing_are_no_failure() {
        let player = Player::new();
        let output = Output::open(&player);
        drop(output);
        let again = Output::open(&player);
        assert!(again.trouble().is_none_or(|why| why.contains("without sound")));
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        for kind in [
            ErrorKind::DeviceBusy,
            ErrorKind::DeviceNotAvailable,
            ErrorKind::Other,
        ] {
            let told = words(&Error::new(kind));
            assert!(
                told.starts_with("The sound device") && told.contains("without sound"),
                "{told}"
            );
        }
        let none = Error::new(ErrorKind::DeviceNotAvailable);
        assert!(unopened(&none).starts_with("There is no sound device"));
        assert!(!is_over(ErrorKind::Xrun) && is_over(ErrorKind::DeviceNotAvailable));
    }
}
