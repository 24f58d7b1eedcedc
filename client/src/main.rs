//! The headless program.

use banyan::args::Args;
use clap::Parser;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(banyan::run::log_filter(&args.command))
        .with_writer(std::io::stderr)
        .init();
    let runtime = banyan::run::runtime(&args.command)?;
    Ok(match runtime.block_on(banyan::run::run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("banyan: {error}");
            ExitCode::from(error.exit_code())
        }
    })
}
