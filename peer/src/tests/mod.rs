//! Two drivers on loopback, each with a machine that does as the test says.

mod data;
mod ends;
mod puppet;
mod strangers;
