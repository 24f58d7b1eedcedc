//! Striping: a block's body becomes equal shards, one a stripe, and a parity shard that stands in for any one of them.

use super::StripeId;
use super::block::Block;
use crate::id::Sign;
use crate::wire::chunk::{Chunk, Header};
use crate::wire::layout::Tier;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::ops::Range;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

/// Where shard `index` of `shards` lies in a body of `len` bytes: equal parts, the last ones shorter or empty.
pub fn shard_range(len: usize, shards: u8, index: u8) -> Range<usize> {
    let size = len.div_ceil(shards.into());
    let start = (size * usize::from(index)).min(len);
    start..(start + size).min(len)
}

/// Bytes of the parity shard of a body of `len` bytes: the longest shard, rounded up to an even length.
pub fn parity_len(len: usize, shards: u8) -> usize {
    len.div_ceil(shards.into()).next_multiple_of(2)
}

/// Cuts `body` into `shards` parts without copying it.
pub fn split(body: &Bytes, shards: u8) -> Vec<Bytes> {
    (0..shards)
        .map(|index| body.slice(shard_range(body.len(), shards, index)))
        .collect()
}

/// The parity shard of all the shards of a body; empty if the body is.
pub fn parity(shards: &[Bytes]) -> Bytes {
    let len: usize = shards.iter().map(Bytes::len).sum();
    let size = parity_len(len, shards.len() as u8);
    if size == 0 {
        return Bytes::new();
    }
    let mut encoder =
        ReedSolomonEncoder::new(shards.len(), 1, size).expect("1 to 16 shards of an even size are supported");
    for shard in shards {
        encoder
            .add_original_shard(padded(shard, size))
            .expect("no more shards than announced, each of that size");
    }
    let encoded = encoder.encode().expect("all shards were added");
    Bytes::copy_from_slice(encoded.recovery(0).expect("one parity shard was asked for"))
}

/// The one data shard that is missing (`None`) from a body of `len` bytes. `None` if not exactly one is missing, or if
/// the others' lengths are not those of such a body.
pub fn recover(len: usize, shards: &[Option<Bytes>], parity: &Bytes) -> Option<(u8, Bytes)> {
    let count = u8::try_from(shards.len()).ok()?;
    let missing = shards.iter().position(Option::is_none)?;
    let range = shard_range(len, count, missing as u8);
    let size = parity_len(len, count);
    if parity.len() != size {
        return None;
    }
    if range.is_empty() {
        return Some((missing as u8, Bytes::new()));
    }
    let mut decoder = ReedSolomonDecoder::new(shards.len(), 1, size).ok()?;
    decoder.add_recovery_shard(0, parity).ok()?;
    for (index, shard) in shards.iter().enumerate().filter(|(index, _)| *index != missing) {
        let shard = shard.as_ref().filter(|shard| shard.len() <= size)?;
        decoder.add_original_shard(index, padded(shard, size)).ok()?;
    }
    let decoded = decoder.decode().ok()?;
    let shard = decoded.restored_original(missing)?;
    Some((missing as u8, Bytes::copy_from_slice(&shard[..range.len()])))
}

/// `block` as the signed chunks of all stripes of `tier`, the parity stripe last if the tier has one.
///
/// # Panics
/// If a shard is larger than a chunk may be; [`Smoother`](super::smooth::Smoother) cuts no such block.
pub fn seal(key: &dyn Sign, block: &Block, tier: &Tier, layout: u32, epoch: u64) -> Vec<Chunk> {
    let mut shards = split(&block.body, tier.stripes);
    if tier.parity {
        shards.push(parity(&shards));
    }
    let seal_one = |(index, shard): (usize, &Bytes)| {
        let header = Header {
            flags: block.flags,
            stripe: StripeId {
                tier: tier.id,
                index: index as u8,
            },
            shards: tier.stripes,
            layout,
            epoch,
            block: block.number,
            captured: block.captured,
            block_len: block.body.len() as u32,
        };
        Chunk::seal(key, header, shard)
    };
    shards.iter().enumerate().map(seal_one).collect()
}

fn padded(shard: &Bytes, size: usize) -> Bytes {
    if shard.len() == size {
        return shard.clone();
    }
    let mut padded = BytesMut::zeroed(size);
    padded[..shard.len()].copy_from_slice(shard);
    padded.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn body(len: usize, rng: &mut Rng) -> Bytes {
        (0..len).map(|_| rng.next() as u8).collect()
    }

    #[test]
    fn shards_are_equal_slices_that_make_up_the_body() {
        let body = Bytes::from_static(b"0123456789");
        let shards = split(&body, 4);
        assert_eq!(shards, [&b"012"[..], b"345", b"678", b"9"]);
        assert_eq!(shards[1].as_ptr(), body[3..].as_ptr(), "no copy");
        assert_eq!(split(&body, 16)[10..], [&b""[..]; 6]);
        assert_eq!(split(&Bytes::new(), 3), [&b""[..]; 3]);
    }

    #[test]
    fn any_one_shard_is_recovered() {
        let mut rng = Rng::new(3);
        for shards in 1..=16 {
            for len in [0, 1, 2, 15, 16, 17, 333, 4096] {
                let body = body(len, &mut rng);
                let whole = split(&body, shards);
                let parity = parity(&whole);
                assert_eq!(parity.len(), parity_len(len, shards));
                for lost in 0..usize::from(shards) {
                    let mut left: Vec<_> = whole.iter().cloned().map(Some).collect();
                    left[lost] = None;
                    let recovered = recover(len, &left, &parity);
                    assert_eq!(
                        recovered,
                        Some((lost as u8, whole[lost].clone())),
                        "{shards} {len} {lost}"
                    );
                }
            }
        }
    }

    #[test]
    fn two_missing_shards_are_beyond_recovery() {
        let whole = split(&Bytes::from_static(b"0123456789"), 5);
        let parity = parity(&whole);
        let mut left: Vec<_> = whole.iter().cloned().map(Some).collect();
        assert_eq!(recover(10, &left, &parity), None, "none is missing");
        left[1] = None;
        left[3] = None;
        assert_eq!(recover(10, &left, &parity), None);
        left[1] = Some(whole[1].clone());
        assert_eq!(
            recover(10, &left, &parity.slice(..1)),
            None,
            "parity of another length"
        );
    }
}
