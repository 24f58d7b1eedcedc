//! Namespaces carry the id of the process that made them, so that what a killed run left behind can be told apart.

use crate::tool;
use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "bny";

/// A name for a namespace of this process that no other has.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}-{}-{n}", std::process::id())
}

/// Removes the namespaces whose maker is dead, and ends the programs in them.
pub(crate) fn reap() -> Result<()> {
    let listed = tool::line("ip", "netns list")?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| is_orphaned(name)).for_each(remove);
    Ok(())
}

/// Removes one namespace and ends the programs in it. Best effort: it runs in `Drop`, and the next run tries again.
pub(crate) fn remove(name: &str) {
    let pids = tool::run("ip", &["netns", "pids", name]).unwrap_or_default();
    let pids = pids.lines().filter_map(|line| line.trim().parse().ok());
    for pid in pids.filter_map(Pid::from_raw) {
        // It may have ended by itself since it was listed.
        let _ = kill_process(pid, Signal::KILL);
    }
    if let Err(error) = tool::run("ip", &["netns", "del", name]) {
        eprintln!("rig: namespace {name} stays for the next run to remove: {error:#}");
    }
}

fn is_orphaned(name: &str) -> bool {
    maker(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

fn maker(name: &str) -> Option<u32> {
    let (pid, n) = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split_once('-')?;
    n.parse::<u32>().ok()?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_read() {
        assert_eq!(maker("bny-123-4"), Some(123));
        assert_eq!(maker("bny-123"), None);
        assert_eq!(maker("bnyx-123-4"), None);
        assert_eq!(maker("docker0"), None);
        assert_eq!(maker(&fresh_name()), Some(std::process::id()));
        assert!(!is_orphaned(&fresh_name()));
    }
}
