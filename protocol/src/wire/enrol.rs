//! How a relay proves to its sponsor that it is the one that was started: it knows the secret of its boot data, and speaks over this
//! very link (`docs/protocol.md` §11).

use crate::id::PeerId;
use alloc::string::String;
use core::fmt;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

/// A number that both ends of a TLS connection derive, and nobody else knows: RFC 8446 §7.5, with [`EXPORTER_LABEL`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub [u8; 32]);

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding(..)")
    }
}

/// The label of the exported key; its context is empty.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-banyan-enrol";

/// 16 random bytes that only the sponsor and the launched relay know, by the relay's boot data: good for one enrolment, and for ten
/// minutes. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EnrolSecret(pub [u8; 16]);

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

impl EnrolSecret {
    /// What `relay` shows on a link with that binding: HMAC-SHA256 of the binding and its name.
    pub fn proof(&self, binding: &Binding, relay: &PeerId) -> [u8; 32] {
        self.mac(binding, relay).finalize().into_bytes().into()
    }

    /// Whether `proof` is that. Takes the same time whatever is wrong with it.
    pub fn is_proved(&self, binding: &Binding, relay: &PeerId, proof: &[u8; 32]) -> bool {
        self.mac(binding, relay).verify(proof.into()).is_ok()
    }

    fn mac(&self, binding: &Binding, relay: &PeerId) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(&binding.0);
        mac.update(&relay.0);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_its_secret_link_and_relay_only() {
        let (secret, binding, relay) = (EnrolSecret([1; 16]), Binding([2; 32]), PeerId([3; 16]));
        let proof = secret.proof(&binding, &relay);
        assert!(secret.is_proved(&binding, &relay, &proof));
        assert!(!EnrolSecret([9; 16]).is_proved(&binding, &relay, &proof));
        assert!(!secret.is_proved(&Binding([9; 32]), &relay, &proof));
        assert!(!secret.is_proved(&binding, &PeerId([9; 16]), &proof));
        assert!(!secret.is_proved(&binding, &relay, &[0; 32]));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(alloc::format!("{:?}", EnrolSecret([7; 16])), "EnrolSecret(…)");
    }
}
