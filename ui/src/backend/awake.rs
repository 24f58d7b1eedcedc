//! A screen that stays awake while somebody watches.

mod saver;

use keepawake::{Builder, KeepAwake};
use saver::Saver;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the desktop shows to whoever asks why the screen stays awake.
const REASON: &str = "A channel is watched";

/// Who wants it.
const NAME: &str = "org.banyan.tv";

/// Whether the screen is kept awake. Asking the desktop takes a moment, so it is done aside.
#[derive(Default)]
pub(super) struct Awake(Arc<Screen>);

#[derive(Default)]
struct Screen {
    is_wanted: AtomicBool,
    wishes: Mutex<Option<Wishes>>,
}

/// The desktop's screen saver and the system's idleness are asked for apart: many machines have only one of them, and a wish
/// for both is granted by neither where one is missing. Dropped, they are taken back.
struct Wishes {
    _screen: Option<Saver>,
    _system: Option<KeepAwake>,
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
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        match self.is_wanted.load(Ordering::Relaxed) {
            true if wishes.is_none() => *wishes = Some(ask()),
            true => {}
            false => *wishes = None,
        }
    }
}

fn ask() -> Wishes {
    Wishes {
        _screen: granted(Saver::inhibit(NAME, REASON)),
        _system: granted(system()),
    }
}

fn system() -> Result<KeepAwake, keepawake::Error> {
    let mut system = Builder::default();
    system.idle(true).reason(REASON).app_name("Banyan");
    system.app_reverse_domain(NAME).create()
}

fn granted<T, E: std::fmt::Display>(wish: Result<T, E>) -> Option<T> {
    wish.inspect_err(|error| tracing::debug!(%error, "the screen may sleep"))
        .ok()
}
