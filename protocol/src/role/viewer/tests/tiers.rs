//! Quality by steps, and stripes carried for others.

use super::*;

fn top(parent: u8) -> Vec<(StripeId, u64, u8, Option<u8>)> {
    (0..3).map(|i| (stripe_of(1, i), 100, parent, None)).collect()
}

fn low(parent: u8) -> [(StripeId, u64, u8, Option<u8>); 1] {
    [(stripe_of(0, 0), 100, parent, None)]
}

fn shown(stage: &Stage) -> Vec<(TierId, TierId)> {
    let tier = |event: &Event| match event {
        Event::Tier { tier, was, why } => {
            assert!(!why.is_empty());
            Some((*tier, *was))
        }
        _ => None,
    };
    stage.events.iter().filter_map(tier).collect()
}

#[test]
fn a_tier_is_received_until_the_other_is_shown() {
    let mut stage = Stage::playing(None);
    // Nobody sends the new tier yet.
    stage.mood(200, Mood::Silent);
    stage.answers = false;
    stage.assign(0, &low(5));
    stage.run(200);
    assert_eq!((stage.seats(1), stage.seats(5)), (1, 0));
    stage.answers = true;
    stage.run(5000);
    assert_eq!(shown(&stage), [(TierId(0), TierId(1))]);
    assert_eq!((stage.seats(1), stage.seats(5)), (0, 1));
    stage.assert_seamless();
    stage.assign(1, &top(6));
    stage.run(5000);
    assert_eq!(shown(&stage).last(), Some(&(TierId(1), TierId(0))));
    assert_eq!((stage.seats(5), stage.seats(6)), (0, 3));
    stage.assert_seamless();
    let stats = stage.viewer.snapshot(stage.now).stats.viewer.unwrap();
    assert_eq!(
        (stats.tier, stats.stripes_receiving, stats.stalls),
        (TierId(1), 3, 0)
    );
}

#[test]
fn what_cannot_be_shown_any_more_is_left_before_the_other_tier_is_shown() {
    for vanishes in [false, true] {
        let mut stage = Stage::playing(None);
        match vanishes {
            true => stage.unlink(peer(1), LinkEnd::TimedOut),
            false => stage.mood(1, Mood::Silent),
        }
        stage.run(600);
        stage.mood(5, Mood::Silent);
        stage.assign(0, &low(5));
        stage.run(200);
        assert!(shown(&stage).is_empty());
        assert_eq!(
            (stage.seats(2), stage.seats(3)),
            (0, 0),
            "one stripe of three ends"
        );
        stage.mood(5, Mood::Good);
        stage.run(3_000);
        assert_eq!(shown(&stage), [(TierId(0), TierId(1))]);
    }
}

#[test]
fn a_lower_tier_begins_where_it_takes_over() {
    let mut stage = Stage::playing(None);
    stage.run(3_000);
    while stage.station.next % KEYFRAMES != 5 {
        stage.run(100);
    }
    let keyframe = stage.station.next - 5;
    stage.unlink(peer(1), LinkEnd::TimedOut);
    stage.assign(0, &low(5));
    stage.run(200);
    let asked = stage.told_to(peer(5)).find_map(|message| match message {
        Message::Attach(attach) => attach.stripes.first().copied(),
        _ => None,
    });
    let (stripe, from) = asked.expect("it is asked");
    assert_eq!(stripe, stripe_of(0, 0));
    assert!(
        (keyframe - 3..=keyframe).contains(&from),
        "{from}, and the newest keyframe is about {keyframe}"
    );
}

#[test]
fn stripes_of_a_tier_that_is_not_shown_are_carried() {
    let mut stage = Stage::playing(None);
    let mut grants: Vec<_> = (0..3).map(|i| (stripe_of(1, i), 100, 1 + i, None)).collect();
    grants.push((stripe_of(0, 0), 100, 5, None));
    stage.assign(1, &grants);
    stage.run(2000);
    assert_eq!(stage.seats(5), 1);
    assert!(stage.viewer.forwarder.store().newest(stripe_of(0, 0)).is_some());
    assert!(shown(&stage).is_empty());
    grants.pop();
    stage.assign(1, &grants);
    stage.run(100);
    assert_eq!(stage.seats(5), 0, "nobody needs it");
    stage.assert_seamless();
}

#[test]
fn what_came_of_a_tier_before_it_is_shown_is_not_asked_for_again() {
    let mut stage = Stage::playing(None);
    let carried: Vec<_> = top(1).into_iter().chain(low(5)).collect();
    stage.assign(1, &carried);
    stage.run(4000);
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.assign(0, &low(5));
    stage.run(4000);
    assert_eq!(shown(&stage), [(TierId(0), TierId(1))]);
    assert_eq!(stage.pulled(stripe_of(0, 0)), [0u64; 0]);
    stage.assert_seamless();
}

#[test]
fn of_a_lower_tier_only_what_takes_over_is_asked_for() {
    let mut stage = Stage::playing(None);
    stage.run(3_000);
    for parent in 1..=3 {
        stage.mood(parent, Mood::Silent);
    }
    stage.run(600);
    stage.told.clear();
    let newest = stage.station.next;
    stage.assign(0, &low(5));
    stage.run(4_000);
    assert_eq!(shown(&stage), [(TierId(0), TierId(1))]);
    let pulled = stage.pulled(stripe_of(0, 0));
    assert!(
        pulled.iter().all(|block| block + 16 >= newest),
        "{pulled:?} of {newest}: a buffer is 20 blocks, and a keyframe comes each second"
    );
}

#[test]
fn a_layout_without_a_stripe_ends_it() {
    let mut stage = Stage::playing(None);
    stage.station.layout.tiers.pop();
    stage.station.layout.number = 2;
    let sealed = stage.station.layout.seal(&Quick(CHANNEL));
    let link = stage.link_of(peer(1));
    stage.pending(link, Lane::Data(TierId(1)), chunk::layout_frame(&sealed));
    assert_eq!((stage.seats(1), stage.seats(2), stage.seats(3)), (0, 0, 0));
}
