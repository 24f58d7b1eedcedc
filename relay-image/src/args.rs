//! The command line.

use crate::forwarder;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// A relay: carries a channel as its sponsor tells it to, until its lease ends or its bytes are spent.
#[derive(Debug, Parser)]
#[command(name = "banyan-relay", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Example: banyan-relay --config boot.json --json")]
pub struct Args {
    /// The boot data; without it, this machine's user data.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print events as JSON Lines.
    #[arg(long)]
    pub json: bool,

    /// What else this program is good for.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What else this program is good for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Be the process that `banyan bench relay` loads.
    #[command(hide = true)]
    BenchForwarder(forwarder::Args),
    /// Print the lease, `ENDS BYTES`, that a relay was given later, if its sponsor has signed it.
    #[command(hide = true)]
    Extension(Extension),
    /// Print this machine's user data.
    #[command(hide = true)]
    UserData,
}

/// `banyan-relay extension`, for the timer that ends the machine.
#[derive(Debug, clap::Args)]
pub struct Extension {
    /// The boot data.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// What the relay has left there.
    #[arg(value_name = "FILE")]
    pub extension: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_benchmark_starts_it_as_it_starts_banyan() {
        let words = ["banyan-relay", "bench-forwarder", "--channel", "x", "--pin", "3"];
        let args = Args::try_parse_from(words).unwrap();
        let Some(Command::BenchForwarder(forwarder)) = args.command else {
            panic!("no forwarder");
        };
        assert_eq!((forwarder.channel.as_str(), forwarder.pin), ("x", Some(3)));
    }
}
