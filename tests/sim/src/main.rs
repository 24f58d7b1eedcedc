//! `banyan-sim`: the overlay in a discrete-event simulator.

fn main() {}
