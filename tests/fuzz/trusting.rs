//! Takes every signature for good, so that what is behind it is reached.

use banyan_protocol::id::{Context, PublicKey, Signature, Verify};

pub struct Trusting;

impl Verify for Trusting {
    fn verify(&self, _: &PublicKey, _: Context, _: &[u8], _: &Signature) -> bool {
        true
    }
}
