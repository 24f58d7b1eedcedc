//! A desk of its own for a test: a screen without a monitor, a home folder, and programs that end with it.

mod bus;
mod others;
mod picture;
mod spot;

pub(crate) use bus::Asked;
pub(crate) use picture::Picture;
pub(crate) use spot::{SIZE, Spot};

use banyan_tv::model::{Gravity, Model, samples};
use bus::Bus;
use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often something that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is said where there is no sound device.
const NO_SOUND: &str =
    "There is no sound device; the picture plays without sound. Plug one in, and it is used.";

/// A program that is ended with the test: asked first, so that it leaves cleanly.
pub(crate) struct Program(Child);

impl Program {
    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().expect("it was started").is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A screen, a home folder, and what runs there.
pub(crate) struct Desk {
    home: PathBuf,
    display: String,
    bus: Bus,
    running: RefCell<Vec<Program>>,
    /// How many viewers without a window there were.
    viewers: Cell<usize>,
    /// The last button that stood out and was clicked.
    clicked: Cell<Option<Spot>>,
    _screen: Program,
}

impl Desk {
    /// An empty one. Needs Xvfb and dbus-daemon.
    pub(crate) fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("banyan-tv-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(home.join("run")).expect("a temporary folder can be made");
        let (screen, display) = screen();
        Self {
            display,
            bus: Bus::new(&home),
            home,
            running: Vec::new().into(),
            viewers: 0.into(),
            clicked: None.into(),
            _screen: screen,
        }
    }

    /// The screen's name.
    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    fn command(&self, program: &str) -> Command {
        let app = Path::new(env!("CARGO_BIN_EXE_banyan-tv"));
        let mut command = match program.starts_with("banyan") {
            true => Command::new(app.with_file_name(program)),
            false => Command::new(program),
        };
        command
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", self.home.join("run"))
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
            // As on many machines: nothing there to keep the system from idling.
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null());
        command
    }

    /// The desktop's screen saver ends.
    pub(crate) fn screen_saver_goes(&self) {
        self.bus.saver_goes();
    }

    /// What the app has said on standard error.
    pub(crate) fn app_said(&self) -> String {
        fs::read_to_string(self.home.join("app.err")).expect("it was opened")
    }

    /// What the app's process is called.
    pub(crate) fn app_process(&self) -> u32 {
        let running = self.running.borrow();
        running.last().expect("it was opened last").0.id()
    }

    /// Takes the window away, as minimising does.
    pub(crate) fn hide(&self) {
        self.xdotool(&[
            "search",
            "--onlyvisible",
            "--name",
            "Banyan",
            "windowunmap",
            "--sync",
        ]);
    }

    /// Shows it again.
    pub(crate) fn unhide(&self) {
        self.xdotool(&["search", "--name", "Banyan", "windowmap", "--sync"]);
    }

    /// What the desktop's screen saver is asked next.
    pub(crate) fn asked(&self, within: Duration) -> Asked {
        self.bus.asked(within)
    }

    fn log(&self, name: &str) -> File {
        File::create(self.home.join(name)).expect("a file can be made in a temporary folder")
    }

    /// Keeps a file where the app looks for what is set.
    pub(crate) fn configure(&self, name: &str, text: &str) {
        let folder = self.home.join(".config/banyan");
        fs::create_dir_all(&folder).expect("a folder can be made in a temporary one");
        fs::write(folder.join(name), text).expect("a file can be made in a temporary folder");
    }

    /// What is kept there.
    pub(crate) fn configured(&self, name: &str) -> String {
        fs::read_to_string(self.home.join(".config/banyan").join(name)).expect("it is kept")
    }

    /// Opens the window, and waits until it is there.
    pub(crate) fn app(&self, args: &[&str]) {
        self.app_with(args, &[]);
    }

    /// The same with these variables in its environment.
    pub(crate) fn app_with(&self, args: &[&str], environment: &[(&str, &str)]) {
        self.start(args, environment);
        self.see("the window", Duration::from_secs(20), |picture| {
            !picture.is_black()
        });
        // There is no window manager that gives it the keyboard.
        self.xdotool(&["search", "--onlyvisible", "--name", "Banyan", "windowfocus"]);
    }

    /// Starts the app, and waits for nothing.
    pub(crate) fn start(&self, args: &[&str], environment: &[(&str, &str)]) {
        let mut command = self.command("banyan-tv");
        command
            .args(args)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(self.log("app.err"));
        let program = Program(command.spawn().expect("the app is built"));
        self.running.borrow_mut().push(program);
    }

    /// Puts away what is said where there is no sound device: then a page is as it is elsewhere.
    pub(crate) fn dismiss_no_sound(&self) {
        let mut model = samples::watch();
        model.say(Gravity::Warning, NO_SOUND);
        self.click(Spot::of(&mut model, &format!("Dismiss: {NO_SOUND}")));
    }

    /// Waits until the app has ended by itself.
    pub(crate) fn app_ends(&self, within: Duration) {
        wait("the app's end", within, || {
            let mut running = self.running.borrow_mut();
            let app = running.last_mut().expect("it was opened last");
            app.0.try_wait().expect("it was started")
        });
    }

    /// Presses keys together.
    pub(crate) fn press(&self, keys: &str) {
        self.xdotool(&["key", keys]);
    }

    /// What the app says where it cannot open a window; `without` changes what it runs in.
    pub(crate) fn refused(&self, without: impl Fn(&mut Command)) -> String {
        let mut command = self.command("banyan-tv");
        without(&mut command);
        let output = command.output().expect("the app is built");
        assert_eq!(output.status.code(), Some(1), "{:?}", output.status);
        String::from_utf8(output.stderr).expect("it says words")
    }

    /// What the screen shows.
    pub(crate) fn look(&self) -> Picture {
        let mut grab = self
            .grab(&["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("ffmpeg is installed");
        let mut bytes = Vec::new();
        let mut output = grab.stdout.take().expect("its output is a pipe");
        output.read_to_end(&mut bytes).expect("a pipe can be read");
        assert!(grab.wait().expect("it was started").success());
        Picture::new(bytes)
    }

    fn grab(&self, output: &[&str]) -> Command {
        let [width, height] = SIZE;
        let mut grab = Command::new("ffmpeg");
        grab.args([
            "-v",
            "error",
            "-y",
            "-f",
            "x11grab",
            "-draw_mouse",
            "0",
            "-video_size",
        ])
        .args([
            &format!("{width}x{height}"),
            "-i",
            &self.display,
            "-frames:v",
            "1",
        ])
        .args(output);
        grab
    }

    /// Keeps a picture of the screen for people, where that is wished (`cargo xtask screenshots`).
    pub(crate) fn keep(&self, name: &str) {
        if let Some(folder) = std::env::var_os("BANYAN_SCREENSHOTS") {
            let path = Path::new(&folder).join(name).with_extension("png");
            let made = self.grab(&[&path.to_string_lossy()]).status();
            assert!(made.expect("ffmpeg is installed").success());
        }
    }

    /// Waits until the screen shows something.
    pub(crate) fn see(&self, what: &str, within: Duration, shows: impl Fn(&Picture) -> bool) {
        wait(what, within, || shows(&self.look()).then_some(()));
    }

    /// Clicks there.
    pub(crate) fn click(&self, spot: Spot) {
        let [x, y] = spot.pixel();
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
        // The next frame takes it in, and the one after shows it.
        self.see("what was clicked", Duration::from_secs(5), |_| true);
    }

    /// Waits for the button of this name, which the page gets with what happens elsewhere, and clicks it.
    pub(crate) fn click_new(&self, model: &mut Model, name: &str) {
        let edge = Spot::edge_of(model, name);
        self.see(name, Duration::from_secs(20), |picture| picture.has_edge(edge));
        self.click(Spot::of(model, name));
    }

    /// Waits for the one button that stands out, if it is another than the last.
    pub(crate) fn see_primary(&self, name: &str) -> Spot {
        let last = self.clicked.get();
        let other = || {
            let spot = self.look().primary().filter(|spot| Some(*spot) != last)?;
            // A question that opens finds its place first.
            (self.look().primary() == Some(spot)).then_some(spot)
        };
        wait(name, Duration::from_secs(30), other)
    }

    /// Waits for the one button that stands out, if it is another than the last, and clicks it.
    pub(crate) fn click_primary(&self, name: &str) {
        let spot = self.see_primary(name);
        self.clicked.set(Some(spot));
        self.click(spot);
    }

    /// Types into what has the focus.
    pub(crate) fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "20", text]);
    }

    /// Waits for such a text on the clipboard.
    pub(crate) fn clipboard(&self, within: Duration, is_it: impl Fn(&str) -> bool) -> String {
        wait("the clipboard's text", within, || {
            let output = self
                .command("xclip")
                .args(["-o", "-selection", "clipboard"])
                .output();
            let text = String::from_utf8(output.expect("xclip is installed").stdout).unwrap_or_default();
            is_it(&text).then_some(text)
        })
    }

    fn xdotool(&self, words: &[&str]) {
        let done = self.command("xdotool").args(words).status();
        assert!(done.expect("xdotool is installed").success());
    }
}

/// A screen without a monitor, and its name.
fn screen() -> (Program, String) {
    let size = format!("{}x{}x24", SIZE[0], SIZE[1]);
    let mut screen = Command::new("Xvfb")
        .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &size])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb is installed");
    let number = first_line(&mut screen);
    (Program(screen), format!(":{number}"))
}

/// The first line that a program tells, once it does.
fn first_line(program: &mut Child) -> String {
    let told = program.stdout.take().expect("its output is a pipe");
    let mut line = String::new();
    let read = BufReader::new(told).read_line(&mut line);
    read.expect("a pipe can be read");
    line.trim().to_owned()
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What was told and shown stays when the test has failed.
            let _ = fs::write(self.home.join("screen.ppm"), self.look().ppm());
        }
        // The app first, so that it leaves a channel that is still there.
        while let Some(program) = self.running.borrow_mut().pop() {
            drop(program);
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.home);
        }
    }
}

/// What `look` finds, once it does.
pub(crate) fn wait<T>(what: &str, within: Duration, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < within, "{what} was not there within {within:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}
