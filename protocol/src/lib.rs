//! What decides in Banyan: the wire format, the media tiers and stripes, the trees, and the state machine of each role.
//!
//! This crate is pure. It performs no I/O, reads no clock and draws no random number: it is `no_std`, so that none of
//! these can even be named. A state machine is driven through one boundary, [`io`]: things that happened go in with the
//! current time, things to be done come out. `peer/` drives it over QUIC, `tests/sim` in a simulated network; the same
//! inputs give the same outputs, byte for byte.
//!
//! Where to look: [`wire`] for formats, [`media`] for what happens to the stream, [`overlay`] for who hangs where,
//! [`role`] for the state machines.
#![no_std]

extern crate alloc;

pub mod event;
pub mod id;
pub mod io;
pub mod limits;
pub mod media;
pub mod overlay;
pub mod rng;
pub mod role;
pub mod time;
pub mod units;
pub mod wire;
