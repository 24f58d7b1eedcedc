//! The test command of the README.

use crate::{check, setup, shell};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// How cargo and nextest are told to start test programs through another one.
const RUNNER: &str = if cfg!(target_arch = "aarch64") {
    "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER"
} else {
    "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"
};

/// Set-up, formatting, licences and spelling, then every test of the workspace and some of the simulator's seeds: one profile and one set of features, so that each dependency
/// is built once. The linker is Rust's default (`lld` since 1.90), so that no machine needs another.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    setup::run()?;
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))?;
    if filter.is_none() {
        check::quick()?;
    }
    // The end-to-end tests run programs that no test target pulls in by itself.
    shell::run(&mut shell::cargo(&["build", "--workspace", "--all-targets"]))?;
    let mut tests = filter.map_or_else(|| runner(&["--workspace"]), only);
    shell::run(as_root(&mut tests)?)?;
    if filter.is_none() {
        seeds()?;
    }
    Ok(())
}

/// A tenth of the simulator's suite, by the program that the build has left beside this one: `cargo run` for one package alone would
/// build its dependencies again, with other features.
fn seeds() -> Result<()> {
    let simulator = std::env::current_exe()?.with_file_name("banyan-sim");
    shell::run(Command::new(simulator).args(["--suite", "quick"]))
}

/// Where the README's pictures of the real window are.
const SCREENSHOTS: &str = "docs/app";

/// Takes the pictures that the app's tests compare with, and those of the real window that the README shows.
pub(crate) fn screenshots() -> Result<()> {
    setup::run()?;
    let mut pictures = runner(&["--workspace", "--test", "pictures"]);
    shell::run(pictures.env("UPDATE_SNAPSHOTS", "force"))?;
    std::fs::create_dir_all(SCREENSHOTS)?;
    let mut window = runner(&["--workspace", "--test", "window"]);
    shell::run(window.env("BANYAN_SCREENSHOTS", std::path::absolute(SCREENSHOTS)?))
}

/// Has the C library ask for large pages: the simulator goes round a hundred megabytes of machines' memory, and spends a sixth of its time on
/// finding out where they are.
const LARGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

/// Runs a suite of the simulator: `ci`, `quick` or `speed`.
pub(crate) fn simulate(suite: &str, options: &[String]) -> Result<()> {
    let command = ["run", "--package", "banyan-sim", "--", "--suite", suite];
    let (name, value) = LARGE_PAGES;
    shell::run(shell::cargo(&command).args(options).env(name, value))
}

/// The tests whose names contain `filter`, or one whole end-to-end scenario.
fn only(filter: &str) -> Command {
    if is_scenario(filter) {
        return runner(&["--workspace", "--test", filter]);
    }
    runner(&["--workspace", filter])
}

/// Whether that is an end-to-end scenario, which is a test program of its own.
pub(crate) fn is_scenario(name: &str) -> bool {
    Path::new(&format!("tests/e2e/tests/{name}.rs")).exists()
}

/// The test runner over `scope`, in cargo's words: nextest where it is installed, else cargo's own.
pub(crate) fn runner(scope: &[&str]) -> Command {
    let runner: &[&str] = if shell::has(&["cargo", "nextest"]) {
        &["nextest", "run"]
    } else {
        &["test"]
    };
    shell::cargo(&[runner, &["--no-fail-fast"], scope].concat())
}

/// Lets the tests run as root, which the namespaces need, while what builds them does not.
pub(crate) fn as_root(tests: &mut Command) -> Result<&mut Command> {
    let sudo = shell::as_root()?;
    if !sudo.is_empty() {
        eprintln!(
            "The end-to-end tests make network namespaces, which needs root: sudo may ask for your password."
        );
        tests.env(RUNNER, sudo.join(" "));
    }
    Ok(tests)
}
