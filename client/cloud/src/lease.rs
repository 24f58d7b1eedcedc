//! How long, and for how much, a relay may run.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which lease: 16 random bytes, 32 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub [u8; 16]);

impl LeaseId {
    /// A new one.
    ///
    /// # Panics
    /// If the system has no random numbers.
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system has random numbers");
        Self(bytes)
    }
}

impl fmt::Display for LeaseId {
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
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LeaseId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An absolute time: whole seconds of UTC since 1970, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// What this machine's clock says.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_secs()))
    }

    /// So much later.
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_secs()))
    }

    /// How long it is from `earlier` to this; zero if this is the earlier one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// How long, and for how many bytes, a relay may run: both are hard limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Which.
    pub id: LeaseId,
    /// When it ends.
    pub ends: UnixTime,
    /// The most wire bytes that the relay may send.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_digits() {
        let id = LeaseId([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16)] {
            assert_eq!(wrong.parse::<LeaseId>(), Err(NoLeaseId));
        }
        assert_ne!(LeaseId::random(), LeaseId::random());
    }

    #[test]
    fn a_lease_is_plain_json() {
        let lease = Lease {
            id: LeaseId([1; 16]),
            ends: UnixTime(1_800_000_000),
            bytes: 5,
        };
        let text = serde_json::to_string(&lease).unwrap();
        let id = "01".repeat(16);
        assert_eq!(text, format!(r#"{{"id":"{id}","ends":1800000000,"bytes":5}}"#));
        assert_eq!(serde_json::from_str::<Lease>(&text).unwrap(), lease);
    }
}
