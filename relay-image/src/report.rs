//! What the relay says: JSON Lines for programs, sentences for people and consoles.

use banyan_protocol::event::{Event, Stats};
use banyan_protocol::id::PeerId;
use serde::Serialize;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Instant;

/// How many seconds a status holds in plain lines: a console is slow, and nobody reads it but after a failure.
const PLAIN_EVERY: u32 = 60;

/// Something that the program itself says; what the machine says is an [`Event`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Own {
    /// It listens. First of all.
    Ready {
        /// Where.
        listen: SocketAddr,
        /// Its key, short.
        relay: PeerId,
    },
    /// It has ended. Last of all.
    Ended {
        /// Why.
        why: &'static str,
    },
}

/// Tells what happens. Who has stopped listening does not stop a relay.
pub struct Report {
    began: Instant,
    is_json: bool,
    sink: Box<dyn Write + Send>,
    seconds: u32,
}

impl Report {
    /// Tells `sink`, as JSON Lines or in plain lines; `began` is when the process did.
    pub fn new(began: Instant, is_json: bool, sink: Box<dyn Write + Send>) -> Self {
        Self {
            began,
            is_json,
            sink,
            seconds: 0,
        }
    }

    /// Says something of the program's own.
    pub fn own(&mut self, own: &Own) {
        let line = if self.is_json {
            self.json(own)
        } else {
            sentence(own)
        };
        self.write(&line);
    }

    /// Passes on what the machine says.
    pub fn event(&mut self, event: &Event) {
        if self.is_json {
            let line = self.json(event);
            self.write(&line);
        } else if let Event::Stats(stats) = event {
            self.plainly(stats);
        }
    }

    fn plainly(&mut self, stats: &Stats) {
        if self.seconds.is_multiple_of(PLAIN_EVERY) {
            let line = format!(
                "{} children, {} MB sent, {} MB received",
                stats.children,
                stats.up_bytes / 1_000_000,
                stats.down_bytes / 1_000_000
            );
            self.write(&line);
        }
        self.seconds += 1;
    }

    fn json<T: Serialize>(&self, said: &T) -> String {
        #[derive(Serialize)]
        struct Line<'a, T> {
            #[serde(flatten)]
            said: &'a T,
            t: u64,
        }
        let t = self.began.elapsed().as_millis() as u64;
        serde_json::to_string(&Line { said, t }).expect("what is said is plain data with text keys")
    }

    fn write(&mut self, line: &str) {
        let _ = writeln!(self.sink, "{line}").and_then(|()| self.sink.flush());
    }
}

fn sentence(own: &Own) -> String {
    match own {
        Own::Ready { listen, relay } => format!("relay {relay} listens on {listen}"),
        Own::Ended { why } => format!("the relay has ended: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn stats() -> Event {
        Event::Stats(Stats {
            up_bytes: 5_000_000,
            down_bytes: 1_000_000,
            children: 2,
            viewer: None,
        })
    }

    fn ready() -> Own {
        Own::Ready {
            listen: "[::]:4600".parse().unwrap(),
            relay: PeerId([1; 16]),
        }
    }

    /// The names and fields of the command-line contract: programs read them.
    #[test]
    fn events_keep_their_names_and_fields() {
        let page = Page::default();
        let mut report = Report::new(Instant::now(), true, Box::new(page.clone()));
        report.own(&ready());
        report.event(&stats());
        report.own(&Own::Ended { why: "stopped" });
        let text = page.text();
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.rsplit_once(",\"t\":").expect("a time").0)
            .collect();
        assert_eq!(
            lines,
            [
                r#"{"event":"ready","listen":"[::]:4600","relay":"aeaqcaib""#,
                r#"{"event":"stats","up_bytes":5000000,"down_bytes":1000000,"children":2"#,
                r#"{"event":"ended","why":"stopped""#,
            ]
        );
    }

    #[test]
    fn a_console_is_told_in_sentences_and_rarely_how_things_stand() {
        let page = Page::default();
        let mut report = Report::new(Instant::now(), false, Box::new(page.clone()));
        report.own(&ready());
        (0..=PLAIN_EVERY).for_each(|_| report.event(&stats()));
        let text = page.text();
        assert_eq!(text.lines().next(), Some("relay aeaqcaib listens on [::]:4600"));
        assert_eq!(text.lines().filter(|line| line.contains("2 children")).count(), 2);
    }

    #[test]
    fn who_has_stopped_listening_stops_nothing() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        Report::new(Instant::now(), true, Box::new(Gone)).own(&ready());
    }
}
