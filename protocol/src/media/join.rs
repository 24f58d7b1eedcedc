//! How parts become one piece again: a block's shards, and a packet's parts that came in several blocks.

use bytes::{Bytes, BytesMut};

/// Puts parts together, in order.
///
/// [`copied`], unless a driver knows better: one with many viewers, who are all sent the same chunks, need not have each of them make a
/// copy of its own.
pub type Join = fn(&[Bytes]) -> Bytes;

/// A copy of all parts; a single one is shared.
pub fn copied(parts: &[Bytes]) -> Bytes {
    if let [part] = parts {
        return part.clone();
    }
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        whole.extend_from_slice(part);
    }
    whole.freeze()
}
