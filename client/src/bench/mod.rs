//! `bench relay`: what forwarding costs, and how long it takes.
//!
//! One process forwards with the engine that viewers and relays use ([`banyan_relay::forwarder`]). This process is the load: a source that feeds it a
//! stream in ten stripes, and its children, each with a key, a socket and a ticket of its own.

mod child;
mod plan;
mod process;
mod relay;
mod source;
mod summary;

pub use relay::run as relay;
pub use summary::BenchResult;
