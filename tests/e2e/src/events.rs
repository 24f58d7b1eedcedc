//! The events of one program, as they came in, and how it ended.

use anyhow::{Result, bail};
use serde_json::Value;
use std::process::ExitStatus;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One line of `--json`.
#[derive(Clone, Debug)]
pub struct Event {
    /// When the rig read it.
    pub at: Instant,
    /// The whole object.
    pub fields: Value,
}

impl Event {
    /// Its `event` field; empty if it has none.
    pub fn name(&self) -> &str {
        self.text("event")
    }

    /// A text field; empty if it is missing or no text.
    pub fn text(&self, field: &str) -> &str {
        self.fields[field].as_str().unwrap_or_default()
    }

    /// A number that is not negative; panics if the contract's field is missing, for that is a failed test.
    pub fn number(&self, field: &str) -> u64 {
        self.fields[field]
            .as_u64()
            .unwrap_or_else(|| panic!("no number `{field}` in {}", self.fields))
    }
}

/// The most events kept of one program: hours of a chatty one. More means that a program runs wild.
const EVENTS_MAX: usize = 200_000;

/// What a program said so far. Shared by the thread that reads and the test that waits.
#[derive(Default)]
pub struct Events {
    log: Mutex<Log>,
    news: Condvar,
}

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    ended: Option<ExitStatus>,
}

impl Events {
    pub(crate) fn push(&self, fields: Value) {
        let mut log = self.lock();
        assert!(log.events.len() < EVENTS_MAX, "a program runs wild: {fields}");
        log.events.push(Event {
            at: Instant::now(),
            fields,
        });
        self.news.notify_all();
    }

    pub(crate) fn end(&self, status: ExitStatus) {
        self.lock().ended = Some(status);
        self.news.notify_all();
    }

    /// How many there are; a mark for [`Events::wait`].
    pub fn count(&self) -> usize {
        self.lock().events.len()
    }

    /// All that are called `name`.
    pub fn all(&self, name: &str) -> Vec<Event> {
        self.since(0, name)
    }

    /// Those after the first `mark` events that are called `name`.
    pub fn since(&self, mark: usize, name: &str) -> Vec<Event> {
        let log = self.lock();
        log.events
            .iter()
            .skip(mark)
            .filter(|event| event.name() == name)
            .cloned()
            .collect()
    }

    /// The newest that is called `name`.
    pub fn newest(&self, name: &str) -> Option<Event> {
        self.lock()
            .events
            .iter()
            .rev()
            .find(|event| event.name() == name)
            .cloned()
    }

    /// The last `count` that are not called `name`, in the order in which they came.
    pub fn last_but(&self, count: usize, name: &str) -> Vec<Event> {
        let log = self.lock();
        let others = log.events.iter().rev().filter(|event| event.name() != name);
        let mut last: Vec<Event> = others.take(count).cloned().collect();
        last.reverse();
        last
    }

    /// How the program ended, if it did.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.lock().ended
    }

    /// The first event after the first `mark` ones that is called `name` and for which `holds`.
    /// Fails when `deadline` passes or the program ends first.
    pub fn wait(
        &self,
        mark: usize,
        name: &str,
        deadline: Instant,
        mut holds: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        let (mut log, mut seen) = (self.lock(), mark);
        loop {
            let fresh = log.events.get(seen..).unwrap_or_default();
            if let Some(event) = fresh.iter().find(|event| event.name() == name && holds(event)) {
                return Ok(event.clone());
            }
            seen = log.events.len().max(mark);
            if let Some(status) = log.ended {
                bail!("it ended ({status}) before such a `{name}` came");
            }
            log = self.sleep(log, deadline, || format!("no such `{name}` came in time"))?;
        }
    }

    /// How the program ended; fails when `deadline` passes first.
    pub fn wait_end(&self, deadline: Instant) -> Result<ExitStatus> {
        let mut log = self.lock();
        loop {
            if let Some(status) = log.ended {
                return Ok(status);
            }
            log = self.sleep(log, deadline, || "it did not end in time".into())?;
        }
    }

    fn sleep<'a>(
        &self,
        log: MutexGuard<'a, Log>,
        deadline: Instant,
        late: impl Fn() -> String,
    ) -> Result<MutexGuard<'a, Log>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            bail!(late());
        }
        Ok(self
            .news
            .wait_timeout(log, left)
            .expect("no holder of the lock panics")
            .0)
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn waits_for_the_one_that_holds() {
        let events = Events::default();
        events.push(json!({"event": "stats", "stalls": 1}));
        events.push(json!({"event": "stats", "stalls": 2}));
        let deadline = Instant::now() + Duration::from_secs(5);
        let found = events
            .wait(0, "stats", deadline, |event| event.number("stalls") > 1)
            .unwrap();
        assert_eq!(found.number("stalls"), 2);
        assert!(events.wait(0, "stall", Instant::now(), |_| true).is_err());
        assert!(events.wait(2, "stats", Instant::now(), |_| true).is_err());
    }

    #[test]
    fn sees_what_comes_while_it_waits() {
        let events = Events::default();
        std::thread::scope(|scope| {
            scope.spawn(|| events.push(json!({"event": "playing"})));
            let deadline = Instant::now() + Duration::from_secs(5);
            assert!(events.wait(0, "playing", deadline, |_| true).is_ok());
        });
    }
}
