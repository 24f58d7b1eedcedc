//! What a relay is told when it boots: the instance's user data, or the file that `banyan-relay --config` reads.

use crate::failure::{Failure, Why};
use crate::lease::{Lease, UnixTime};
use banyan_protocol::id::{PeerId, key_text};
use banyan_protocol::wire::text;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;

/// The version of the boot data.
const VERSION: u8 = 1;

/// The relay refuses more, and a provider's limit is above it.
pub const BOOT_DATA_MAX: usize = 4 * 1024;

/// What a relay must know, beside its lease: public keys, and a secret that works once and for minutes. Nothing lasting,
/// for whoever may look at the machine's settings can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// The channel to serve.
    pub channel: Key,
    /// Whose orders it takes.
    pub sponsor: Key,
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
    pub until: UnixTime,
}

impl Boot {
    /// The boot data of a relay with this lease: one line of JSON.
    ///
    /// # Errors
    /// [`Why::BootData`] if they are larger than a relay takes.
    pub fn data(&self, lease: &Lease) -> Result<String, Failure> {
        #[derive(Serialize)]
        struct Data<'a> {
            banyan: u8,
            channel: Key,
            sponsor: Key,
            lease: &'a Lease,
            enrol: &'a Enrol,
            listen: SocketAddr,
            uplink_bps: Option<u64>,
        }
        let data = Data {
            banyan: VERSION,
            channel: self.channel,
            sponsor: self.sponsor,
            lease,
            enrol: &self.enrol,
            listen: self.listen,
            uplink_bps: self.uplink_bps,
        };
        let text = serde_json::to_string(&data).expect("boot data are plain data with text keys");
        if text.len() > BOOT_DATA_MAX {
            return Err(Failure::new(
                Why::BootData,
                format!(
                    "the relay's boot data have {} bytes, and {BOOT_DATA_MAX} is the limit: this is a bug, please report it",
                    text.len()
                ),
            ));
        }
        Ok(text)
    }
}

/// A public key, as text for programs: all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub PeerId);

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
        Ok(Self(PeerId(key)))
    }
}

/// 16 random bytes that only the sponsor and the launched relay know. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolSecret(pub [u8; 16]);

impl EnrolSecret {
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

impl fmt::Debug for EnrolSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolSecret(…)")
    }
}

impl Serialize for EnrolSecret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for EnrolSecret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        // The text itself stays out of the error.
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("an enrolment secret has 32 hexadecimal digits"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::lease::LeaseId;

    pub(crate) fn boot() -> Boot {
        Boot {
            channel: Key(PeerId([1; 32])),
            sponsor: Key(PeerId([2; 32])),
            enrol: Enrol {
                secret: EnrolSecret([3; 16]),
                until: UnixTime(1_800_000_600),
            },
            listen: "[::]:4600".parse().unwrap(),
            uplink_bps: None,
        }
    }

    pub(crate) fn lease() -> Lease {
        Lease {
            id: LeaseId([4; 16]),
            ends: UnixTime(1_800_003_600),
            bytes: 11_000_000_000,
        }
    }

    #[test]
    fn boot_data_are_as_the_relay_reads_them() {
        let key = |byte| key_text(&PeerId([byte; 32]));
        assert_eq!(
            boot().data(&lease()).unwrap(),
            format!(
                concat!(
                    r#"{{"banyan":1,"channel":"{}","sponsor":"{}","#,
                    r#""lease":{{"id":"{}","ends":1800003600,"bytes":11000000000}},"#,
                    r#""enrol":{{"secret":"{}","until":1800000600}},"listen":"[::]:4600","uplink_bps":null}}"#
                ),
                key(1),
                key(2),
                "04".repeat(16),
                "03".repeat(16)
            )
        );
    }

    #[test]
    fn the_secret_is_not_shown() {
        let boot = boot();
        let shown = format!("{boot:?}");
        assert!(!shown.contains("0303") && !shown.contains("3, 3"), "{shown}");
        let wrong = serde_json::from_str::<EnrolSecret>("\"5ec3e7\"").unwrap_err();
        assert!(!wrong.to_string().contains("5ec3e7"), "{wrong}");
    }

    #[test]
    fn it_survives_the_pipe() {
        let text = serde_json::to_string(&boot()).unwrap();
        assert_eq!(serde_json::from_str::<Boot>(&text).unwrap(), boot());
        let extra = text.replacen('{', r#"{"aws_key":"x","#, 1);
        assert!(serde_json::from_str::<Boot>(&extra).is_err());
    }
}
