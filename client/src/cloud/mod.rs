//! The cloud on the command line: relays that run, the account they run in, and the process that reads credentials.

pub(crate) mod account;
pub(crate) mod child;
mod courier;
pub mod desk;
pub mod estimate;
pub(crate) mod extend;
pub(crate) mod rein;
pub(crate) mod relays;
