//! What is set up before anything else.

use std::io;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

/// The exit code of a process that panicked, as Rust's own.
const PANICKED: i32 = 101;

/// Logs to standard error what `RUST_LOG` says, and ends the process when any part of it panics: a relay that is half alive
/// costs as much as a whole one, and its machine powers off with the process.
pub fn prepare() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        std::process::exit(PANICKED);
    }));
}

/// One thread: what a relay does is quinn's work, and is cheapest where it stays on one core.
///
/// # Errors
/// If the system gives none.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
