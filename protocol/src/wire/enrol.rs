//! How a relay proves to its sponsor that it is the one that was started: it knows the secret of its boot data, and speaks over this
//! very link (`docs/protocol.md` §11).

use crate::id::PeerId;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
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

/// The secret that a relay finds in its boot data: good for one enrolment, and for ten minutes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// What `relay` shows on a link with that binding: HMAC-SHA256 of the binding and its key.
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
        let (secret, binding, relay) = (Secret([1; 16]), Binding([2; 32]), PeerId([3; 32]));
        let proof = secret.proof(&binding, &relay);
        assert!(secret.is_proved(&binding, &relay, &proof));
        assert!(!Secret([9; 16]).is_proved(&binding, &relay, &proof));
        assert!(!secret.is_proved(&Binding([9; 32]), &relay, &proof));
        assert!(!secret.is_proved(&binding, &PeerId([9; 32]), &proof));
        assert!(!secret.is_proved(&binding, &relay, &[0; 32]));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(alloc::format!("{:?}", Secret([7; 16])), "Secret(..)");
    }
}
