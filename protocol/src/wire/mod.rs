//! What goes over the wire, and in links: every decoder that the network reaches is in here.

pub mod amendments;
mod bounded;
pub mod chunk;
pub mod close;
pub mod codec;
pub mod control;
pub mod enrol;
pub mod framing;
pub mod layout;
pub mod lease;
pub mod link;
pub mod order;
pub mod patch;
pub mod region;
pub mod signed;
pub mod text;
pub mod ticket;
