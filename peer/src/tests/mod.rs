//! Two drivers on loopback, each with a machine that does as the test says.

mod data;
mod ends;
mod mtu;
mod puppet;
mod strangers;
