//! The state machine of each role.

pub mod broadcaster;
pub mod config;
pub mod relay;
mod scope;
pub mod viewer;
