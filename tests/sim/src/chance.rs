//! Draws for scenarios and the network, on the protocol's deterministic generator.

use banyan_protocol::rng::Rng;

/// Draws numbers from a generator.
pub trait Chance {
    /// A number from 0 to below 1.
    fn unit(&mut self) -> f64;

    /// Whether something of this probability happens.
    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// A number from `low` to `high`.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// The time to the next of events that come `rate` times a second without memory.
    fn until_next(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }
}

impl Chance for Rng {
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Mixes two numbers into one that looks like neither.
pub const fn mix(a: u64, b: u64) -> u64 {
    let x = (a ^ b.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 32)).wrapping_add(b)
}
