//! A desktop's session bus, with a screen saver on it that can be asked to wait.

use super::{Program, first_line};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use zbus::blocking::{Connection, connection};

/// A session's bus as it is everywhere, but that it starts none of the system's services.
const CONFIG: &str = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context='default'>\
     <allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>";

/// What the screen saver was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To let the screen be, with this name for the wish.
    Inhibit(u32),
    /// To forget the wish of this name.
    UnInhibit(u32),
}

/// What stands on the bus.
struct ScreenSaver {
    said: mpsc::Sender<Asked>,
    wishes: u32,
}

#[zbus::interface(name = "org.freedesktop.ScreenSaver")]
impl ScreenSaver {
    fn inhibit(&mut self, application_name: &str, reason_for_inhibit: &str) -> u32 {
        assert!(!application_name.is_empty() && !reason_for_inhibit.is_empty());
        self.wishes += 1;
        self.say(Asked::Inhibit(self.wishes));
        self.wishes
    }

    fn un_inhibit(&self, cookie: u32) {
        self.say(Asked::UnInhibit(cookie));
    }
}

impl ScreenSaver {
    fn say(&self, asked: Asked) {
        self.said.send(asked).expect("the test listens");
    }
}

/// A bus of its own, which ends with the test.
pub(crate) struct Bus {
    address: String,
    heard: mpsc::Receiver<Asked>,
    saver: Connection,
    _daemon: Program,
}

impl Bus {
    /// One with a screen saver and nothing else, with its files in this folder. Needs dbus-daemon.
    pub(crate) fn new(home: &Path) -> Self {
        let config = home.join("bus.conf");
        std::fs::write(&config, CONFIG).expect("a file can be made in a temporary folder");
        let mut daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--print-address", "--config-file"])
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed");
        let address = first_line(&mut daemon);
        let (said, heard) = mpsc::channel();
        let saver = connection::Builder::address(address.as_str())
            .and_then(|bus| bus.name("org.freedesktop.ScreenSaver"))
            .and_then(|bus| bus.serve_at("/org/freedesktop/ScreenSaver", ScreenSaver { said, wishes: 0 }))
            .and_then(connection::Builder::build);
        Self {
            address,
            heard,
            saver: saver.expect("the bus takes it"),
            _daemon: Program(daemon),
        }
    }

    /// Where programs find it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The screen saver leaves the bus.
    pub(crate) fn saver_goes(&self) {
        self.saver.clone().close().expect("it is there");
    }

    /// What the screen saver is asked next.
    pub(crate) fn asked(&self, within: Duration) -> Asked {
        self.heard
            .recv_timeout(within)
            .expect("the screen saver is asked something")
    }
}
