//! An input looked at before it goes on the air: opened as a broadcast opens it, played here, and sent nowhere.

use super::broadcast;
use super::monitor::Monitor;
use crate::config;
use crate::error::Error;
use crate::player::Player;
use banyan_media::ingest::{Ingest, IngestEvent, Stopper};
use std::thread::JoinHandle;

/// An input that is looked at, for as long as this is kept. Dropped, it lets go of the input, within about 200 ms.
pub struct Preview {
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Preview {
    /// Opens the input of `config` and plays it into `player`. `tell` gets why nothing comes, as a sentence, and nothing when
    /// something does.
    ///
    /// # Errors
    /// If the input cannot be used.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn open(
        config: &config::Broadcast,
        player: Player,
        tell: impl Fn(Option<String>) + Send + 'static,
    ) -> Result<Self, Error> {
        let input = broadcast::open(config)?;
        let stopper = input.stopper();
        let thread = std::thread::Builder::new()
            .name("preview".into())
            .spawn(move || follow(&input, Monitor::new(player), tell));
        Ok(Self {
            stopper,
            thread: Some(thread.expect("the system gives a thread")),
        })
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn follow(input: &Ingest, mut monitor: Monitor, tell: impl Fn(Option<String>)) {
    for event in input.events() {
        monitor.see(&event);
        match event {
            IngestEvent::Tiers(_) | IngestEvent::Resumed => tell(None),
            IngestEvent::Paused(why) | IngestEvent::Ended(why) => tell(Some(why)),
            IngestEvent::Failed(error) => tell(Some(error.to_string())),
            IngestEvent::Packet { .. } | IngestEvent::Discontinuity | IngestEvent::Warning(_) => {}
        }
    }
}
