//! The cloud on the command line: relays that run, the account they run in, and the process that reads credentials.

pub(crate) mod account;
pub(crate) mod child;
pub(crate) mod relays;
