//! Runs Banyan's state machines in a simulated network: the same code that real programs run, at many times their
//! speed, with every fault we can think of, and so that a seed replays byte for byte.
//!
//! [`net`] is the network model on one page, [`world`] drives the machines, the rest is what they are put through and
//! what must hold.

pub mod chance;
pub mod keys;
pub mod media;
pub mod net;
pub mod scenario;
#[cfg(test)]
mod toy;
pub mod world;
