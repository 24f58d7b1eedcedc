//! Short-lived system tools (`ip`, `tc`, `nft`, `ffmpeg`): run, wait, and keep what they say.

use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `program` and returns what it printed; an error carries its standard error.
pub(crate) fn run<A: AsRef<str>>(program: &str, args: &[A]) -> Result<String> {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    let output = Command::new(program)
        .args(&args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}: `cargo xtask setup` installs it"))?;
    checked(program, &args, &output)
}

/// Runs `program` with words that are written as one line, split at spaces.
pub(crate) fn line(program: &str, words: &str) -> Result<String> {
    run(program, &words.split_whitespace().collect::<Vec<_>>())
}

/// Has `nft` carry out `rules` in a namespace.
pub(crate) fn nft(namespace: &str, rules: &str) -> Result<()> {
    feed("ip", &["netns", "exec", namespace, "nft", "-f", "-"], rules).map(drop)
}

/// Runs `program` with `input` on its standard input.
fn feed(program: &str, args: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}: `cargo xtask setup` installs it"))?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    checked(program, args, &child.wait_with_output()?)
}

fn checked(program: &str, args: &[&str], output: &Output) -> Result<String> {
    ensure!(
        output.status.success(),
        "{program} {} ended with {}: {}",
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
