//! What runs on the desk beside the window: broadcasters and viewers without one, and commands.

use super::{Desk, Program, wait};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The socket that listens at 127.0.0.1:1935, in the kernel's words.
const LISTENS_FOR_RTMP: &str = "0100007F:078F 00000000:0000 0A";

impl Desk {
    /// Goes on the air without a window; returns the link.
    pub(crate) fn broadcast(&self, args: &[&str]) -> String {
        let mut command = self.command("banyan");
        command
            .arg("broadcast")
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--json"]);
        command
            .stdout(self.log("broadcast.json"))
            .stderr(self.log("broadcast.err"));
        let program = Program(command.spawn().expect("banyan is built"));
        self.running.borrow_mut().push(program);
        let ready = self.told("ready", Duration::from_secs(20));
        ready["link"].as_str().expect("a link is text").to_owned()
    }

    /// Waits until the broadcaster has told an event, and returns it.
    pub(crate) fn told(&self, event: &str, within: Duration) -> Value {
        self.event("broadcast.json", event, within)
    }

    fn event(&self, log: &str, event: &str, within: Duration) -> Value {
        let path = self.home.join(log);
        wait(&format!("the event {event} in {log}"), within, || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let events = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            events.into_iter().find(|told| told["event"] == event)
        })
    }

    /// Watches without a window, and plays.
    pub(crate) fn viewer(&self, link: &str, args: &[&str]) -> Program {
        let mut command = self.command("banyan");
        command
            .args(["watch", link, "--json", "--sponsor", "never"])
            .args(args);
        let number = self.viewers.replace(self.viewers.get() + 1);
        let log = format!("viewer-{number}.json");
        command
            .stdout(self.log(&log))
            .stderr(self.log(&format!("viewer-{number}.err")));
        let program = Program(command.spawn().expect("banyan is built"));
        self.event(&log, "playing", Duration::from_secs(20));
        program
    }

    /// Somebody without a window sees what is on the air.
    pub(crate) fn watches(&self, link: &str, within: Duration) {
        let began = Instant::now();
        drop(self.viewer(link, &[]));
        assert!(
            began.elapsed() < within + Duration::from_secs(10),
            "it took {:?}",
            began.elapsed()
        );
    }

    /// The same by somebody who gives nothing, at full quality.
    pub(crate) fn watches_fully(&self, link: &str, within: Duration) {
        let log = format!("viewer-{}.json", self.viewers.get());
        let _viewer = self.viewer(link, &["--uplink", "0"]);
        wait("full quality", within, || {
            let told = fs::read_to_string(self.home.join(&log)).unwrap_or_default();
            let events = told
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let last = events.rev().find(|told| told["event"] == "stats")?;
            let all = last["stripes_receiving"].as_u64()? >= 2 && last["tier"] == 1;
            all.then_some(())
        });
    }

    /// What `banyan relays list` tells, relay by relay.
    pub(crate) fn relays(&self) -> Vec<Value> {
        let told = self.banyan(&["relays", "list", "--provider", "local", "--json"]);
        let relay = |line: &str| serde_json::from_str(line).expect("it tells JSON");
        told.lines().map(relay).collect()
    }

    /// Ends a relay as `banyan relays stop` does.
    pub(crate) fn end_relay(&self, relay: &str) {
        self.banyan(&["relays", "stop", relay]);
    }

    fn banyan(&self, words: &[&str]) -> String {
        let output = self.command("banyan").args(words).output();
        let output = output.expect("banyan is built");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).expect("it tells words")
    }

    /// Sends the test pattern as OBS does, by RTMP, once somebody listens for it; ends when it is cut off.
    pub(crate) fn obs(&self) -> Program {
        wait("who listens for RTMP", Duration::from_secs(20), || {
            let sockets = fs::read_to_string("/proc/net/tcp").expect("Linux tells of them");
            sockets.contains(LISTENS_FOR_RTMP).then_some(())
        });
        let mut ffmpeg = self.command("ffmpeg");
        let words = "-v error -re -f lavfi -i testsrc2=size=640x360:rate=25 -c:v libx264 -preset ultrafast -g 25 -f flv";
        ffmpeg
            .args(words.split(' '))
            .arg("rtmp://127.0.0.1:1935/live/key");
        Program(ffmpeg.spawn().expect("ffmpeg is installed"))
    }

    /// A film of half a minute.
    pub(crate) fn film(&self) -> String {
        let film = self.home.join("film.mp4");
        let made = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc=size=320x240:rate=25:duration=30",
            ])
            .args([
                "-f",
                "lavfi",
                "-i",
                "sine=duration=30",
                "-c:v",
                "libx264",
                "-g",
                "25",
                "-c:a",
                "aac",
            ])
            .arg(&film)
            .status();
        assert!(made.expect("ffmpeg is installed").success());
        film.to_string_lossy().into_owned()
    }
}
