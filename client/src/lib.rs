//! Banyan without a window: broadcast a channel, watch one, measure how it is passed on.
//!
//! A [`session`] takes orders in and gives notices and a snapshot out; the command line ([`args`], [`config`], [`report`],
//! [`run`]) is one way to drive it, and what a window shows comes from a [`player`]. What decides is in `banyan-protocol`, what talks to the network in `banyan-peer`, what
//! knows pictures and sound in `banyan-media`.

pub mod args;
pub mod bench;
mod channel;
pub mod cloud;
pub mod config;
pub mod error;
pub mod file;
pub mod folders;
mod http;
pub mod inputs;
pub mod notice;
mod output;
pub mod player;
pub mod quantity;
mod random;
pub mod report;
pub mod run;
pub mod session;
pub mod snapshot;
mod start_time;
pub mod trees;
