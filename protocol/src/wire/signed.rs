//! A message with its signature: the exact bytes that were signed travel, so that nobody encodes them again.

use crate::id::{Context, PublicKey, Sign, Signature, Verify};
use crate::wire::codec::{self, CodecError};
use alloc::vec::Vec;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a signed message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// It is shorter than a signature.
    #[error("too short to carry a signature")]
    Short,
    /// The signature is not the expected signer's.
    #[error("wrong signature")]
    Forged,
    /// It was signed, and yet it is no such message.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// `body ‖ signature` for `message`.
pub fn seal<T: Serialize>(key: &dyn Sign, context: Context, message: &T) -> Bytes {
    seal_for(key, context, &[], message)
}

/// `body ‖ signature` for `message`, where the signature is over `whom ‖ body`: what both ends know is signed, and does not
/// travel.
pub fn seal_for<T: Serialize>(key: &dyn Sign, context: Context, whom: &[u8], message: &T) -> Bytes {
    let mut bytes: Vec<u8> = codec::encode(message);
    let signature = key.sign(context, &[whom, &bytes].concat());
    bytes.extend_from_slice(&signature.0);
    bytes.into()
}

/// The message in `bytes`, if `signer` signed it in `context`.
pub fn open<T: DeserializeOwned>(
    verify: &dyn Verify,
    signer: &PublicKey,
    context: Context,
    bytes: &[u8],
) -> Result<T, SignedError> {
    open_for(verify, signer, context, &[], bytes)
}

/// The message in `bytes`, if `signer` signed it in `context` for `whom`.
pub fn open_for<T: DeserializeOwned>(
    verify: &dyn Verify,
    signer: &PublicKey,
    context: Context,
    whom: &[u8],
    bytes: &[u8],
) -> Result<T, SignedError> {
    let (body, signature) = bytes
        .split_last_chunk::<{ Signature::LEN }>()
        .ok_or(SignedError::Short)?;
    let signed = [whom, body].concat();
    if !verify.verify(signer, context, &signed, &Signature(*signature)) {
        return Err(SignedError::Forged);
    }
    Ok(codec::decode(body)?)
}
