//! `banyan-sim`: the overlay in a discrete-event simulator.

use banyan_sim::args::Args;
use banyan_sim::case::Case;
use banyan_sim::suite;
use clap::Parser;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let fine = match args.suite {
        Some(size) => suite::run(size)?,
        None => one(&args)?,
    };
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs one case; whether nothing was broken.
fn one(args: &Args) -> anyhow::Result<bool> {
    let case = Case::of(args);
    let verdict = case.run()?;
    if args.json {
        println!("{}", serde_json::to_string(&verdict.result)?);
    } else {
        println!("{}", verdict.result);
    }
    for shortfall in &verdict.told {
        eprintln!("falls short: {shortfall}");
    }
    for complaint in &verdict.complaints {
        eprintln!("{complaint}");
    }
    if !verdict.complaints.is_empty() {
        eprintln!("replay with: {case}");
    }
    Ok(verdict.complaints.is_empty())
}
