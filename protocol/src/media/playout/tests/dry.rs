//! A better tier runs out: the other takes over where it can, and what it needs for that is known.

use super::station::{HIGH, LOW, Station, Viewer, run};
use crate::media::playout::PlayoutEvent;
use crate::wire::chunk::Chunk;
use alloc::vec::Vec;

/// A viewer of the better tier, which ends with block `last`, and a lower one from block 30 on, each block of which comes
/// so many milliseconds after it is due, if it does. It is told at 3.5 s, and watched for 8 s.
fn taken_over(last: u64, late_ms: impl Fn(u64) -> Option<i64>) -> Viewer {
    let mut station = Station::new(1, 3);
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    let arrives = |chunk: &Chunk| {
        let (block, tier) = (chunk.header.block, chunk.header.stripe.tier);
        let begins = block as i64 * 100;
        match tier {
            HIGH => (block <= last).then_some(begins + 150),
            _ => late_ms(block)
                .filter(|_| block >= 30)
                .map(|late| begins + 2_000 + late),
        }
    };
    let mut coming: Vec<(i64, Chunk)> = (1..=80)
        .flat_map(|tick| station.tick(tick * 100))
        .filter_map(|chunk| Some((arrives(&chunk)?, chunk)))
        .collect();
    coming.sort_by_key(|(ms, _)| *ms);
    let mut ms = 0;
    for (at, chunk) in coming.into_iter().filter(|(at, _)| *at <= 8_000) {
        let at = at as u64;
        if ms < 3_500 && at >= 3_500 {
            viewer.playout.show(LOW, 20);
        }
        viewer.run(ms, at);
        viewer.insert(at, &chunk);
        ms = at;
    }
    viewer
}

#[test]
fn what_comes_before_the_keyframe_that_takes_over_is_of_no_use() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    run(&mut station, &mut viewer, &mut ms, 40, |chunk| {
        chunk.header.stripe.tier == HIGH && chunk.header.block < 34
    });
    assert_eq!(viewer.playout.takes_over_at(LOW), None, "nothing is to change");
    viewer.playout.show(LOW, 20);
    assert_eq!(
        viewer.playout.takes_over_at(LOW),
        Some(30),
        "as far apart as twenty"
    );
    assert_eq!(viewer.playout.takes_over_at(HIGH), None);
    // It stands still at block 34, and the keyframe after that is all that helps.
    run(&mut station, &mut viewer, &mut ms, 20, |_| false);
    assert_eq!(viewer.playout.takes_over_at(LOW), Some(34));
    run(&mut station, &mut viewer, &mut ms, 2, |chunk| {
        chunk.header.stripe.tier == LOW
    });
    assert_eq!(viewer.playout.takes_over_at(LOW), Some(60));
}

#[test]
fn while_it_takes_over_nothing_before_is_of_use() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    station.lag[1] = 300;
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    run(&mut station, &mut viewer, &mut ms, 25, |_| true);
    viewer.playout.show(LOW, 20);
    // The keyframe of block 30 is due by now, and what the better tier has before it is not yet.
    run(&mut station, &mut viewer, &mut ms, 26, |_| true);
    assert_eq!(viewer.shown(), [HIGH]);
    assert_eq!(viewer.playout.takes_over_at(LOW), Some(30));
    run(&mut station, &mut viewer, &mut ms, 5, |_| true);
    assert_eq!(viewer.shown(), [HIGH, LOW]);
}

#[test]
fn a_keyframe_that_is_not_where_it_was_looked_for_makes_nothing_older_of_use() {
    let (mut ms, mut station) = (0, Station::new(1, 3));
    station.lag[0] = 300;
    let mut viewer = Viewer::new(&station.layout, HIGH, 0);
    run(&mut station, &mut viewer, &mut ms, 25, |_| true);
    viewer.playout.show(LOW, 20);
    run(&mut station, &mut viewer, &mut ms, 8, |_| true);
    // It may come three blocks earlier than the better tier's at block 30.
    assert_eq!(viewer.playout.takes_over_at(LOW), Some(27));
}

#[test]
fn what_comes_just_in_time_takes_over_from_what_runs_out() {
    let viewer = taken_over(32, |_| Some(-230));
    let shown = PlayoutEvent::TierShown { tier: LOW, was: HIGH };
    let events: Vec<PlayoutEvent> = viewer.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(events, [PlayoutEvent::Started, shown], "and nothing stands still");
}

#[test]
fn a_keyframe_whose_rest_never_comes_does_not_stand_in_the_way_of_the_next() {
    let late = |block| match block {
        30 => Some(300),
        31..33 => None,
        _ => Some(-500),
    };
    let viewer = taken_over(29, late);
    let shown = (PlayoutEvent::TierShown { tier: LOW, was: HIGH }, 6_000..6_200);
    let changed = viewer.events.iter().find(|(_, event)| *event == shown.0);
    assert!(
        changed.is_some_and(|(ms, _)| shown.1.contains(ms)),
        "{:?}",
        viewer.events
    );
}
