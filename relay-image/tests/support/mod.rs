//! A relay's process, and whoever calls it.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod caller;
pub(crate) mod process;
