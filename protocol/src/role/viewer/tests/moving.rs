//! Planned moves: make before break.

use super::*;
use crate::wire::control::{Attach, DetachReason};

fn grants(parents: [u8; 3], rank: u64, spare: Option<u8>) -> Vec<(StripeId, u64, u8, Option<u8>)> {
    let stripes = (0..3u8).zip(parents);
    stripes
        .map(|(i, parent)| (stripe_of(1, i), rank, parent, spare))
        .collect()
}

#[test]
fn a_planned_move_loses_nothing() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.assign(1, &grants([6, 2, 3], 100, Some(4)));
    stage.run(3000);
    stage.assert_seamless();
    assert_eq!((stage.seats(1), stage.seats(6)), (0, 1));
    let moved = Moved {
        stripe: stripe_of(1, 0),
        to: peer(6),
        from: Some(peer(1)),
        planned: true,
    };
    assert_eq!(stage.moves(), [&moved]);
    assert!(stage.repaired().is_empty());
}

#[test]
fn the_old_parent_is_kept_until_the_new_one_sends() {
    let mut stage = Stage::playing(Some(4));
    stage.mood(6, Mood::Silent);
    stage.assign(1, &grants([6, 2, 3], 100, Some(4)));
    stage.run(2000);
    assert_eq!(stage.seats(1), 1);
    stage.run(2000);
    let orphaned = stage.told_to(CHANNEL).find_map(|message| match message {
        Message::Orphaned(orphaned) => Some(orphaned.clone()),
        _ => None,
    });
    let orphaned = orphaned.expect("the coordinator learns that its plan failed");
    assert_eq!((orphaned.parent, orphaned.why), (peer(6), DetachReason::Silent));
    stage.assert_seamless();
    assert_eq!(stage.seats(1), 1);
}

#[test]
fn who_is_replaced_is_calm_as_long_as_something_comes() {
    let mut stage = Stage::playing(Some(4));
    stage.mood(6, Mood::Late);
    stage.assign(1, &grants([6, 2, 3], 100, Some(4)));
    stage.run(100);
    stage.told.clear();
    let (stripe, why) = (stripe_of(1, 0), DetachReason::Replaced);
    stage.say(peer(1), &Message::Detached { stripe, why });
    stage.run(500);
    assert_eq!(stage.seats(4), 0, "the spare is not asked");
    stage.mood(6, Mood::Good);
    stage.run(2000);
    stage.assert_seamless();
    assert!(stage.repaired().is_empty(), "nobody failed");
    let orphaned = |message: &Message| matches!(message, Message::Orphaned(_));
    assert!(!stage.told_to(CHANNEL).any(orphaned));
}

#[test]
fn who_is_replaced_and_hears_no_more_takes_its_spare_and_accuses_nobody() {
    let mut stage = Stage::playing(Some(4));
    let (stripe, why) = (stripe_of(1, 0), DetachReason::Replaced);
    stage.say(peer(1), &Message::Detached { stripe, why });
    stage.mood(1, Mood::Silent);
    stage.run(2000);
    assert_eq!(stage.seats(4), 1);
    stage.assert_seamless();
    let accuses = |message: &Message| match message {
        Message::Report(report) => !report.accusations.is_empty(),
        _ => false,
    };
    assert!(!stage.told_to(CHANNEL).any(accuses));
}

#[test]
fn a_plan_that_is_taken_back_is_given_up() {
    let mut stage = Stage::playing(Some(4));
    stage.mood(6, Mood::Late);
    stage.assign(1, &grants([6, 2, 3], 100, Some(4)));
    stage.run(200);
    assert_eq!(stage.seats(6), 1);
    stage.assign(1, &grants([1, 2, 3], 100, Some(4)));
    stage.run(200);
    assert_eq!((stage.seats(6), stage.seats(1)), (0, 1));
    stage.assert_seamless();
}

#[test]
fn a_ticket_is_shown_again_when_it_is_renewed_for_the_same_parents() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.assign(1, &grants([1, 2, 3], 100, Some(4)));
    stage.run(60_000);
    let to_parents = stage.told.iter().filter(|(to, _)| *to != CHANNEL);
    assert_eq!(to_parents.count(), 0, "it says nothing new");
    stage.assign(1, &grants([1, 2, 3], 100, Some(4)));
    stage.run(200);
    for n in 1..=4 {
        let shown: Vec<_> = stage.told_to(peer(n)).cloned().collect();
        let [
            Message::Attach(Attach {
                ticket: Some(_),
                stripes,
            }),
        ] = &shown[..]
        else {
            panic!("{shown:?}")
        };
        assert!(stripes.is_empty());
    }
}

#[test]
fn a_lower_rank_is_held_only_when_no_parent_stands_above_it() {
    let mut stage = Stage::playing(Some(4));
    for n in 1..=3 {
        let (stripe, rank) = (stripe_of(1, n - 1), Rank(60));
        stage.parents.get_mut(&peer(n)).unwrap().rank = 60;
        stage.say(peer(n), &Message::Ranked { stripe, rank });
    }
    stage.mood(6, Mood::Late);
    stage.parents.get_mut(&peer(6)).unwrap().rank = 1;
    stage.told.clear();
    stage.assign(1, &grants([6, 2, 3], 40, Some(4)));
    stage.run(500);
    let held = |stage: &Stage| stage.viewer.feeds.iter().all(|feed| feed.rank == Rank(40));
    assert!(!held(&stage));
    stage.assign(1, &grants([6, 6, 6], 40, Some(4)));
    stage.mood(6, Mood::Good);
    stage.run(500);
    assert!(held(&stage));
    assert_eq!((stage.seats(6), stage.seats(1), stage.seats(2)), (3, 0, 0));
    stage.assert_seamless();
}

#[test]
fn a_parent_that_rises_above_us_is_left() {
    let mut stage = Stage::playing(Some(4));
    let (stripe, rank) = (stripe_of(1, 0), Rank(100));
    stage.say(peer(1), &Message::Ranked { stripe, rank });
    stage.run(500);
    assert_eq!((stage.seats(1), stage.seats(4)), (0, 1));
    stage.assert_seamless();
    assert!(stage.repaired().is_empty(), "nobody failed");
}

#[test]
fn a_parent_that_leaves_costs_nothing() {
    let mut stage = Stage::playing(Some(4));
    let (stripe, why) = (stripe_of(1, 0), DetachReason::Leaving);
    stage.say(peer(1), &Message::Detached { stripe, why });
    stage.run(300);
    stage.unlink(peer(1), LinkEnd::Closed(CloseCode::Leaving));
    stage.run(2000);
    stage.assert_seamless();
    assert_eq!(stage.seats(4), 1);
    assert!(stage.repaired().is_empty(), "nobody failed");
}

#[test]
fn who_becomes_our_parent_is_no_longer_our_child() {
    let mut stage = Stage::playing(Some(4));
    let child = stage.accept(peer(6));
    let ticket = stage.ticket(peer(6), &[(stripe_of(1, 0), 200, 50, None)]);
    let attach = Attach {
        ticket: Some(ticket.seal(&Quick(CHANNEL))),
        stripes: vec![(stripe_of(1, 0), 0)],
    };
    stage.pending(child, Lane::Control, Message::Attach(attach).frame());
    assert_eq!(stage.viewer.forwarder.child_count(), 1);
    stage.assign(1, &grants([6, 2, 3], 100, Some(4)));
    stage.run(100);
    assert_eq!(stage.viewer.forwarder.child_count(), 0);
    assert_eq!(stage.seats(6), 1);
}
