//! The desktop's screen saver, by the [idle inhibition interface]. `keepawake` does the same, and panics when it takes back a wish
//! of a screen saver that has gone meanwhile, as it does with a desktop that restarts its shell.
//!
//! [idle inhibition interface]: https://people.freedesktop.org/~hadess/idle-inhibition-spec/re01.html

use zbus::blocking::{Connection, Proxy};

/// What it is called, and what it does.
const SERVICE: &str = "org.freedesktop.ScreenSaver";

/// Where it is.
const PATH: &str = "/org/freedesktop/ScreenSaver";

/// The screen saver is asked to wait, for as long as this is kept.
pub(super) struct Saver {
    service: Proxy<'static>,
    wish: u32,
}

impl Saver {
    /// Asks on the session's bus.
    pub(super) fn inhibit(name: &str, reason: &str) -> zbus::Result<Self> {
        let service = Proxy::new(&Connection::session()?, SERVICE, PATH, SERVICE)?;
        let wish = service.call("Inhibit", &(name, reason))?;
        Ok(Self { service, wish })
    }
}

impl Drop for Saver {
    /// One that has gone keeps no screen awake.
    fn drop(&mut self) {
        let taken_back: zbus::Result<()> = self.service.call("UnInhibit", &(self.wish,));
        if let Err(error) = taken_back {
            tracing::debug!(%error, "the screen saver has gone");
        }
    }
}
