//! Who feeds whom, now: a table that is drawn anew each second.

use super::Channel;
use rig::banyan::parents;
use rig::scene::Viewer;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Draws over itself on a terminal; elsewhere it is printed less often, one below the other.
pub(crate) struct Table {
    over: bool,
    lines: usize,
}

impl Table {
    pub(crate) fn new(over: bool) -> Self {
        Self { over, lines: 0 }
    }

    /// How long to wait before it is shown again.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_secs(if self.over { 1 } else { 5 })
    }

    /// Shows the newest reports of all.
    pub(crate) fn show(&mut self, channel: &Channel, dead: Option<&str>) {
        let text = render(channel, dead);
        if !self.over {
            return println!("{text}");
        }
        if self.lines > 0 {
            // Up to where the last one began, and clear from there.
            print!("\x1b[{}A\x1b[J", self.lines);
        }
        // A line that is too long for the terminal is cut: wrapped, it would count twice.
        println!("\x1b[?7l{text}\x1b[?7h");
        self.lines = text.lines().count() + 1;
    }

    /// Lets the last one stand; the next comes below what is printed meanwhile.
    pub(crate) fn leave(&mut self) {
        self.lines = 0;
    }
}

fn render(channel: &Channel, dead: Option<&str>) -> String {
    let names = names(channel);
    let mut text = format!(
        "{:<12} {:>10} {:>7} {:>8} {:>7}  gets its stripes from\n",
        "", "feeds", "stripes", "behind", "stalls"
    );
    let stats = channel.broadcast.program.events().newest("stats");
    let feeds = stats.map_or(0, |stats| stats.number("children"));
    let _ = writeln!(text, "{:<12} {feeds:>10}", "broadcaster");
    for viewer in &channel.viewers {
        let _ = writeln!(text, "{}", line(viewer, dead, &names));
    }
    text
}

fn line(viewer: &Viewer, dead: Option<&str>, names: &BTreeMap<String, String>) -> String {
    let name = viewer.name();
    if dead == Some(name) {
        return format!("{name:<12} {:>10}", "killed");
    }
    let Ok(stats) = viewer.watch.stats() else {
        return format!("{name:<12} joins");
    };
    let count = |field: &str| stats.fields[field].as_u64().unwrap_or_default();
    let behind = format!("{} ms", count("latency_ms"));
    let (feeds, stripes, stalls) = (count("children"), count("stripes_receiving"), count("stalls"));
    format!(
        "{name:<12} {feeds:>10} {stripes:>7} {behind:>8} {stalls:>7}  {}",
        sources(&parents(&stats), names)
    )
}

/// `broadcaster 2, ada 3`: how many stripes come from whom.
fn sources(parents: &BTreeMap<String, String>, names: &BTreeMap<String, String>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for parent in parents.values() {
        *counts
            .entry(names.get(parent).map_or("broadcaster", String::as_str))
            .or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    counts.join(", ")
}

fn names(channel: &Channel) -> BTreeMap<String, String> {
    let viewers = channel.viewers.iter();
    let viewers = viewers.filter_map(|viewer| Some((viewer.watch.peer().ok()?, viewer.name().to_owned())));
    let relays = channel.broadcast.program.events().all("relay-joined").into_iter();
    let relays =
        relays.filter_map(|event| Some((event.fields["relay"].as_str()?.to_owned(), "RELAY".to_owned())));
    viewers.chain(relays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_are_counted_by_parent() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let parents = BTreeMap::from([pair("1.0", "key1"), pair("1.1", "key2"), pair("1.2", "key1")]);
        assert_eq!(
            sources(&parents, &BTreeMap::from([pair("key1", "ada")])),
            "ada 2, broadcaster 1"
        );
    }
}
