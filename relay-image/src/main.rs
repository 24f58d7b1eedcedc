//! The relay.

use banyan_relay::args::Args;
use banyan_relay::start;
use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> anyhow::Result<ExitCode> {
    let (began, args) = (Instant::now(), Args::parse());
    start::prepare();
    Ok(
        match start::runtime()?.block_on(banyan_relay::run::run(args, began)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("banyan-relay: {error}");
                ExitCode::from(error.exit_code())
            }
        },
    )
}
