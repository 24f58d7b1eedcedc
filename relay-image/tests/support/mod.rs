//! A relay's process, and whoever calls it.

pub(crate) mod caller;
pub(crate) mod process;
