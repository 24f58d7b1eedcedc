//! The cloud child process: `banyan`, started again for what needs credentials, with five verbs over a pipe.

mod keeper;
pub mod message;
mod parent;
mod serve;
mod work;

pub use keeper::Spawn;
pub use parent::{Cloud, PROGRESS_MAX};
pub use serve::{Config, Pace, serve};
