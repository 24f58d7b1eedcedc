//! The app's command line.

use clap::Parser;

/// Watch live TV that its viewers pass on to each other, or broadcast your own.
#[derive(Debug, Parser)]
#[command(
    name = "banyan-tv",
    version,
    after_help = "Example:\n  banyan-tv 'banyan://…'    opens the window and joins the channel"
)]
pub struct Args {
    /// A channel to join at once.
    pub link: Option<String>,
}
