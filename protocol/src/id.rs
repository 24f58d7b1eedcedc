//! Identities: Ed25519 public keys, how they are shown, and what signing and verifying mean.

use crate::wire::text;
use alloc::string::String;
use core::fmt;
use ed25519_dalek::{Signature as DalekSignature, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha512};

/// An Ed25519 public key. A channel is the key of its broadcaster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; PublicKey::LEN]);

impl PublicKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// Whose key it is.
    pub fn peer(&self) -> PeerId {
        PeerId(
            *self
                .0
                .first_chunk()
                .expect("a key is longer than what names its peer"),
        )
    }
}

impl fmt::Display for PublicKey {
    /// As its peer is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.peer(), f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    /// Text for people (JSON), 32 bytes on the wire.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.collect_str(self)
        } else {
            self.0.serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <[u8; Self::LEN]>::deserialize(from).map(Self)
    }
}

/// A peer: the first 128 bits of the [`PublicKey`] that is its TLS identity. Nobody but the key's holder finds another one that begins so (the
/// negative of an own key does, and is good for nothing that the key itself is not); whole keys travel only where a signature is checked by them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; PeerId::LEN]);

impl PeerId {
    /// Bytes on the wire.
    pub const LEN: usize = 16;

    /// The first bytes, which stand for the peer where bytes are dear: in tickets.
    pub fn tag(&self) -> PeerTag {
        PeerTag(
            *self
                .0
                .first_chunk()
                .expect("what names a peer is longer than its tag"),
        )
    }
}

impl fmt::Display for PeerId {
    /// The first 40 bits in base 32: short, and stable for as long as the key is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::base32(&self.0[..5]))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PeerId {
    /// Text for people (JSON), 16 bytes on the wire.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.collect_str(self)
        } else {
            self.0.serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <[u8; Self::LEN]>::deserialize(from).map(Self)
    }
}

/// The first 32 bits of a [`PeerId`]. The coordinator lets nobody in whose tag is a member's, so that a tag names one member;
/// peers link up by [`PeerId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerTag(pub [u8; PeerTag::LEN]);

impl PeerTag {
    /// Bytes on the wire.
    pub const LEN: usize = 4;
}

impl fmt::Debug for PeerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::base32(&self.0))
    }
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// Bytes on the wire.
    pub const LEN: usize = 64;
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", text::base32(&self.0[..5]))
    }
}

/// What is signed: every kind has a context of its own, so that one kind's signature is worthless for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// A chunk's header and payload.
    Chunk,
    /// A layout.
    Layout,
    /// A ticket.
    Ticket,
    /// An order to a relay.
    Order,
    /// A sponsor's delegation.
    Delegation,
}

impl Context {
    /// The Ed25519ph context string (RFC 8032 §5.1).
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Chunk => b"banyan chunk 1",
            Self::Layout => b"banyan layout 1",
            Self::Ticket => b"banyan ticket 1",
            Self::Order => b"banyan order 1",
            Self::Delegation => b"banyan delegation 1",
        }
    }
}

/// Signs with a private key that never leaves it.
pub trait Sign: Send + Sync {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// Whose key it is.
    fn id(&self) -> PeerId {
        self.public().peer()
    }

    /// Signs `message` in `context`.
    fn sign(&self, context: Context, message: &[u8]) -> Signature;
}

/// Verifies signatures. A state machine is given one, so that the simulator can pass a cheap stand-in and no peer can
/// ask for it.
pub trait Verify: Send + Sync {
    /// Whether `signature` is `signer`'s over `message` in `context`.
    fn verify(&self, signer: &PublicKey, context: Context, message: &[u8], signature: &Signature) -> bool;
}

/// A private key. Its bytes are wiped when it is dropped.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key made of 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The 32 bytes it was made of, for the key file and for TLS.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Whose key it is.
    pub fn id(&self) -> PeerId {
        self.public().peer()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public())
    }
}

impl Sign for SecretKey {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn sign(&self, context: Context, message: &[u8]) -> Signature {
        let digest = Sha512::new_with_prefix(message);
        let signature = self
            .0
            .sign_prehashed(digest, Some(context.as_bytes()))
            .expect("contexts are shorter than 255 bytes");
        Signature(signature.to_bytes())
    }
}

/// Ed25519ph as in RFC 8032, strict: no weak keys, no malleable signatures. About 40 µs a signature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519;

impl Verify for Ed25519 {
    fn verify(&self, signer: &PublicKey, context: Context, message: &[u8], signature: &Signature) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&signer.0) else {
            return false;
        };
        let digest = Sha512::new_with_prefix(message);
        key.verify_prehashed_strict(
            digest,
            Some(context.as_bytes()),
            &DalekSignature::from_bytes(&signature.0),
        )
        .is_ok()
    }
}

/// The text form of a whole key: 52 letters and digits.
pub fn key_text(key: &PublicKey) -> String {
    text::base32(&key.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_key_context_and_message_only() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let other = SecretKey::from_bytes(&[8; 32]);
        let signature = key.sign(Context::Chunk, b"hello");
        assert!(Ed25519.verify(&key.public(), Context::Chunk, b"hello", &signature));
        assert!(!Ed25519.verify(&other.public(), Context::Chunk, b"hello", &signature));
        assert!(!Ed25519.verify(&key.public(), Context::Ticket, b"hello", &signature));
        assert!(!Ed25519.verify(&key.public(), Context::Chunk, b"hellp", &signature));
        assert!(!Ed25519.verify(&PublicKey([0; 32]), Context::Chunk, b"hello", &signature));
    }
}
