//! Runs Banyan's state machines in a simulated network: the same code that real programs run, at many times their
//! speed, with every fault we can think of, and so that a seed replays byte for byte.
//!
//! [`net`] is the network model on one page, [`world`] drives the machines, the rest is what they are put through and
//! what must hold.

pub mod args;
mod audience;
pub mod case;
pub mod chance;
pub mod cheat;
pub mod check;
pub mod copies;
pub mod keys;
pub mod media;
pub mod net;
pub mod prices;
pub mod promise;
mod roles;
pub mod scenario;
pub mod score;
pub mod show;
pub mod suite;
#[cfg(test)]
mod toy;
pub mod world;
