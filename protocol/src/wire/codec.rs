//! The one place where `bincode` is named: control messages, layouts and tickets become bytes and come back.

use alloc::vec::Vec;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::error::DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::CONTROL_FRAME_MAX;

/// Little endian, variable-length integers, and never more memory than the largest frame may hold.
const CONFIG: Configuration<LittleEndian, Varint, Limit<CONTROL_FRAME_MAX>> =
    bincode::config::standard().with_limit::<CONTROL_FRAME_MAX>();

/// Bytes that are not a message of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They are longer than any message may be.
    #[error("message of {0} bytes is too large")]
    TooLarge(usize),
    /// They end before the message does, or say nonsense.
    #[error("message is malformed")]
    Malformed,
    /// The message ends before they do.
    #[error("message has {0} bytes too many")]
    Trailing(usize),
}

/// `message` as bytes.
///
/// # Panics
/// If it is larger than [`CONTROL_FRAME_MAX`]: what we send is bounded by `limits`.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(message, CONFIG).expect("our own messages are within their limits")
}

/// The message that `bytes` are, wholly.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > CONTROL_FRAME_MAX {
        return Err(CodecError::TooLarge(bytes.len()));
    }
    let (message, used) = bincode::serde::decode_from_slice(bytes, CONFIG).map_err(|error| match error {
        DecodeError::LimitExceeded => CodecError::TooLarge(bytes.len()),
        _ => CodecError::Malformed,
    })?;
    match bytes.len() - used {
        0 => Ok(message),
        rest => Err(CodecError::Trailing(rest)),
    }
}
