//! Keys of simulated nodes, and a cheap stand-in for Ed25519.

use crate::chance::mix;
use banyan_protocol::id::{Context, Ed25519, PeerId, PublicKey, SecretKey, Sign, Signature, Verify};
use std::sync::Arc;

/// Which signatures a simulation uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signatures {
    /// A hash over the ends of a message and words from its middle, keyed with the public key: fast, and enough
    /// against altered bytes where our forgers alter them.
    #[default]
    Hash,
    /// The real ones.
    Ed25519,
}

impl Signatures {
    /// The key of the channel in this seed.
    pub fn channel_key(self, seed: u64) -> Arc<dyn Sign> {
        match self {
            Self::Hash => Arc::new(HashKey(random_key(seed, u64::MAX))),
            Self::Ed25519 => Arc::new(SecretKey::from_bytes(&random_key(seed, u64::MAX).0)),
        }
    }

    /// What checks its signatures.
    pub fn verify(self) -> Arc<dyn Verify> {
        match self {
            Self::Hash => Arc::new(HashVerify),
            Self::Ed25519 => Arc::new(Ed25519),
        }
    }
}

fn random_key(seed: u64, index: u64) -> PublicKey {
    let mut key = [0; PublicKey::LEN];
    for (word, bytes) in key.chunks_exact_mut(8).enumerate() {
        let value = mix(mix(seed, index), word as u64);
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    PublicKey(key)
}

/// What names node `index`.
pub fn peer_id(seed: u64, index: u64) -> PeerId {
    random_key(seed, index).peer()
}

/// The key by which a node signs that signs by hashing.
pub fn hashed_key(id: &PeerId) -> PublicKey {
    let mut key = [0; PublicKey::LEN];
    key[..PeerId::LEN].copy_from_slice(&id.0);
    PublicKey(key)
}

/// Signs for `id` by hashing.
pub fn hash_key(id: &PeerId) -> Arc<dyn Sign> {
    Arc::new(HashKey(hashed_key(id)))
}

struct HashKey(PublicKey);

impl Sign for HashKey {
    fn public(&self) -> PublicKey {
        self.0
    }

    fn sign(&self, context: Context, message: &[u8]) -> Signature {
        keyed_hash(&self.0, context, message)
    }
}

struct HashVerify;

impl Verify for HashVerify {
    fn verify(&self, signer: &PublicKey, context: Context, message: &[u8], signature: &Signature) -> bool {
        keyed_hash(signer, context, message) == *signature
    }
}

/// Words of a message that are hashed at either end.
const ENDS: usize = 8;

fn keyed_hash(signer: &PublicKey, context: Context, message: &[u8]) -> Signature {
    let mut hash = mix(word(&signer.0, 0), context as u64);
    hash = mix(hash, message.len() as u64);
    let words = message.len() / 8;
    let stride = (words / ENDS).max(1);
    for at in (0..words.min(ENDS)).chain((0..words).step_by(stride)) {
        hash = mix(hash, word(message, at * 8));
    }
    let tail = message.len().saturating_sub(8 * ENDS);
    for at in (tail..message.len()).step_by(8) {
        hash = mix(hash, word(message, at));
    }
    let mut signature = [0; Signature::LEN];
    signature[..8].copy_from_slice(&hash.to_le_bytes());
    signature[Signature::LEN - 8..].copy_from_slice(&hash.to_le_bytes());
    Signature(signature)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let rest = &bytes[at..];
    rest.first_chunk().map_or_else(
        || rest.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
        |word| u64::from_le_bytes(*word),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_signatures_notice_what_a_forger_alters() {
        for kind in [Signatures::Hash, Signatures::Ed25519] {
            let key = kind.channel_key(7);
            let verify = kind.verify();
            for len in [1, 7, 8, 63, 64, 200, 6000] {
                let message = vec![3; len];
                let signature = key.sign(Context::Chunk, &message);
                assert!(verify.verify(&key.public(), Context::Chunk, &message, &signature));
                assert!(!verify.verify(&key.public(), Context::Ticket, &message, &signature));
                assert!(!verify.verify(&random_key(7, 1), Context::Chunk, &message, &signature));
                for at in [0, len / 2 / 8 * 8, len - 1]
                    .into_iter()
                    .filter(|at| len < 100 || *at < 64 || at + 64 > len)
                {
                    let mut altered = message.clone();
                    altered[at] ^= 1;
                    assert!(!verify.verify(&key.public(), Context::Chunk, &altered, &signature));
                }
            }
        }
    }
}
