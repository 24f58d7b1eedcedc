//! A screen that stays awake while somebody watches.

use keepawake::{Builder, KeepAwake};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether the screen is kept awake. Asking the desktop takes a moment, so it is done aside.
#[derive(Default)]
pub(super) struct Awake(Arc<Screen>);

#[derive(Default)]
struct Screen {
    is_wanted: AtomicBool,
    kept: Mutex<Vec<KeepAwake>>,
}

impl Awake {
    /// Keeps it awake, or lets it sleep again. A desktop that cannot be asked is none that puts screens to sleep, or nothing is
    /// to be done about it.
    pub(super) fn keep(&self, awake: bool) {
        self.0.is_wanted.store(awake, Ordering::Relaxed);
        let screen = self.0.clone();
        tokio::task::spawn_blocking(move || screen.as_wanted());
    }
}

impl Screen {
    /// As it is wanted by now: a later wish may overtake an earlier one on its way here.
    fn as_wanted(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match self.is_wanted.load(Ordering::Relaxed) {
            true if kept.is_empty() => *kept = ask(),
            true => {}
            false => kept.clear(),
        }
    }
}

/// The desktop's screen saver and the system's idleness are asked for apart: many machines have only one of them, and a wish
/// for both is granted by neither where one is missing.
fn ask() -> Vec<KeepAwake> {
    let (mut screen, mut system) = (Builder::default(), Builder::default());
    screen.display(true);
    system.idle(true);
    [screen, system].into_iter().filter_map(granted).collect()
}

fn granted(mut wish: Builder) -> Option<KeepAwake> {
    wish.reason("A channel is watched")
        .app_name("Banyan")
        .app_reverse_domain("org.banyan.tv");
    let asked = wish.create();
    asked
        .inspect_err(|error| tracing::debug!(%error, "the screen may sleep"))
        .ok()
}
