//! A block: the bytes that the broadcaster sends of one tier in one tick, before they are cut into stripes.

use crate::time::ChannelTime;
use crate::wire::chunk::Flags;
use bytes::Bytes;

/// One tick of one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number in its epoch: one a tick, the same for all tiers.
    pub number: u64,
    /// When the earliest media in it was captured; when it was cut, if it is empty.
    pub captured: ChannelTime,
    /// What is special about it.
    pub flags: Flags,
    /// Nothing, or a [`BodyHead`] and a part of the tier's stream of records.
    pub body: Bytes,
}

/// Where decoding may begin in a block's body (`docs/protocol.md` §4): two offsets from the body's first byte, four
/// bytes each, little endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyHead {
    /// The first record that begins in the body; what lies before it belongs to a record of an earlier block.
    pub first_record: Option<u32>,
    /// The first record that begins in the body and that playing may begin at.
    pub first_keyframe: Option<u32>,
}

impl BodyHead {
    /// Bytes of a body's head.
    pub const LEN: usize = 8;

    /// Stands for "none": no body is that long.
    const NONE: u32 = u32::MAX;

    /// As bytes.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.first_record.unwrap_or(Self::NONE).to_le_bytes());
        bytes[4..].copy_from_slice(&self.first_keyframe.unwrap_or(Self::NONE).to_le_bytes());
        bytes
    }

    /// The head of `body`; `None` if it has none, or if an offset lies outside of it.
    pub fn read(body: &[u8]) -> Option<Self> {
        let bytes = body.first_chunk::<{ Self::LEN }>()?;
        let [a, b, c, d, e, f, g, h] = *bytes;
        let head = Self {
            first_record: Self::offset([a, b, c, d]),
            first_keyframe: Self::offset([e, f, g, h]),
        };
        let within = |offset: u32| (Self::LEN..body.len()).contains(&(offset as usize));
        let record = head.first_record.is_none_or(within);
        let keyframe = head.first_keyframe.is_none_or(within);
        (record && keyframe && head.is_ordered()).then_some(head)
    }

    fn offset(bytes: [u8; 4]) -> Option<u32> {
        Some(u32::from_le_bytes(bytes)).filter(|&offset| offset != Self::NONE)
    }

    fn is_ordered(&self) -> bool {
        self.first_keyframe
            .is_none_or(|keyframe| self.first_record.is_some_and(|record| record <= keyframe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_nonsense_does_not() {
        let read = |first_record, first_keyframe| {
            let head = BodyHead {
                first_record,
                first_keyframe,
            };
            let mut body = head.to_bytes().to_vec();
            body.resize(40, 0);
            BodyHead::read(&body).map(|read| assert_eq!(read, head))
        };
        assert!(read(None, None).is_some());
        assert!(read(Some(8), Some(8)).is_some());
        assert!(read(Some(8), Some(39)).is_some());
        assert!(read(Some(7), None).is_none(), "within the head");
        assert!(read(Some(40), None).is_none(), "past the end");
        assert!(
            read(Some(9), Some(8)).is_none(),
            "a keyframe before the first record"
        );
        assert!(read(None, Some(8)).is_none(), "a keyframe that is no record");
        assert!(BodyHead::read(&[0; 7]).is_none());
    }
}
