//! The cloud child process: `banyan`, started again for what needs credentials, with five verbs over a pipe.

pub mod message;
mod parent;
mod serve;
mod work;

pub use parent::{Cloud, PROGRESS_MAX, Spawn};
pub use serve::{Config, Pace, serve};
