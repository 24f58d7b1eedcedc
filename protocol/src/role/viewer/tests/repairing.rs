//! Parents that fail.

use super::*;
use crate::rng::Rng;
use crate::wire::control::{Accusation, Attach, DetachReason, Orphaned};

fn orphaned(stage: &Stage) -> Vec<Orphaned> {
    let told = stage.told_to(CHANNEL).filter_map(|message| match message {
        Message::Orphaned(orphaned) => Some(orphaned.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_silent_parent_is_replaced_by_the_spare_within_the_buffer() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.run(3000);
    stage.assert_seamless();
    let gaps = stage.repaired();
    assert!(gaps.len() == 1 && (400..=600).contains(&gaps[0]), "{gaps:?}");
    let moved = Moved {
        stripe: stripe_of(1, 0),
        to: peer(4),
        from: Some(peer(1)),
        planned: false,
    };
    assert_eq!(stage.moves(), [&moved]);
    let detached = |message: &Message| {
        *message
            == Message::Detach {
                stripe: stripe_of(1, 0),
                from: 0,
            }
    };
    assert!(
        stage.told_to(peer(1)).any(detached),
        "should it come to life again"
    );
    let accused = stage.told_to(CHANNEL).any(|message| match message {
        Message::Report(report) => report.accusations == [(peer(1), Accusation::Silent)],
        _ => false,
    });
    assert!(accused);
}

#[test]
fn a_link_that_closes_is_a_parent_that_fails() {
    let mut stage = Stage::playing(Some(4));
    stage.unlink(peer(1), LinkEnd::TimedOut);
    stage.run(2000);
    stage.assert_seamless();
    let gaps = stage.repaired();
    assert!(gaps.len() == 1 && gaps[0] <= 120, "{gaps:?}");
}

#[test]
fn a_parent_that_sends_again_before_the_spare_is_kept() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(4, Mood::Late);
    stage.mood(1, Mood::Silent);
    stage.run(600);
    assert_eq!(stage.seats(4), 1);
    stage.mood(1, Mood::Good);
    stage.run(1000);
    assert_eq!((stage.seats(1), stage.seats(4)), (1, 0));
    assert!(stage.repaired().is_empty() && stage.moves().is_empty());
    stage.assert_seamless();
}

#[test]
fn the_coordinator_hears_who_is_kept_when_its_plan_was_refused() {
    let mut stage = Stage::playing(None);
    let stripe = stripe_of(1, 0);
    stage.mood(1, Mood::Silent);
    stage.run(600);
    assert!(!orphaned(&stage).is_empty(), "nobody else sends it");
    // The plan is node 5, which says no; its spare says yes, and has nothing yet.
    stage.mood(4, Mood::Late);
    stage.mood(5, Mood::Silent);
    let rest = (1..3).map(|i| (stripe_of(1, i), 100, 1 + i, None));
    let grants: Vec<_> = [(stripe, 100, 5, Some(4))].into_iter().chain(rest).collect();
    stage.assign(1, &grants);
    stage.run(100);
    stage.told.clear();
    let why = DetachReason::Shed;
    stage.say(peer(5), &Message::Detached { stripe, why });
    stage.run(100);
    stage.mood(1, Mood::Good);
    stage.run(100);
    let kept = Moved {
        stripe,
        to: peer(1),
        from: None,
        planned: false,
    };
    assert_eq!((stage.seats(1), stage.seats(4)), (1, 0));
    assert_eq!(stage.moves(), [&kept]);
}

#[test]
fn late_marks_keep_the_parent_while_it_may_be_repaired_above() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Late);
    stage.run(500);
    assert!(stage.pulled(stripe_of(1, 0)).is_empty());
    stage.run(500);
    assert!(stage.repaired().is_empty() && stage.moves().is_empty());
    let pulled = stage.pulled(stripe_of(1, 0));
    assert!(!pulled.is_empty(), "others go on, and may have what it lacks");
    stage.run(4000);
    stage.assert_seamless();
    // Who says for too long that nothing comes is left.
    assert!(!stage.moves().is_empty());
}

#[test]
fn what_a_parent_lacks_that_sends_another_stripe_on_is_told_once_and_soon() {
    let lacks = |mood| {
        let mut stage = Stage::playing(Some(4));
        let (held, other, third) = (stripe_of(1, 0), stripe_of(1, 1), stripe_of(1, 2));
        stage.assign(
            1,
            &[
                (held, 100, 1, Some(4)),
                (other, 100, 1, Some(4)),
                (third, 100, 3, Some(4)),
            ],
        );
        stage.run(1500);
        stage.told.clear();
        stage.mood(1, mood);
        stage.run(700);
        let told = stage.told_to(CHANNEL).filter_map(|message| match message {
            Message::Report(report) => Some(report.accusations.clone()),
            _ => None,
        });
        told.flatten().collect::<Vec<_>>()
    };
    assert_eq!(
        lacks(Mood::Withholding),
        [(peer(1), Accusation::Lacks(stripe_of(1, 0)))]
    );
    assert_eq!(
        lacks(Mood::Late),
        [],
        "whoever gets nothing at all keeps nothing back"
    );
}

#[test]
fn what_was_asked_for_by_number_is_no_seat() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Late);
    stage.mood(2, Mood::Stingy);
    stage.mood(3, Mood::Stingy);
    stage.mood(4, Mood::Silent);
    let stripe = stripe_of(1, 0);
    let seat = |stage: &Stage| {
        stage.told_to(peer(4)).find_map(|message| match message {
            Message::Attach(attach) => attach.stripes.first().map(|(_, from)| *from),
            _ => None,
        })
    };
    while seat(&stage).is_none() {
        stage.run(10);
    }
    let from = seat(&stage).unwrap();
    let block = stage.told_to(peer(4)).find_map(|message| match message {
        Message::Pull(pull) if pull.stripe == stripe => {
            pull.blocks.iter().find(|block| **block >= from).copied()
        }
        _ => None,
    });
    let block = block.expect("what the seat is to bring was asked for before");
    let frame = stage.station.chunks[&(stripe, block)].frame().clone();
    stage.pending(stage.link_of(peer(4)), Lane::Data(stripe.tier), frame);
    assert!(stage.moves().is_empty(), "it may refuse the seat yet");
}

#[test]
fn who_says_nothing_comes_is_not_waited_for_where_others_go_on() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.mood(4, Mood::Late);
    stage.run(1500);
    assert!(orphaned(&stage).is_empty(), "it may be repaired above");
    stage.run(2500);
    assert!(!orphaned(&stage).is_empty());
}

#[test]
fn what_an_ordered_lane_passed_over_is_pulled_in_time() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Skipping);
    stage.run(3000);
    stage.assert_seamless();
    let pulled = stage.pulled(stripe_of(1, 0));
    assert!((2..=3).contains(&pulled.len()), "each once: {pulled:?}");
}

/// A viewer that plays, and carries a stripe that it does not show, from 5 to 60.
fn carrying() -> (Stage, StripeId) {
    let mut stage = Stage::playing(Some(4));
    let carried = stripe_of(0, 0);
    let shown = (0..3).map(|i| (stripe_of(1, i), 100, 1 + i, Some(4)));
    let grants: Vec<_> = shown.chain([(carried, 100, 5, Some(4))]).collect();
    stage.assign(1, &grants);
    stage.run(1000);
    let link = stage.accept(peer(60));
    let attach = Attach {
        ticket: Some(
            stage
                .ticket(peer(60), &[(carried, 200, 50, None)])
                .seal(&Quick(CHANNEL)),
        ),
        stripes: vec![(carried, stage.station.next)],
    };
    stage.pending(link, Lane::Control, Message::Attach(attach).frame());
    (stage, carried)
}

#[test]
fn what_a_parent_keeps_back_is_pulled_for_those_below() {
    let (mut stage, carried) = carrying();
    stage.run(500);
    stage.told.clear();
    stage.mood(5, Mood::Late);
    stage.run(1100);
    assert!(stage.moves().is_empty(), "it is not left yet");
    assert!(stage.pulled(carried).len() >= 3, "{:?}", stage.pulled(carried));
}

#[test]
fn what_many_lack_at_once_few_ask_the_broadcaster_for() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Late);
    stage.run(1100);
    let of_source = stage.told_to(CHANNEL).filter_map(|message| match message {
        Message::Pull(pull) => Some(pull.blocks.len()),
        _ => None,
    });
    let of_source: usize = of_source.sum();
    let all = stage.pulled(stripe_of(1, 0)).len();
    assert!(of_source > 0 && of_source * 2 < all, "{of_source} of {all}");
}

#[test]
fn holes_in_what_is_only_carried_are_pulled_for_those_below() {
    let (mut stage, carried) = carrying();
    stage.told.clear();
    stage.mood(5, Mood::Skipping);
    stage.run(3000);
    let pulled = stage.pulled(carried);
    assert!((2..=3).contains(&pulled.len()), "each once: {pulled:?}");
}

#[test]
fn without_a_spare_the_coordinator_is_asked() {
    let mut stage = Stage::playing(None);
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.run(500);
    let expected = Orphaned {
        stripe: stripe_of(1, 0),
        parent: peer(1),
        why: DetachReason::Silent,
    };
    assert_eq!(orphaned(&stage), [expected]);
    let grants: Vec<_> = [5, 2, 3]
        .into_iter()
        .zip(0..)
        .map(|(parent, i)| (stripe_of(1, i), 100, parent, None))
        .collect();
    stage.assign(1, &grants);
    stage.run(2000);
    stage.assert_seamless();
    assert_eq!(stage.repaired().len(), 1);
    assert_eq!(stage.seats(5), 1);
}

#[test]
fn an_orphan_asks_again_at_a_bounded_rate() {
    let mut stage = Stage::playing(Some(4));
    stage.mood(1, Mood::Silent);
    stage.mood(4, Mood::Silent);
    stage.run(30_000);
    let asked = orphaned(&stage).len();
    assert!((2..=10).contains(&asked), "{asked}");
    let attaches = stage.told_to(peer(4)).filter(|message| match message {
        Message::Attach(attach) => !attach.stripes.is_empty(),
        _ => false,
    });
    assert!(attaches.count() <= 10);
}

#[test]
fn a_spare_that_refuses_leads_to_the_coordinator() {
    let mut stage = Stage::playing(Some(4));
    stage.mood(1, Mood::Silent);
    stage.mood(4, Mood::Silent);
    stage.run(450);
    let (stripe, why) = (stripe_of(1, 0), DetachReason::Full);
    stage.say(peer(4), &Message::Detached { stripe, why });
    stage.run(50);
    assert_eq!(orphaned(&stage).len(), 1);
}

#[test]
fn a_plan_that_comes_during_a_repair_waits_for_it() {
    let mut stage = Stage::playing(Some(4));
    stage.mood(1, Mood::Silent);
    stage.mood(4, Mood::Late);
    stage.run(500);
    let grants: Vec<_> = [5, 2, 3]
        .into_iter()
        .zip(0..)
        .map(|(parent, i)| (stripe_of(1, i), 100, parent, Some(4)))
        .collect();
    stage.assign(1, &grants);
    stage.run(50);
    assert_eq!((stage.seats(4), stage.seats(5)), (1, 0));
    stage.mood(4, Mood::Good);
    stage.run(500);
    assert_eq!((stage.seats(4), stage.seats(5)), (0, 1));
    stage.assert_seamless();
    assert_eq!(stage.repaired().len(), 1);
}

#[test]
fn what_we_slept_through_is_nobodys_fault() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    for nap in [300, 700, 1500] {
        stage.now += Duration::from_millis(nap);
        stage.input(Input::Wake);
        stage.run(2000);
    }
    assert!(stage.repaired().is_empty() && stage.moves().is_empty());
    assert_eq!(stage.seats(4), 0);
}

#[test]
fn five_minutes_of_jitter_and_loss_move_nobody() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    let mut rng = Rng::new(3);
    for _ in 0..30_000 {
        for n in 1..=3 {
            // Up to 10 ms of jitter, and one chunk in 25 is sent again after 100 to 150 ms.
            let parent = stage.parents.get_mut(&peer(n)).unwrap();
            if parent.held == 0 {
                parent.held = if rng.below(250) == 0 {
                    10 + rng.below(6) as u32
                } else {
                    rng.below(2) as u32
                };
            }
        }
        stage.step();
    }
    stage.assert_seamless();
    assert!(stage.repaired().is_empty() && stage.moves().is_empty());
}

#[test]
fn all_parents_at_once_take_one_spare_each() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    for n in [1, 2, 3, 4, 200] {
        stage.mood(n, Mood::Silent);
    }
    stage.run(2000);
    let attaches = stage.told_to(peer(4)).filter_map(|message| match message {
        Message::Attach(attach) => Some(attach.stripes.len()),
        _ => None,
    });
    assert_eq!(attaches.sum::<usize>(), 3);
    for n in [1, 2, 3, 4, 200] {
        stage.mood(n, Mood::Good);
    }
    stage.run(3000);
    assert_eq!(
        stage
            .viewer
            .snapshot(stage.now)
            .stats
            .viewer
            .unwrap()
            .stripes_receiving,
        3
    );
}
