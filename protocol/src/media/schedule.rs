//! Who is sent what, and when: one budget of wire bytes, shared out by class and deadline.

pub mod wire;
