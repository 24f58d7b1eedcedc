//! Leases: for how long, and for how many bytes, a relay may run.

use crate::time::Utc;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names a lease: 128 random bits, made by the sponsor for each yes. 32 hexadecimal digits as text, 16 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub [u8; 16]);

impl fmt::Display for LeaseId {
    /// All of it: what is shown can be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a lease is 32 digits from 0 to f, as banyan relays list shows them")]
pub struct NoLeaseId;

impl FromStr for LeaseId {
    type Err = NoLeaseId;

    fn from_str(text: &str) -> Result<Self, NoLeaseId> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NoLeaseId)?;
        bytes.try_into().map(Self).map_err(|_| NoLeaseId)
    }
}

impl Serialize for LeaseId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.collect_str(self)
        } else {
            self.0.serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for LeaseId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            String::deserialize(from)?
                .parse()
                .map_err(serde::de::Error::custom)
        } else {
            <[u8; 16]>::deserialize(from).map(Self)
        }
    }
}

/// What a sponsor pays for: hard limits, both of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    use crate::wire::codec;
    use alloc::string::ToString;

    #[test]
    fn an_id_is_32_digits_for_people_and_16_bytes_on_the_wire() {
        let id = LeaseId([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16)] {
            assert_eq!(wrong.parse::<LeaseId>(), Err(NoLeaseId));
        }
        let wire = codec::encode(&id);
        assert_eq!(wire.as_ref(), [0xab; 16]);
        assert_eq!(codec::decode::<LeaseId>(&wire), Ok(id));
    }

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
