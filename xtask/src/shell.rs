//! Running other programs, in the open: each command is shown before it runs.

use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};

/// A command of `words`, the first of which is the program.
pub(crate) fn command<S: AsRef<str>>(words: &[S]) -> Command {
    let mut words = words.iter().map(AsRef::as_ref);
    let mut command = Command::new(words.next().expect("a command names a program"));
    command.args(words);
    command
}

/// `cargo` and its arguments: the one that runs us.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = command(&[&[cargo.as_str()], words].concat());
    // What cargo tells this program of its own package would have build scripts run again, and half the dependencies be built anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Shows and runs `command`; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    ensure!(status.success(), "{shown} ended with {status}");
    Ok(())
}

/// Whether `program` can be run with `--version`.
pub(crate) fn has(words: &[&str]) -> bool {
    let mut asked = command(words);
    asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

/// What must stand before a command that needs root: nothing for root, `sudo` for others.
pub(crate) fn as_root() -> Result<&'static [&'static str]> {
    if is_root()? {
        return Ok(&[]);
    }
    ensure!(has(&["sudo"]), "this needs root: run it as root, or install sudo");
    Ok(&["sudo", "--preserve-env"])
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("cannot run id")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

fn show(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
}
