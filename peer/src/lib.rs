//! What does what Banyan decides. The state machines of `banyan-protocol` say whom to dial, what to send and what to
//! close; this crate carries it out over QUIC, and tells them what happened and what time it is. It has no opinion of its
//! own: broadcaster, viewer and relay share it.
//!
//! One [`spawn`]ed task owns a machine, all its links and the only [`Clock`]. Around it are one task a link and one a lane
//! that reads, and quinn's own; writing needs none. What waits where, and what happens when it is full:
//!
//! | queue | bound | when full |
//! |---|---|---|
//! | frames read, for the driver | 256 frames | reading waits, and by flow control the peer |
//! | frames to a data lane | the machine's, [`LINK_BACKLOG_MAX`](banyan_protocol::limits::LINK_BACKLOG_MAX) | (it sees what has [drained](banyan_protocol::io::Input::Drained)) |
//! | frames to a control lane | 256 KiB | the link is closed |
//! | [`Outgoing`] plays | 8192 or 64 MiB, and the channel | dropped up to the next keyframe, with a gap |
//! | [`Outgoing`] events | 256 and the channel | the oldest is dropped |
//! | commands | 64 | whoever commands waits |

mod accept;
mod address;
mod batch;
mod clock;
mod dial;
mod driver;
mod end;
mod endpoint;
mod gate;
mod handle;
mod happening;
pub mod identity;
mod lane;
mod link;
mod links;
mod outlet;
mod pulse;
mod ready;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod transport;

pub use address::candidates;
pub use clock::Clock;
pub use endpoint::{BindError, Config, DEFAULT_PORT, Endpoint};
pub use gate::Inbound;
pub use handle::{Handle, Inspector, spawn};
pub use outlet::Outgoing;
