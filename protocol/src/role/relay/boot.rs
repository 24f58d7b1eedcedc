//! What a relay is told when it boots: its machine's user data, or the file that `banyan-relay --config` reads. JSON, one
//! object.

use crate::id::{PublicKey, key_text};
use crate::time::Utc;
pub use crate::wire::enrol::EnrolSecret;
use crate::wire::lease::Lease;
use crate::wire::text;
use alloc::string::String;
use core::net::SocketAddr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A relay refuses longer boot data, and each provider's limit is above it.
pub const BOOT_DATA_MAX: usize = 4 * 1024;

/// What a relay must know: public keys, its lease, and a secret that works once and for minutes. Nothing lasting, for
/// whoever may look at the machine's settings can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// The version of the boot data.
    #[serde(rename = "banyan")]
    pub version: Version,
    /// The channel to serve.
    pub channel: Key,
    /// Whose orders it takes.
    pub sponsor: Key,
    /// How long, and for how many bytes, it may run.
    pub lease: Lease,
    /// How it proves to its sponsor that it is the one that was launched.
    pub enrol: Enrol,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The most it may send, wire bits a second; `None`: what its uplink gives.
    pub uplink_bps: Option<u64>,
}

/// The enrolment secret and how long it is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The secret.
    pub secret: EnrolSecret,
    /// After this it is worthless, used or not.
    pub until: Utc,
}

/// Version 1 of the boot data, the only one there is: a relay that knows another ends, and says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    const NUMBER: u64 = 1;
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u64::deserialize(from)? {
            Self::NUMBER => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!(
                "boot data of version {other}, and this relay knows version {}: use the relay of the sponsor's version",
                Self::NUMBER
            ))),
        }
    }
}

/// A public key, as text for programs: all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub PublicKey);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&key_text(&self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = text::from_base32(&text).and_then(|bytes| bytes.try_into().ok());
        let key = bytes.ok_or_else(|| serde::de::Error::custom("a key has 52 letters and digits"))?;
        Ok(Self(PublicKey(key)))
    }
}
