mod dry;
mod station;

use super::*;
use crate::media::record::{Decoder, RecordError};
use crate::media::stripe::seal;
use crate::media::tests::{Quick, at, layout_of, tier_of, tracks};
use crate::media::{Packet, block::Block};
use crate::wire::chunk::Flags;
use alloc::vec;
use bytes::Bytes;
use station::{BUFFER, HIGH, LOW, Station, Viewer, run};

fn index(chunk: &Chunk) -> u8 {
    chunk.header.stripe.index
}

/// Asserts that `played` is `sent` from its first packet on, without a gap, and how many at least.
fn assert_identical(played: &[Packet], sent: &[Packet], least: usize) {
    let first = sent
        .iter()
        .position(|packet| packet == &played[0])
        .expect("it was sent");
    assert!(played.len() >= least, "{} played", played.len());
    assert!(
        played == &sent[first..first + played.len()],
        "what was sent is played"
    );
}

#[test]
fn what_goes_in_comes_out_with_any_one_stripe_lost() {
    for stripes in 1..=16 {
        for lost in [0, stripes / 2, stripes] {
            let (mut ms, mut station) = (0, Station::new(1, stripes));
            let mut viewer = Viewer::new(&station.layout, HIGH, 0);
            run(&mut station, &mut viewer, &mut ms, 60, |chunk| {
                index(chunk) != lost
            });
            assert_identical(&viewer.packets(), &station.sent[1], 4 * 70);
            assert_eq!(viewer.packets()[0], station.sent[1][0]);
            assert!(viewer.only(PlayoutEvent::Started), "{:?}", viewer.events);
            assert_eq!((viewer.gaps(), viewer.shown()), (0, vec![HIGH]));
        }
    }
}

#[test]
fn packets_are_handed_over_a_buffer_after_their_capture() {
    let (mut ms, mut station) = (0, Station::new(1, 5));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 18, |_| true);
    assert!(viewer.out.is_empty(), "nothing is due yet");
    run(&mut station, &mut viewer, &mut ms, 42, |_| true);
    assert_eq!(viewer.events, [(2_000, PlayoutEvent::Started)]);
    let stats = viewer.playout.stats(at(ms + 149));
    assert_eq!(stats.tier, Some(LOW));
    assert_eq!(stats.latency, BUFFER);
    assert!((1_700..=2_000).contains(&stats.buffered.as_millis()), "{stats:?}");
    assert!((50..=700).contains(&stats.arrival_p99.as_millis()), "{stats:?}");
    assert_eq!((stats.stalls, stats.blocks_lost), (0, 0));
}

#[test]
fn a_joiner_begins_at_a_due_keyframe_as_soon_as_what_is_due_is_there() {
    let mut station = Station::new(1, 3);
    let chunks: Vec<Chunk> = (1..=40).flat_map(|tick| station.tick(tick * 100)).collect();
    let mut viewer = Viewer::new(&station.layout, HIGH, 10);
    // At 4,050 ms all that was captured at 2,050 ms or before is due: the keyframes of 1,000 and 2,000 ms are.
    let is_due = |chunk: &&Chunk| chunk.header.captured <= at(2_050);
    let backlog = chunks
        .iter()
        .filter(|chunk| chunk.header.block >= 10 && chunk.header.stripe.tier == HIGH);
    let (due, ahead): (Vec<&Chunk>, Vec<&Chunk>) = backlog.partition(is_due);
    for chunk in due {
        assert_eq!(viewer.insert(4_050, chunk), Inserted::New);
        assert!(
            viewer.out.is_empty(),
            "the next block may be due as well, and it would stall"
        );
    }
    assert_eq!(viewer.insert(4_050, ahead[0]), Inserted::New);
    assert_eq!(viewer.packets()[0].pts, 2_000 * 90);
    assert_eq!(viewer.events, [(4_050, PlayoutEvent::Started)]);
    ahead[1..]
        .iter()
        .for_each(|chunk| assert_eq!(viewer.insert(4_060, chunk), Inserted::New));
    viewer.run(4_060, 5_900);
    assert!(viewer.only(PlayoutEvent::Started));
    let key = station.sent[1]
        .iter()
        .position(|packet| packet.pts == 180_000)
        .unwrap();
    assert_identical(&viewer.packets(), &station.sent[1][key..], 4 * 70 / 4);
}

#[test]
fn a_joiner_begins_after_three_seconds_with_what_there_is() {
    let (mut ms, mut station) = (0, Station::new(1, 1));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    // A viewer that is due to play what has only just been cut never has all that is due.
    viewer.playout = Playout::new(Duration::from_millis(100));
    viewer.playout.layout(station.layout.clone());
    viewer.playout.show(LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    let (started, event) = viewer.events[0];
    assert_eq!(event, PlayoutEvent::Started);
    assert!((3_150..=3_250).contains(&started), "{started}");
}

#[test]
fn what_is_due_and_missing_stalls_and_what_comes_late_is_made_up() {
    let (mut ms, mut station) = (0, Station::new(1, 2));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 30, |_| true);
    let mut kept = Vec::new();
    run(&mut station, &mut viewer, &mut ms, 30, |chunk| {
        let late = chunk.header.block == 35 && index(chunk) == 1;
        kept.extend(late.then(|| chunk.clone()));
        !late
    });
    let late = kept.iter().find(|chunk| chunk.header.stripe.tier == LOW).unwrap();
    let due = late.header.captured + BUFFER;
    assert_eq!(due, at(5_500));
    let missing: Vec<Missing> = viewer.playout.missing(late.header.stripe, 0).collect();
    assert_eq!(
        missing,
        [Missing {
            block: 35,
            due: Some(due)
        }]
    );
    let newest = viewer.playout.newest(late.header.stripe);
    assert_eq!(
        newest,
        Some(Newest {
            contiguous: Some(34),
            seen: 59
        })
    );
    let stall = (5_500, PlayoutEvent::Stall);
    assert_eq!(viewer.events, [(2_000, PlayoutEvent::Started), stall]);
    assert_eq!(viewer.insert(ms + 150, late), Inserted::New);
    assert_eq!(
        viewer.insert(ms + 150, late),
        Inserted::TooOld,
        "it has been played"
    );
    assert_eq!(viewer.events[2], (6_150, PlayoutEvent::Resumed { ms: 650 }));
    let stats = viewer.playout.stats(at(ms + 150));
    assert_eq!(
        (stats.stalls, stats.stalled.as_millis(), stats.blocks_lost),
        (1, 650, 0)
    );
    assert_eq!(stats.latency.as_millis() / 100, 20, "what was late is made up");
    run(&mut station, &mut viewer, &mut ms, 20, |_| true);
    assert_eq!((viewer.events.len(), viewer.gaps()), (3, 0));
    assert_identical(&viewer.packets(), &station.sent[0], 4 * 60);
}

#[test]
fn a_backlog_that_comes_at_little_more_than_its_rate_is_one_stall() {
    let (mut ms, mut station) = (0, Station::new(1, 1));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    let mut coming = VecDeque::new();
    for _ in 0..130 {
        ms += 100;
        for chunk in station.tick(ms) {
            if chunk.header.stripe.tier == LOW {
                let after = chunk.header.block.checked_sub(35);
                let held_up = after.map_or(0, |after| 6_150 + 90 * after);
                coming.push_back((held_up.max(ms + 50), chunk));
            }
        }
        for now in (ms + 50..ms + 150).step_by(10) {
            while let Some((_, chunk)) = coming.pop_front_if(|(at, _)| *at <= now) {
                viewer.insert(now, &chunk);
            }
            viewer.run(now, now + 9);
        }
    }
    let stall = (5_500, PlayoutEvent::Stall);
    let resumed = (6_150, PlayoutEvent::Resumed { ms: 650 });
    assert_eq!(viewer.events, [(2_000, PlayoutEvent::Started), stall, resumed]);
    let stats = viewer.playout.stats(at(ms + 149));
    assert_eq!(
        (stats.latency.as_millis() / 100, viewer.gaps()),
        (20, 0),
        "it is made up"
    );
    assert_identical(&viewer.packets(), &station.sent[0], 4 * 100);
}

#[test]
fn what_never_comes_is_given_up_and_play_goes_on_at_a_keyframe() {
    let (mut ms, mut station) = (0, Station::new(1, 2));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    let lost = |chunk: &Chunk| (35..38).contains(&chunk.header.block) && index(chunk) == 0;
    run(&mut station, &mut viewer, &mut ms, 100, |chunk| !lost(chunk));
    let stall = (5_500, PlayoutEvent::Stall);
    let resumed = (8_500, PlayoutEvent::Resumed { ms: 3_000 });
    assert_eq!(viewer.events, [(2_000, PlayoutEvent::Started), stall, resumed]);
    let stats = viewer.playout.stats(at(ms));
    assert_eq!((stats.stalls, stats.blocks_lost, viewer.gaps()), (1, 3, 1));
    let gap = viewer
        .out
        .iter()
        .position(|play| matches!(play, Play::Gap))
        .unwrap();
    let Play::Packet(after) = &viewer.out[gap + 1] else {
        panic!("a packet follows")
    };
    assert!(after.keyframe && after.pts == 4_000 * 90);
    let from = station.sent[0].iter().position(|packet| packet == after).unwrap();
    let played = viewer.packets();
    let resumed = played.iter().position(|packet| packet == after).unwrap();
    assert_identical(&played[resumed..], &station.sent[0][from..], 200);
}

#[test]
fn a_silent_input_stalls_nothing() {
    let (mut ms, mut station) = (0, Station::new(1, 4));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    for _ in 0..50 {
        ms += 100;
        let block = station.smoothers[0].cut(at(ms), station.block);
        let layout = &station.layout;
        for chunk in seal(&Quick, &block, &layout.tiers[0], 1, 1) {
            viewer.insert(ms + 50, &chunk);
        }
        station.block += 1;
        viewer.run(ms + 50, ms + 149);
    }
    station.smoothers[0].discontinuity();
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    assert!(viewer.only(PlayoutEvent::Started), "{:?}", viewer.events);
    assert_eq!(viewer.gaps(), 1, "where the clock jumps");
    assert_eq!(viewer.playout.stats(at(ms)).blocks_lost, 0);
}

/// Switches from one tier to another, whose packets come later by `lag` each; returns the viewer after that.
fn switch(from: TierId, to: TierId, lag: [u64; 2], order: fn(u64) -> (u64, bool)) -> Viewer {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    (station.lag, station.order) = (lag, order);
    let mut viewer = Viewer::new(&station.layout, from, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |chunk| {
        chunk.header.stripe.tier == from
    });
    assert!(viewer.playout.wants(from) && !viewer.playout.wants(to));
    let from_block = station.block - 5;
    viewer.playout.show(to, from_block);
    viewer.playout.show(to, from_block);
    assert!(viewer.playout.wants(from) && viewer.playout.wants(to));
    run(&mut station, &mut viewer, &mut ms, 60, |_| true);
    assert!(!viewer.playout.wants(from) && viewer.playout.wants(to));
    assert_eq!(viewer.shown(), [from, to]);
    let shown = PlayoutEvent::TierShown { tier: to, was: from };
    let events: Vec<PlayoutEvent> = viewer.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(events, [PlayoutEvent::Started, shown]);
    viewer
}

/// An anchor, then the two pictures shown before it; also before a keyframe (an open group of pictures). Three pictures
/// later than decoded, so that none is shown before it is decoded.
fn open_groups(nth: u64) -> (u64, bool) {
    match nth % 3 {
        0 => (nth + 3, nth.is_multiple_of(24)),
        _ => (nth, false),
    }
}

/// Asserts that each picture and each sound is there once.
fn assert_seamless(viewer: &Viewer) {
    for (track, step) in [(0, 3_600), (1, 1_800)] {
        let packets = viewer.packets();
        let decoded = packets.last().unwrap().dts;
        let of_track = packets
            .iter()
            .filter(|packet| packet.track == track && packet.pts < decoded);
        let mut times: Vec<i64> = of_track.map(|packet| packet.pts).collect();
        times.sort_unstable();
        assert!(times.len() > 90);
        let seam = times.windows(2).find(|pair| pair[1] - pair[0] != step);
        assert_eq!(seam, None, "track {track}, {:?}", viewer.shown());
    }
}

#[test]
fn tiers_are_switched_at_keyframes_without_overlap_or_hole() {
    for lag in [[0, 0], [300, 0], [0, 300]] {
        for order in [|nth: u64| (nth, nth.is_multiple_of(25)), open_groups] {
            for (from, to) in [(LOW, HIGH), (HIGH, LOW)] {
                let viewer = switch(from, to, lag, order);
                assert_eq!(viewer.gaps(), 0);
                assert_seamless(&viewer);
            }
        }
    }
}

#[test]
fn a_switch_that_is_withdrawn_loses_nothing() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    viewer.playout.show(HIGH, station.block);
    for _ in 0..4 {
        run(&mut station, &mut viewer, &mut ms, 9, |_| true);
        viewer.playout.show(LOW, 0);
        run(&mut station, &mut viewer, &mut ms, 1, |_| true);
        viewer.playout.show(HIGH, station.block);
    }
    viewer.playout.show(LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 10, |_| true);
    assert_eq!(viewer.shown(), [LOW]);
    assert_identical(&viewer.packets(), &station.sent[0], 4 * 60);
}

#[test]
fn the_old_tier_goes_on_while_the_new_one_has_holes() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    viewer.playout.show(HIGH, station.block);
    let whole = |chunk: &Chunk| {
        let high = chunk.header.stripe.tier == HIGH;
        !high || chunk.header.block.is_multiple_of(10) || index(chunk) < 2
    };
    run(&mut station, &mut viewer, &mut ms, 60, whole);
    assert_eq!(
        viewer.shown(),
        [LOW],
        "each block after a keyframe of the new tier lacks a stripe"
    );
    assert!(viewer.only(PlayoutEvent::Started));
    assert_identical(&viewer.packets(), &station.sent[0], 4 * 75);
    run(&mut station, &mut viewer, &mut ms, 60, |_| true);
    assert_eq!(viewer.shown(), [LOW, HIGH]);
}

#[test]
fn a_tier_that_runs_dry_is_left_at_once() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    viewer.playout.show(LOW, station.block);
    run(&mut station, &mut viewer, &mut ms, 60, |chunk| {
        chunk.header.stripe.tier == LOW
    });
    assert_eq!(viewer.shown(), [HIGH, LOW]);
    let stats = viewer.playout.stats(at(ms));
    assert_eq!((stats.stalls, stats.blocks_lost), (0, 0), "the buffer bridged it");
}

#[test]
fn the_next_epoch_is_played_when_the_present_one_is_over() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    run(&mut station, &mut viewer, &mut ms, 45, |_| true);
    let mut next = Station::new(2, 5);
    ms += 3_500;
    viewer.run(ms - 3_400, ms);
    viewer.playout.layout(next.layout.clone());
    run(&mut next, &mut viewer, &mut ms, 50, |_| true);
    let old = station.tick(ms);
    assert_eq!(viewer.insert(ms + 150, &old[0]), Inserted::TooOld);
    let end = viewer.events[1];
    assert_eq!(end, (6_500, PlayoutEvent::Stall), "4,500 ms were captured");
    let (resumed, event) = viewer.events[2];
    assert_eq!(event, PlayoutEvent::Resumed { ms: resumed - 6_500 });
    assert_eq!(
        (resumed, viewer.events.len()),
        (10_000, 3),
        "the first keyframe of 8,000 ms was due then"
    );
    let packets = viewer.packets();
    let seam = packets
        .iter()
        .position(|packet| packet == &next.sent[1][0])
        .unwrap();
    assert_eq!(packets[..seam], station.sent[1][..seam]);
    assert_identical(&packets[seam..], &next.sent[1], 4 * 25);
    assert_eq!(
        (viewer.gaps(), viewer.shown()),
        (1, vec![HIGH]),
        "the tracks are the same"
    );
    assert_eq!(viewer.playout.stats(at(ms)).blocks_lost, 0);
}

#[test]
fn an_epoch_whose_clock_was_set_back_is_played_too() {
    let (mut ms, mut station) = (1_000_000, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    run(&mut station, &mut viewer, &mut ms, 45, |_| true);
    let mut next = Station::new(2, 3);
    viewer.playout.layout(next.layout.clone());
    ms = 500_000;
    run(&mut next, &mut viewer, &mut ms, 40, |_| true);
    let packets = viewer.packets();
    let seam = packets
        .iter()
        .position(|packet| packet == &next.sent[1][0])
        .unwrap();
    assert_identical(&packets[seam..], &next.sent[1], 4 * 15);
    assert_eq!(viewer.playout.stats(at(ms)).latency, BUFFER);
}

#[test]
fn other_tracks_are_told_before_their_first_keyframe() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 35, |_| true);
    let mut changed = Layout::clone(&station.layout);
    (changed.number, changed.from_block) = (2, station.block);
    changed.tiers[0].stripes = 6;
    changed.tiers[0].tracks[0].setup = Bytes::from_static(b"other");
    let tracks = changed.tiers[0].tracks.clone();
    station.layout = Arc::new(changed);
    station.smoothers[0].set_rate(station.layout.tiers[0].rate, 6);
    station.smoothers[0].restart(&tracks);
    let chunks = station.tick(ms + 100);
    assert_eq!(viewer.insert(ms + 100, &chunks[0]), Inserted::UnknownLayout);
    viewer.playout.layout(station.layout.clone());
    for chunk in chunks.iter().filter(|chunk| chunk.header.stripe.tier == LOW) {
        assert_eq!(viewer.insert(ms + 150, chunk), Inserted::New);
    }
    ms += 100;
    run(&mut station, &mut viewer, &mut ms, 50, |_| true);
    assert_eq!(viewer.shown(), [LOW, LOW]);
    let seam = viewer
        .out
        .iter()
        .rposition(|play| matches!(play, Play::Tracks { .. }))
        .unwrap();
    assert!(matches!(viewer.out[seam - 1], Play::Gap));
    assert!(matches!(&viewer.out[seam + 1], Play::Packet(first) if first.pts == 4_000 * 90));
    assert!(matches!(&viewer.out[seam], Play::Tracks { tracks: told, .. } if **told == *tracks));
}

#[test]
fn other_stripes_of_the_same_tracks_are_not_noticed() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 35, |_| true);
    let mut changed = Layout::clone(&station.layout);
    (changed.number, changed.from_block) = (2, station.block);
    changed.tiers[0].stripes = 7;
    station.layout = Arc::new(changed);
    viewer.playout.layout(station.layout.clone());
    run(&mut station, &mut viewer, &mut ms, 50, |_| true);
    assert_eq!((viewer.shown(), viewer.gaps()), (vec![LOW], 0));
    assert_identical(&viewer.packets(), &station.sent[0], 4 * 60);
}

#[test]
fn after_a_long_sleep_it_goes_on_with_the_present() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 30, |_| true);
    for _ in 0..600 {
        ms += 100;
        station.tick(ms);
    }
    run(&mut station, &mut viewer, &mut ms, 40, |_| true);
    let stats = viewer.playout.stats(at(ms));
    assert_eq!((stats.stalls, stats.latency), (1, BUFFER));
    assert!(stats.blocks_lost >= 590, "{stats:?}");
    let behind = ms as i64 - viewer.packets().last().unwrap().pts / 90;
    assert!((1_700..=2_000).contains(&behind), "{behind}");
}

#[test]
fn a_signed_block_that_cannot_be_read_is_a_gap() {
    let (mut ms, mut station) = (0, Station::new(1, 1));
    let mut viewer = Viewer::new(&station.layout, LOW, 0);
    run(&mut station, &mut viewer, &mut ms, 12, |_| true);
    let broken = Block {
        number: station.block,
        captured: at(ms),
        flags: Flags::default(),
        body: Bytes::from_static(&[9; 30]),
    };
    let unreadable = Decoder::new().feed(&broken.body, |_| ());
    assert_eq!(unreadable, Err(RecordError::Body));
    let layout = station.layout.clone();
    viewer.insert(ms + 100, &seal(&Quick, &broken, &layout.tiers[0], 1, 1)[0]);
    run(&mut station, &mut viewer, &mut ms, 40, |chunk| {
        chunk.header.block != 12
    });
    assert_eq!(viewer.gaps(), 1);
    assert!(viewer.only(PlayoutEvent::Started));
    assert_eq!(tracks(), *layout.tiers[0].tracks);
}

#[test]
fn tiers_epochs_and_layouts_that_are_not_wanted_are_told() {
    let mut station = Station::new(5, 1);
    let chunks = station.tick(100);
    let of = |tier| {
        chunks
            .iter()
            .find(|chunk| chunk.header.stripe.tier == tier)
            .unwrap()
    };
    let mut playout = Playout::new(BUFFER);
    assert_eq!(playout.insert(at(100), of(LOW)), Inserted::UnknownLayout);
    playout.show(LOW, 0);
    playout.layout(station.layout.clone());
    assert_eq!(playout.insert(at(100), of(HIGH)), Inserted::Unwanted);
    assert_eq!(playout.insert(at(100), of(LOW)), Inserted::New);
    assert_eq!(playout.insert(at(100), of(LOW)), Inserted::Duplicate);
    playout.layout(Arc::new(layout_of(4, 1, 0, vec![tier_of(0, 1, false)])));
    assert_eq!(playout.epoch(), Some(5), "an older one is passed over");
    let mut later = Station::new(6, 1);
    playout.layout(later.layout.clone());
    assert_eq!(
        playout.insert(at(100), of(LOW)),
        Inserted::TooOld,
        "nothing of it was shown"
    );
    let chunk = &later.tick(100)[0];
    assert_eq!(playout.insert(at(100), chunk), Inserted::New);
    let mut newer = Layout::clone(&later.layout);
    (newer.number, newer.from_block) = (2, 0);
    playout.layout(Arc::new(newer));
    let second = &later.tick(200)[0];
    assert_eq!(
        playout.insert(at(100), second),
        Inserted::Refused,
        "a newer layout holds for it"
    );
}
