//! Banyan without a window: broadcast a channel, watch one, measure how it is passed on.
//!
//! A session takes commands in and gives notices and a snapshot out; the command line ([`args`], [`config`], [`report`])
//! is one way to drive it. What decides is in `banyan-protocol`, what talks to the network in `banyan-peer`, what knows
//! pictures and sound in `banyan-media`.

pub mod args;
pub mod config;
pub mod error;
pub mod file;
pub mod folders;
pub mod notice;
pub mod quantity;
pub mod report;
pub mod snapshot;
