//! The cloud rig: the real child process with the real SDK talks to moto's EC2 server, through a proxy that fails as EC2
//! does.
//!
//! moto keeps instances, tags and groups as EC2 does, but ignores client tokens and hands out addresses that nobody has.
//! The [`proxy`] puts both right, gives EC2's errors and late answers when a test says so, and keeps every request.
//! Where a test wants them, there are [machines](machine) too: our image in QEMU, or the relay's process, with a metadata
//! service. Nothing leaves the loopback interface, or a network that the test made.

pub mod channel;
pub mod machine;
pub mod moto;
pub mod program;
pub mod proxy;
mod query;
pub mod rig;

pub use proxy::{Fault, Proxy, Seen};
pub use rig::Rig;
