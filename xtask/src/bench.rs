//! Measuring what SPECIFICATION.md promises, and replaying the simulator's seeds.

use crate::{image, setup, shell, test};
use anyhow::Result;
use clap::ValueEnum;
use std::process::Command;

/// What can be measured.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// The end-to-end tests in their long form, an hour or so.
    E2e,
    /// A relay's VM in QEMU, from the yes to its end, against moto's EC2, and what a relay sends in ten minutes: makes the image first. Some
    /// twenty minutes.
    Cloud,
    /// The app: opening, idling and playing, in the real window. `cargo xtask bench app 60` plays for an hour and looks at memory.
    App,
    /// One forwarding process: `banyan bench relay`.
    Relay,
    /// The simulator's whole suite: 200 seeds and more, some tens of minutes.
    Sim,
    /// How many times real time the simulator runs with 30, 100 and 300 viewers, in one thread.
    Speed,
}

/// Measures `what`; `options` are passed on.
pub(crate) fn run(what: What, options: &[String]) -> Result<()> {
    setup::run()?;
    match what {
        What::E2e => end_to_end(options),
        What::Cloud => cloud(options),
        What::App => app(options),
        What::Relay => {
            let command = ["run", "--release", "--package", "banyan", "--", "bench", "relay"];
            shell::run(shell::cargo(&command).args(options))
        }
        What::Sim => test::simulate("ci", options),
        What::Speed => test::simulate("speed", options),
    }
}

fn end_to_end(options: &[String]) -> Result<()> {
    shell::run(&mut shell::cargo(&["build", "--workspace", "--all-targets"]))?;
    let mut tests = test::runner(&["--package", "banyan-e2e", "--features", "long"]);
    if options.first().is_some_and(|first| test::is_scenario(first)) {
        tests.arg("--test");
    }
    tests.args(options);
    tests.env("BANYAN_E2E", "long");
    shell::run(test::as_root(&mut tests)?)
}

/// On two cores, as promised.
fn app(options: &[String]) -> Result<()> {
    shell::run(&mut shell::cargo(&["build", "--workspace", "--all-targets"]))?;
    let test = [
        "test",
        "--workspace",
        "--test",
        "window",
        "--",
        "--ignored",
        "--nocapture",
        "what_the_window_costs",
    ];
    let mut measured = Command::new("taskset");
    measured.args(["-c", "0,1", "cargo"]).args(test);
    shell::run(measured.env("BANYAN_MINUTES", options.first().map_or("0", String::as_str)))
}

/// What the other commands do not need, and this one does.
const QEMU: &[&str] = &["e2fsprogs", "mmdebstrap", "qemu-system-x86"];

fn cloud(options: &[String]) -> Result<()> {
    setup::packages(QEMU)?;
    image::build()?;
    shell::run(&mut shell::cargo(&["build", "--workspace", "--all-targets"]))?;
    let mut tests = test::runner(&[
        "--package",
        "banyan-cloud-rig",
        "--features",
        "long",
        "--test",
        "vm",
        "--test",
        "bytes",
    ]);
    tests.args(options);
    shell::run(test::as_root(&mut tests)?)
}

/// Replays `seed`.
pub(crate) fn replay(seed: u64, options: &[String]) -> Result<()> {
    let seed = seed.to_string();
    let command = ["run", "--package", "banyan-sim", "--", "--seed", &seed];
    shell::run(shell::cargo(&command).args(options))
}
