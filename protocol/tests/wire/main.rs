//! The wire format from outside: byte for byte as it was (`golden`), and whatever a peer may send (`decoders`).

mod decoders;
mod golden;
mod meter;
mod mutate;
mod specimens;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;
