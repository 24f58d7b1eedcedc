//! The command line of `banyan-sim`.

use clap::Parser;

/// Runs Banyan's overlay in a discrete-event simulator.
#[derive(Debug, Parser)]
#[command(
    name = "banyan-sim",
    version,
    after_help = "Example: banyan-sim --scenario churn --viewers 100 --seed 7 --minutes 5"
)]
pub struct Args {
    /// A scenario file, or one of: again, alone, altering, choosy, churn, crashed, crowded, destroyed, exodus, feigning, flash, home, killer, large, leases,
    /// liars, newcomer, overload, restart, scarce, signed, slander, sponsored, twins, unnamed, withdrawn, withholding
    #[arg(long, value_name = "FILE|NAME", default_value = "churn")]
    pub scenario: String,
    /// Viewers that join at the start, instead of the scenario's
    #[arg(long, value_name = "N")]
    pub viewers: Option<usize>,
    /// The same seed gives the same run, byte for byte
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Simulated minutes, instead of the scenario's
    #[arg(long, value_name = "M")]
    pub minutes: Option<f64>,
    /// Print the result as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// Print what this node hears and says to standard error; 0 is the broadcaster
    #[arg(long, value_name = "NODE")]
    pub follow: Option<u32>,
    /// Print what travelled in each second, by kind, to standard error
    #[arg(long)]
    pub pulse: bool,
    /// Print what the broadcaster said on control lanes, by kind, to standard error at the end
    #[arg(long)]
    pub ledger: bool,
    /// Print where the full stream's slots are in each second, and who has no use of them, to standard error
    #[arg(long)]
    pub room: bool,
    /// Print in each second who is not at the live edge, and below whom it falls behind, to standard error
    #[arg(long)]
    pub late: bool,
    /// Run a whole suite of seeds on all cores: ci (all that is promised), seeds (the same without the five thousand viewers), quick (a tenth of it) or speed (how fast it goes, in one thread)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scenario", "viewers", "seed", "minutes", "follow"])]
    pub suite: Option<crate::suite::Size>,
}
