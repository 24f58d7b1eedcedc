//! The cloud rig: the real child process with the real SDK talks to moto's EC2 server, through a proxy that fails as EC2
//! does.
//!
//! moto keeps instances, tags and groups as EC2 does, but ignores client tokens and hands out addresses that nobody has.
//! The [`proxy`] puts both right, gives EC2's errors and late answers when a test says so, and keeps every request.
//! Nothing leaves the loopback interface.

pub mod moto;
pub mod proxy;
mod query;
pub mod rig;

pub use proxy::{Fault, Proxy, Seen};
pub use rig::Rig;
