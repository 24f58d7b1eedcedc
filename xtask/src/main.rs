//! One tool for developers: `cargo xtask demo`, `cargo xtask test`, and what else needs more than one command.

mod bench;
mod check;
mod demo;
mod dist;
mod image;
mod moto;
mod setup;
mod shell;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// One tool for developers.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// A channel on this machine: seven viewers with home uplinks, one killed in the middle, then more than there is room for, and a relay that one sponsors; figures at the end.
    Demo,
    /// Install the system packages that Banyan needs, and moto for the cloud tests, and say so.
    Setup,
    /// Everything that must pass: set-up, formatting, licences, spelling, unit tests, the simulator's suite, end-to-end tests.
    Test {
        /// Only tests whose names contain this.
        filter: Option<String>,
    },
    /// What is not a test: clippy, documentation, licences and advisories, spelling.
    Check,
    /// Make the disk of the relay's machine, for QEMU.
    Image {
        /// Only look at the templates, units and scripts.
        #[arg(long)]
        check: bool,
    },
    /// Take the app's pictures anew: those that tests compare with, and those of the real window in the README.
    Screenshots,
    /// Make the packages: a `.deb` and a tarball.
    Dist {
        /// Install the package on a fresh Debian, and start what is in it.
        #[arg(long)]
        check: bool,
    },
    /// Replay one seed in the simulator.
    Sim {
        /// The seed.
        seed: u64,
        /// Passed on to `banyan-sim`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Measure what SPECIFICATION.md promises.
    Bench {
        /// What to measure.
        what: bench::What,
        /// Passed on: a scenario's or a test's name for `e2e`, options of `banyan bench relay` for `relay`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> Result<()> {
    // Wherever it is called from, its paths are the repository's.
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))?;
    match Args::parse().task {
        Task::Demo => demo::run(),
        Task::Setup => setup::run(),
        Task::Test { filter } => test::run(filter.as_deref()),
        Task::Check => check::run(),
        Task::Screenshots => test::screenshots(),
        Task::Dist { check } => dist::run(check),
        Task::Image { check: true } => image::check(),
        Task::Image { check: false } => image::build(),
        Task::Sim { seed, options } => bench::replay(seed, &options),
        Task::Bench { what, options } => bench::run(what, &options),
    }
}
