//! Bytes as text that people can read out: base 32 in lower case, without padding (RFC 4648 §6).

use alloc::string::String;
use alloc::vec::Vec;
use data_encoding::BASE32_NOPAD_NOCASE;

/// `bytes` as lower-case base 32.
pub fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD_NOCASE.encode(bytes).to_ascii_lowercase()
}

/// The bytes that `text` stands for, in either case; `None` if it is not base 32.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    BASE32_NOPAD_NOCASE.decode(text.as_bytes()).ok()
}
