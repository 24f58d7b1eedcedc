//! What children get, in what order.

use super::*;
use crate::limits::LINK_BACKLOG_MAX;

/// Bytes of a chunk's frame.
const FRAME: u64 = 10_112;

/// So many frames may wait in the transport of a child with one seat: 600 ms of its slot.
const CREDIT: u64 = 7;

#[test]
fn backlog_then_live_without_gap_or_duplicate_after_the_layout() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 10..14);
    rig.attach(&ticket(1, &[0]), &[(0, 12)]).unwrap();
    rig.blocks(0, 13..16);
    let chunks = [12, 13, 14, 15].map(|block| Said::Chunk(stripe(0), block));
    let mut expected = vec![attached(0), Said::Layout(1)];
    expected.extend(chunks);
    assert_eq!(rig.said(1), expected);
}

#[test]
fn of_what_is_older_than_the_store_the_child_gets_the_oldest() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 0..103);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    let mut got = Vec::new();
    for _ in 0..20 {
        got.extend(rig.got(1, 0));
        rig.drain(1, LINK_BACKLOG_MAX);
    }
    assert_eq!(got, (3..103).collect::<Vec<_>>());
}

#[test]
fn a_repaired_chunk_is_passed_on_though_newer_ones_have_been() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 1)]).unwrap();
    let new = [0, 1, 3, 2, 3].map(|block| rig.chunk(&chunk(stripe(0), block)));
    assert_eq!(new, [true, true, true, true, false]);
    assert_eq!(rig.got(1, 0), [1, 3, 2]);
}

#[test]
fn a_new_layout_comes_before_the_first_chunk_made_by_it_on_each_lane() {
    let mut rig = Rig::new(None);
    let low = StripeId {
        tier: TierId(0),
        index: 0,
    };
    let mut both = ticket(1, &[0]);
    both.grants.insert(
        0,
        Grant {
            stripe: low,
            ..grant(0)
        },
    );
    rig.with(|engine, _, out| engine.set_rank(low, Some(Rank(10)), out));
    rig.attach(&both, &[(0, 0)]).unwrap();
    let stripes = vec![(low, 0)];
    rig.ask(
        1,
        Attach {
            ticket: None,
            stripes,
        },
    )
    .unwrap();
    rig.said(1);
    rig.layout(EPOCH, 2);
    rig.chunk(&chunk(stripe(0), 0));
    rig.chunk(&chunk_with(stripe(0), 1, |header| header.layout = 2));
    rig.chunk(&chunk_with(low, 1, |header| header.layout = 2));
    rig.chunk(&chunk_with(stripe(0), 2, |header| header.layout = 2));
    assert_eq!(
        rig.said(1),
        [
            Said::Layout(1),
            Said::Chunk(stripe(0), 0),
            Said::Layout(2),
            Said::Chunk(stripe(0), 1),
            Said::Layout(2),
            Said::Chunk(low, 1),
            Said::Chunk(stripe(0), 2),
        ]
    );
}

#[test]
fn pulled_chunks_come_by_any_good_ticket_that_grants_the_stripe() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 0..10);
    let mut elsewhere = ticket(1, &[0]);
    elsewhere.grants[0].parent = child_id(9).tag();
    rig.attach(&elsewhere, &[]).unwrap();
    rig.pull(1, 0, [7, 3, 3, 40]).unwrap();
    assert_eq!(
        rig.got(1, 0),
        [3, 7],
        "the oldest first, each once, and only what is there"
    );
    rig.pull(1, 1, [0]).unwrap();
    assert_eq!(rig.said(1), [detached(1, DetachReason::NoTicket)]);
    rig.link(2);
    rig.pull(2, 0, [3]).unwrap();
    assert_eq!(rig.said(2), [detached(0, DetachReason::NoTicket)]);
}

#[test]
fn what_is_pulled_and_comes_soon_is_passed_on_once() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 0..3);
    rig.attach(&ticket(1, &[0]), &[]).unwrap();
    rig.attach(&ticket(2, &[0]), &[(0, 5)]).unwrap();
    rig.attach(&ticket(3, &[0]), &[]).unwrap();
    for n in 1..=3 {
        rig.pull(n, 0, [2, 4, 6]).unwrap();
    }
    assert_eq!(rig.got(1, 0), [2], "what is there");
    rig.with(|engine, now, _| engine.unlinked(now, link_of(3)));
    rig.until(200);
    rig.blocks(0, 4..7);
    rig.blocks(0, 4..7);
    assert_eq!(rig.got(1, 0), [4, 6], "what it asked for, and no more");
    assert_eq!(rig.got(2, 0), [2, 4, 5, 6], "each once, by its seat or not");
    rig.pull(1, 0, [8]).unwrap();
    rig.until(600);
    rig.blocks(0, 8..9);
    assert_eq!(rig.got(1, 0), [0; 0], "it has asked somebody else");
}

#[test]
fn what_is_pulled_and_waits_already_comes_once() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 0..30);
    assert_eq!(rig.got(1, 0).len() as u64, CREDIT);
    rig.pull(1, 0, 20..30).unwrap();
    let mut rest = Vec::new();
    for _ in 0..5 {
        rig.drain(1, LINK_BACKLOG_MAX);
        rest.extend(rig.got(1, 0));
    }
    assert_eq!(rest, (CREDIT..30).collect::<Vec<_>>());
}

#[test]
fn a_child_is_never_sent_more_than_its_credit() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 0..40);
    assert_eq!(rig.got(1, 0), (0..CREDIT).collect::<Vec<_>>());
    rig.drain(1, FRAME * 2);
    assert_eq!(rig.got(1, 0), [0; 0], "half the credit comes together first");
    rig.drain(1, FRAME * 2);
    assert_eq!(rig.got(1, 0), (CREDIT..CREDIT + 4).collect::<Vec<_>>());
}

#[test]
fn a_child_that_takes_nothing_skips_to_the_newest_keyframe() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0, 1]), &[(0, 0), (1, 0)]).unwrap();
    rig.attach(&ticket(2, &[0]), &[(0, 0)]).unwrap();
    for block in 0..60 {
        rig.until(block * 100);
        let keyframe = |header: &mut Header| header.flags = flags_every_second(block);
        rig.chunk(&chunk_with(stripe(0), block, keyframe));
        rig.chunk(&chunk_with(stripe(1), block, keyframe));
        rig.drain(2, FRAME);
    }
    let said = rig.said(1);
    let reset = said
        .iter()
        .position(|said| *said == Said::Reset(TierId(1)))
        .expect("it was reset");
    let before = said[..reset]
        .iter()
        .filter(|said| matches!(said, Said::Chunk(..)))
        .count();
    assert_eq!(before, 12);
    assert_eq!(said[reset + 1], Said::Layout(1), "the lane begins anew");
    let first = said.iter().skip(reset).find_map(|said| match said {
        Said::Chunk(_, block) => Some(*block),
        _ => None,
    });
    assert_eq!(first, Some(50));
    assert_eq!(rig.got(2, 0), (0..60).collect::<Vec<_>>(), "others do not notice");
}

#[test]
fn a_child_for_whom_there_is_no_room_to_catch_up_skips_to_the_live_edge() {
    let mut rig = Rig::new(Some(slot()));
    let keyframe = |block| move |header: &mut Header| header.flags = flags_every_second(block);
    for block in 0..160 {
        rig.until(block * 100);
        rig.chunk(&chunk_with(stripe(0), block, keyframe(block)));
        if block == 50 {
            rig.attach(&ticket(1, &[0]), &[(0, 10)]).unwrap();
        }
        rig.drain(1, FRAME);
    }
    let got = rig.got(1, 0);
    let newest = got.last().copied().unwrap();
    assert!(newest > 150, "it is at {newest} still");
    let kept_up = got.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert_eq!(kept_up, 1, "it skipped once, and kept up from then on: {got:?}");
}

fn flags_every_second(block: u64) -> Flags {
    if block.is_multiple_of(10) {
        Flags::KEYFRAME
    } else {
        Flags::default()
    }
}

#[test]
fn what_a_reset_gives_up_is_counted_once() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    let mut resets = 0;
    for block in 0..200 {
        rig.until(block * 100);
        let keyframe = |header: &mut Header| header.flags = flags_every_second(block);
        rig.chunk(&chunk_with(stripe(0), block, keyframe));
        let said = rig.said(1);
        resets += said.iter().filter(|said| matches!(said, Said::Reset(_))).count();
        let waiting = rig.waiting[&link_of(1)];
        assert!(
            waiting <= LINK_BACKLOG_MAX + 500,
            "{waiting} bytes wait after {resets} resets"
        );
    }
    assert!(resets >= 2, "{resets} resets");
}

#[test]
fn without_a_recent_keyframe_it_waits_for_the_next() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0, 1]), &[(0, 0), (1, 0)]).unwrap();
    for block in 0..70 {
        rig.until(block * 100);
        let keyframe = |header: &mut Header| {
            header.flags = if block == 65 {
                Flags::KEYFRAME
            } else {
                Flags::default()
            };
        };
        rig.chunk(&chunk_with(stripe(1), block, keyframe));
        rig.chunk(&chunk_with(stripe(0), block, keyframe));
    }
    let said = rig.said(1);
    let reset = said
        .iter()
        .position(|said| *said == Said::Reset(TierId(1)))
        .expect("it was reset");
    let after: Vec<_> = said[reset..]
        .iter()
        .filter(|said| matches!(said, Said::Chunk(..)))
        .collect();
    let expected: Vec<_> = (65..70)
        .flat_map(|block| [Said::Chunk(stripe(1), block), Said::Chunk(stripe(0), block)])
        .collect();
    assert_eq!(after, expected.iter().collect::<Vec<_>>());
}

#[test]
fn children_of_many_stripes_are_written_to_some_thirty_times_a_second() {
    let mut rig = Rig::new(None);
    rig.engine.set_marking(false);
    let all = [0, 1, 2, 3, 4];
    for n in 1..=8 {
        rig.attach(&ticket(n, &all), &all.map(|index| (index, 0)))
            .unwrap();
        rig.said(n);
    }
    let mut writes: BTreeMap<(u8, u64), u64> = BTreeMap::new();
    for ms in (0..10_000).step_by(2) {
        rig.until(ms);
        if ms % 20 == 0 {
            let came = ms / 20;
            rig.chunk(&chunk(stripe((came % 5) as u8), came / 5));
        }
        for n in 1..=8 {
            let said = rig.said(n).into_iter();
            let chunks = said.filter(|said| matches!(said, Said::Chunk(..))).count() as u64;
            rig.drain(n, chunks * FRAME);
            if chunks > 0 {
                *writes.entry((n, ms / 10_000)).or_default() += 1;
            }
        }
    }
    for count in writes.values() {
        assert!((240..=350).contains(count), "{count} writes in 10 s");
    }
    let longest = rig.engine.schedule.wait_max(rig.now);
    assert!(longest <= Duration::from_millis(23), "a chunk waited {longest:?}");
    assert!(
        longest >= Duration::from_millis(20),
        "chunks wait for each other: {longest:?}"
    );
    assert!(rig.engine.in_time());
}

#[test]
fn a_lone_child_that_gets_half_and_skips_again_and_again_tells_of_our_uplink() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0, 1]), &[(0, 0), (1, 0)]).unwrap();
    let (mut skips, mut in_time) = (0, 0);
    for block in 0..300 {
        rig.until(block * 100);
        let keyframe = |header: &mut Header| header.flags = flags_every_second(block);
        rig.chunk(&chunk_with(stripe(0), block, keyframe));
        rig.chunk(&chunk_with(stripe(1), block, keyframe));
        rig.drain(1, FRAME);
        let said = rig.said(1);
        skips += said.iter().filter(|said| matches!(said, Said::Reset(_))).count();
        in_time += usize::from(skips > 0 && rig.engine.in_time());
    }
    assert!(skips >= 3, "{skips} skips");
    assert!(in_time < 60, "in time at {in_time} ticks of some 250");
}
