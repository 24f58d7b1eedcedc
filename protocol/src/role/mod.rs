//! The state machine of each role.

pub mod config;
