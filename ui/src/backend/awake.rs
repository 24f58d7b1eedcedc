//! A screen that stays awake while somebody watches.

use keepawake::KeepAwake;
use std::sync::{Arc, Mutex, PoisonError};

/// Whether the screen is kept awake. Asking the desktop takes a moment, so it is done aside.
#[derive(Default)]
pub(super) struct Awake(Arc<Mutex<Option<KeepAwake>>>);

impl Awake {
    /// Keeps it awake, or lets it sleep again. A desktop that cannot be asked is none that puts screens to sleep, or nothing is
    /// to be done about it.
    pub(super) fn keep(&self, awake: bool) {
        let kept = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = awake.then(ask).flatten();
        });
    }
}

fn ask() -> Option<KeepAwake> {
    let mut wish = keepawake::Builder::default();
    wish.display(true).idle(true);
    wish.reason("A channel is watched")
        .app_name("Banyan")
        .app_reverse_domain("org.banyan.tv");
    let asked = wish.create();
    asked
        .inspect_err(|error| tracing::debug!(%error, "the screen may sleep"))
        .ok()
}
