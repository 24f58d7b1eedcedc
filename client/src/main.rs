//! The headless program.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    Ok(banyan::run::program()?)
}
