//! What is not a test: lints, documentation, licences and advisories, spelling.

use crate::{image, setup, shell};
use anyhow::Result;

/// Runs them all; those whose tool is not installed are named and left out.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    shell::run(&mut shell::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut documentation = shell::cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    shell::run(documentation.env("RUSTDOCFLAGS", "-D warnings"))?;
    fuzz_targets()?;
    licences(&["check"])?;
    image::check()?;
    spelling()
}

/// What takes little time: the fuzz targets, which stand beside the workspace, licences, sources and bans of the dependencies, and
/// spelling. Dependencies of other systems than this one are looked at too; a build would not fetch them, and where they are here already,
/// nothing is asked of the network.
pub(crate) fn quick() -> Result<()> {
    fuzz_targets()?;
    shell::run(&mut shell::cargo(&["fetch", "--locked"]))?;
    licences(&["--offline", "check", "bans", "licenses", "sources"])?;
    image::check()?;
    spelling()
}

/// Fuzzing wants a nightly toolchain; that its targets are made for the decoders as they are does not.
fn fuzz_targets() -> Result<()> {
    shell::run(&mut shell::cargo(&[
        "check",
        "--manifest-path",
        "tests/fuzz/Cargo.toml",
        "--locked",
        "--bins",
        "--examples",
        "--target-dir",
        "target",
    ]))
}

fn licences(words: &[&str]) -> Result<()> {
    let command = [&["cargo", "deny"], words].concat();
    if_installed(&["cargo", "deny"], &command, "cargo install --locked cargo-deny")
}

fn spelling() -> Result<()> {
    if_installed(&["typos"], &["typos"], "cargo install --locked typos-cli")
}

fn if_installed(tool: &[&str], command: &[&str], install: &str) -> Result<()> {
    if !shell::has(tool) {
        eprintln!(
            "{} is not installed, so it is left out: `{install}`",
            tool.join(" ")
        );
        return Ok(());
    }
    shell::run(&mut shell::command(command))
}
