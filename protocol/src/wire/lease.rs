//! Leases: for how long, and for how many bytes, a relay may run.

use crate::time::Utc;
use crate::wire::text;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Names a lease: 128 random bits, made by the sponsor for each yes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId(pub [u8; 16]);

impl fmt::Display for LeaseId {
    /// The first 40 bits in base 32, as people are shown peers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::base32(&self.0[..5]))
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a sponsor pays for: hard limits, both of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// The absolute end: the relay is gone by then.
    pub ends: Utc,
    /// Wire bytes (Ethernet to QUIC) that it may send in all.
    pub bytes: u64,
}

impl Lease {
    /// Whether `self` allows nothing that `other` does not.
    pub fn is_within(&self, other: &Self) -> bool {
        self.id == other.id && self.ends <= other.ends && self.bytes <= other.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_within_another_if_nothing_in_it_is_wider() {
        let lease = |id, ends_s, bytes| Lease {
            id: LeaseId([id; 16]),
            ends: Utc::from_secs(ends_s),
            bytes,
        };
        let outer = lease(1, 1_000, 5_000);
        for (inner, within) in [
            (lease(1, 1_000, 5_000), true),
            (lease(1, 999, 4_999), true),
            (lease(1, 1_001, 5_000), false),
            (lease(1, 1_000, 5_001), false),
            (lease(2, 1_000, 5_000), false),
        ] {
            assert_eq!(inner.is_within(&outer), within, "{inner:?}");
        }
    }
}
