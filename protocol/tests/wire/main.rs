//! The wire format from outside: byte for byte as it was (`golden`), and whatever a peer may send (`decoders`).

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod decoders;
mod golden;
mod meter;
mod mutate;
mod specimens;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;
