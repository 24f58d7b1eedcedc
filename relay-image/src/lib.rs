//! The relay: a helper that its sponsor starts, on a machine in the cloud or beside itself, and that carries what it is told to.
//!
//! The machine of `banyan-protocol` decides, the driver of `banyan-peer` does; this crate gives them [boot data](boot), a
//! [lifetime] that nothing outlasts, and a voice. No FFmpeg, no cloud SDK: it decodes nothing and commands nobody.

pub mod args;
pub mod boot;
pub mod error;
pub mod extension;
pub mod forwarder;
pub mod lifetime;
pub mod metadata;
pub mod report;
pub mod run;
pub mod start;
