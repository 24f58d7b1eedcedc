//! A block on its way to being complete.

use crate::media::join::Join;
use crate::media::stripe::recover;
use crate::wire::chunk::Header;
use alloc::vec::Vec;
use bytes::Bytes;

/// What has come of one block.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Of the first chunk that came; the others agree in all but the stripe.
    pub(super) header: Option<Header>,
    /// A bit for each shard that came, the parity's after those of the data.
    have: u32,
    /// The shards that came, in their places.
    parts: Vec<Bytes>,
    pub(super) bytes: usize,
    /// When its first keyframe is shown, if it has one; found out when it is asked for, once.
    pub(super) keyframe_pts: Option<Option<i64>>,
}

impl Slot {
    /// Whether all data shards came, or all but one and the parity.
    pub(super) fn is_complete(&self) -> bool {
        self.header
            .is_some_and(|header| self.have.count_ones() >= u32::from(header.shards))
    }

    /// Whether this shard came.
    pub(super) fn has(&self, index: u8) -> bool {
        self.have & (1 << index) != 0
    }

    /// Whether a chunk is of the same block as those that came, by its header.
    pub(super) fn agrees(&self, with: &Header) -> bool {
        self.header.is_none_or(|header| {
            let stripe = with.stripe;
            Header { stripe, ..header } == *with
        })
    }

    /// Takes in a shard that was not there.
    pub(super) fn put(&mut self, header: &Header, part: Bytes) {
        if self.header.is_none() {
            self.header = Some(*header);
            self.parts.resize(usize::from(header.shards) + 1, Bytes::new());
        }
        self.have |= 1 << header.stripe.index;
        self.bytes += part.len();
        self.parts[usize::from(header.stripe.index)] = part;
    }

    /// The body of a complete block whose header that is.
    pub(super) fn body(&self, header: &Header, join: Join) -> Bytes {
        let (parity, data) = self
            .parts
            .split_last()
            .expect("a slot in use has a place for parity");
        let len = header.block_len as usize;
        let body = match self.recover(len, data, parity) {
            None => join(data),
            Some((missing, shard)) => {
                let mut data = data.to_vec();
                data[usize::from(missing)] = shard;
                join(&data)
            }
        };
        debug_assert_eq!(body.len(), len, "shards of checked lengths make up the block");
        body
    }

    /// The data shard that is missing, if one is, and which it is.
    fn recover(&self, len: usize, data: &[Bytes], parity: &Bytes) -> Option<(u8, Bytes)> {
        if (0..data.len()).all(|index| self.has(index as u8)) {
            return None;
        }
        let shards: Vec<Option<Bytes>> = (0..)
            .zip(data)
            .map(|(index, part)| self.has(index).then(|| part.clone()))
            .collect();
        Some(recover(len, &shards, parity).expect("one shard is missing, and all lengths were checked"))
    }
}
