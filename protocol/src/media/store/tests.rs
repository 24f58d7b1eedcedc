use super::*;
use crate::id::{Context, PublicKey, Sign, Signature};
use crate::time::ChannelTime;
use crate::wire::chunk::Header;

struct Nobody;

impl Sign for Nobody {
    fn public(&self) -> PublicKey {
        PublicKey([0; 32])
    }
    fn sign(&self, _: Context, _: &[u8]) -> Signature {
        Signature([0; 64])
    }
}

fn stripe(index: u8) -> StripeId {
    let tier = TierId(1);
    StripeId { tier, index }
}

fn chunk(index: u8, block: u64, flags: Flags) -> Chunk {
    let header = Header {
        flags,
        stripe: stripe(index),
        shards: 5,
        layout: 1,
        epoch: 3,
        block,
        captured: ChannelTime::from_micros(block.saturating_mul(100_000)),
        block_len: 0,
    };
    Chunk::seal(&Nobody, header, &[])
}

fn plain(index: u8, block: u64) -> Chunk {
    chunk(index, block, Flags::default())
}

#[test]
fn every_stripe_has_a_place_of_its_own() {
    for slot in 0..STRIPES {
        assert_eq!(stripe_slot(stripe_at(slot)), Some(slot));
    }
    let [tier, index] = [(4, 0), (0, 17)].map(|(tier, index)| {
        let tier = TierId(tier);
        StripeId { tier, index }
    });
    assert_eq!((stripe_slot(tier), stripe_slot(index)), (None, None));
}

#[test]
fn ten_seconds_are_kept_and_no_more() {
    let mut store = Store::new(3);
    for block in 0..=250 {
        assert_eq!(store.insert(&plain(0, block)), Stored::New);
    }
    assert_eq!(
        (store.oldest(stripe(0)), store.newest(stripe(0))),
        (Some(151), Some(250))
    );
    assert_eq!(store.insert(&plain(0, 150)), Stored::Old);
    assert_eq!(store.insert(&plain(0, 151)), Stored::Duplicate);
    assert!(store.get(stripe(0), 150).is_none());
    assert_eq!(store.get(stripe(0), 200), Some(&plain(0, 200)));
    assert_eq!(store.from(stripe(0), 0).count(), 100);
    assert_eq!(store.newest(stripe(1)), None);
    assert_eq!(store.newest_of(TierId(1)), Some(250));
}

#[test]
fn a_leap_forgets_what_it_leaves_behind() {
    let mut store = Store::new(3);
    for block in [5, 6, 7, 60, 106] {
        store.insert(&plain(0, block));
    }
    let kept: Vec<u64> = store.from(stripe(0), 0).map(|chunk| chunk.header.block).collect();
    assert_eq!(kept, [7, 60, 106]);
    store.insert(&plain(0, u64::MAX));
    assert_eq!(store.from(stripe(0), 0).count(), 1);
    assert_eq!(store.insert(&plain(0, 106)), Stored::Old);
    assert_eq!(store.contiguous(stripe(0), u64::MAX), Some(u64::MAX));
}

#[test]
fn what_comes_late_fills_its_gap() {
    let mut store = Store::new(3);
    for block in [1, 2, 4, 5] {
        store.insert(&plain(0, block));
    }
    assert_eq!(store.contiguous(stripe(0), 1), Some(2));
    assert_eq!(store.contiguous(stripe(0), 3), None);
    assert_eq!(store.insert(&plain(0, 3)), Stored::New);
    assert_eq!(store.contiguous(stripe(0), 1), Some(5));
    assert_eq!(
        store.insert(&plain(0, 0)),
        Stored::New,
        "a late one may be older than all"
    );
    assert_eq!(store.oldest(stripe(0)), Some(0));
}

#[test]
fn keyframes_are_found_whichever_stripe_told_of_them() {
    let mut store = Store::new(3);
    for (index, block) in [(0, 10), (1, 30), (1, 20), (0, 20), (2, 40)] {
        store.insert(&chunk(index, block, Flags::KEYFRAME));
    }
    let newest = |at| store.newest_keyframe(TierId(1), at);
    assert_eq!(
        [9, 10, 29, 30, 99].map(newest),
        [None, Some(10), Some(20), Some(30), Some(40)]
    );
    assert_eq!(store.newest_keyframe(TierId(0), 99), None);
    assert_eq!(store.newest_keyframe(TierId(9), 99), None);
    store.insert(&chunk(0, 125, Flags::KEYFRAME));
    assert_eq!(
        store.newest_keyframe(TierId(1), 29),
        None,
        "as old as the chunks at most"
    );
}

#[test]
fn chunks_of_another_epoch_are_foreign() {
    let mut store = Store::new(4);
    assert_eq!(store.insert(&plain(0, 1)), Stored::Foreign);
    assert_eq!(store.newest(stripe(0)), None);
}
