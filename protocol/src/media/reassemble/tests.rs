use super::*;
use crate::media::join::copied;
use crate::media::stripe::seal;
use crate::media::tests::{Quick, at, chunk_of, tier_of};
use crate::rng::Rng;
use alloc::vec::Vec;

fn block(number: u64, len: usize) -> Block {
    let mut rng = Rng::new(number);
    Block {
        number,
        captured: at(number * 100),
        flags: Flags::default(),
        body: (0..len).map(|_| rng.next() as u8).collect(),
    }
}

fn stripe(index: u8) -> StripeId {
    StripeId {
        tier: TierId(1),
        index,
    }
}

#[test]
fn blocks_come_back_from_any_order_and_without_any_one_stripe() {
    let mut rng = Rng::new(1);
    for stripes in 1..=STRIPES_MAX {
        let tier = tier_of(1, stripes, true);
        for lost in 0..=stripes {
            let mut ring = Reassembler::new(TierId(1), 3, 50);
            let whole = block(3, 1 + rng.below(5_000) as usize);
            let mut chunks = seal(&Quick, &whole, &tier, 1, 9);
            chunks.remove(lost.into());
            while !chunks.is_empty() {
                assert!(!ring.is_complete(3));
                let chunk = chunks.swap_remove(rng.below(chunks.len() as u64) as usize);
                assert_eq!(ring.insert(&chunk, &tier), Inserted::New);
            }
            let got = ring.get(3, copied).unwrap();
            assert_eq!(
                (got.block, got.layout),
                (whole, 1),
                "{stripes} stripes without {lost}"
            );
        }
    }
}

#[test]
fn duplicates_and_the_past_are_told() {
    let tier = tier_of(1, 2, false);
    let mut ring = Reassembler::new(TierId(1), 5, 50);
    let chunks = seal(&Quick, &block(5, 100), &tier, 1, 9);
    assert_eq!(ring.insert(&chunks[0], &tier), Inserted::New);
    assert_eq!(ring.insert(&chunks[0], &tier), Inserted::Duplicate);
    assert_eq!(ring.insert(&chunks[1], &tier), Inserted::New);
    assert_eq!(ring.advance(6), 0);
    assert_eq!(ring.insert(&chunks[1], &tier), Inserted::TooOld);
    ring.check_invariants();
}

#[test]
fn headers_that_disagree_are_refused() {
    let tier = tier_of(1, 3, true);
    let mut ring = Reassembler::new(TierId(1), 0, 50);
    let good = seal(&Quick, &block(2, 90), &tier, 1, 9);
    ring.insert(&good[0], &tier);
    let header = good[1].header;
    let refused = |ring: &mut Reassembler, header, len| {
        assert_eq!(
            ring.insert(&chunk_of(header, len), &tier),
            Inserted::Refused,
            "{header:?}"
        );
    };
    refused(&mut ring, header, 29);
    refused(&mut ring, Header { shards: 2, ..header }, 45);
    refused(&mut ring, Header { layout: 2, ..header }, 30);
    refused(
        &mut ring,
        Header {
            captured: at(1),
            ..header
        },
        30,
    );
    refused(
        &mut ring,
        Header {
            flags: Flags::KEYFRAME,
            ..header
        },
        30,
    );
    refused(
        &mut ring,
        Header {
            block_len: 89,
            ..header
        },
        30,
    );
    let huge = Header {
        block_len: u32::MAX,
        stripe: stripe(2),
        block: 3,
        ..header
    };
    refused(&mut ring, huge, 0);
    let no_parity = tier_of(1, 3, false);
    assert_eq!(
        ring.insert(&good[3], &no_parity),
        Inserted::Refused,
        "parity that the layout lacks"
    );
    assert_eq!(ring.insert(&good[1], &tier), Inserted::New);
    ring.check_invariants();
}

#[test]
fn the_window_slides_and_stays_bounded() {
    let tier = tier_of(1, 1, false);
    let mut ring = Reassembler::new(TierId(1), 0, 10);
    for number in [0, 9, 12, 500] {
        assert_eq!(
            ring.insert(&seal(&Quick, &block(number, 10), &tier, 1, 9)[0], &tier),
            Inserted::New
        );
        ring.check_invariants();
    }
    assert_eq!((ring.first(), ring.newest()), (491, Some(500)));
    let mut empty = Reassembler::new(TierId(1), 0, 10);
    empty.insert(&seal(&Quick, &block(77, 10), &tier, 1, 9)[0], &tier);
    assert_eq!(empty.first(), 77, "nothing came before: nothing is missed");
}

#[test]
fn what_is_whole_beyond_a_gap_counts_once_the_gap_is_given_up() {
    let tier = tier_of(1, 1, false);
    let mut ring = Reassembler::new(TierId(1), 4, 50);
    for number in [4, 6, 7] {
        ring.insert(&seal(&Quick, &block(number, 10), &tier, 1, 9)[0], &tier);
        ring.check_invariants();
    }
    let ready = |ring: &Reassembler| [4, 5, 6, 7, 8].map(|block| ring.complete_from(block));
    assert_eq!(ready(&ring), [1, 0, 2, 1, 0]);
    ring.advance(6);
    ring.check_invariants();
    assert_eq!(
        ready(&ring),
        [2, 2, 2, 1, 0],
        "from the first that is still wanted"
    );
}

#[test]
fn what_a_stripe_misses_is_known() {
    let tier = tier_of(1, 2, true);
    let mut ring = Reassembler::new(TierId(1), 10, 50);
    let mut put = |number, index: usize| {
        let chunk = &seal(&Quick, &block(number, 100), &tier, 1, 9)[index];
        assert_eq!(ring.insert(chunk, &tier), Inserted::New);
    };
    put(10, 0);
    put(11, 0);
    put(12, 1);
    put(14, 1);
    put(11, 2);
    let missing = |index| ring.missing(stripe(index), 0).collect::<Vec<_>>();
    assert_eq!(missing(0), [12, 13, 14]);
    assert_eq!(missing(1), [10, 13], "block 11 is complete by parity");
    let reached = |index| {
        ring.reached(stripe(index))
            .map(|newest| (newest.contiguous, newest.seen))
    };
    assert_eq!(reached(0), Some((Some(11), 11)));
    assert_eq!(reached(1), Some((Some(9), 14)));
    assert_eq!(ring.reached(stripe(5)), None);
}

#[test]
fn capture_times_are_known_or_follow_from_the_neighbours() {
    let tier = tier_of(1, 1, false);
    let mut ring = Reassembler::new(TierId(1), 10, 50);
    assert_eq!(ring.captured(10), None);
    for number in [11, 15] {
        ring.insert(&seal(&Quick, &block(number, 10), &tier, 1, 9)[0], &tier);
    }
    assert_eq!(ring.captured(10), Some(at(1_100)), "not after the next known");
    assert_eq!(ring.captured(11), Some(at(1_100)));
    assert_eq!(ring.captured(13), Some(at(1_300)));
    assert_eq!(ring.captured(17), Some(at(1_700)));
    ring.advance(16);
    assert_eq!(ring.captured(16), Some(at(1_600)), "from what is done with");
}
