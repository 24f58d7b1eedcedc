//! Spares that come without a ticket, and the parents that a viewer has taken by itself.

use super::*;
use crate::wire::amendments::{Amendment, Amendments};

/// Tells of a spare for the first stripe, and of its parent if that is another than the ticket says.
fn amend(stage: &mut Stage, parent: Option<u8>, spare: u8) {
    let tag = |n| peer(n).tag();
    let amendment = Amendment {
        stripe: stripe_of(1, 0),
        parent: parent.map(tag),
        spare: Some(tag(spare)),
    };
    let unknown = Amendment {
        stripe: stripe_of(3, 0),
        ..amendment
    };
    let list = vec![unknown, amendment];
    stage.say(CHANNEL, &Message::Amend(Amendments { list }));
}

#[test]
fn another_spare_comes_without_a_ticket() {
    let mut stage = Stage::playing(Some(4));
    amend(&mut stage, None, 2);
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.run(3000);
    stage.assert_seamless();
    let to: Vec<_> = stage.moves().iter().map(|moved| moved.to).collect();
    assert_eq!(to, [peer(2)], "who sends another stripe already");
}

#[test]
fn who_has_taken_its_spare_is_told_of_the_next_one() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.run(2000);
    amend(&mut stage, Some(4), 2);
    stage.run(500);
    assert_eq!(stage.moves().len(), 1, "it stays where it is");
    stage.mood(4, Mood::Silent);
    stage.run(2000);
    stage.assert_seamless();
    let moves = stage.moves();
    let to: Vec<_> = moves.iter().map(|moved| (moved.to, moved.planned)).collect();
    assert_eq!(to, [(peer(4), false), (peer(2), false)]);
}

#[test]
fn a_parent_that_it_does_not_sit_at_is_asked() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    amend(&mut stage, Some(2), 1);
    stage.run(1000);
    stage.assert_seamless();
    let moves = stage.moves();
    let to: Vec<_> = moves.iter().map(|moved| (moved.to, moved.planned)).collect();
    assert_eq!(to, [(peer(2), true)]);
    stage.mood(2, Mood::Silent);
    stage.run(2000);
    assert_eq!(
        stage.moves().last().map(|moved| moved.to),
        Some(peer(1)),
        "its spare now"
    );
}

#[test]
fn an_orphan_asks_the_spare_that_it_is_told_of() {
    let mut stage = Stage::playing(None);
    stage.told.clear();
    stage.mood(1, Mood::Silent);
    stage.run(700);
    let orphaned = |message: &&Message| matches!(message, Message::Orphaned(_));
    assert_eq!(
        stage.told_to(CHANNEL).filter(orphaned).count(),
        1,
        "it has no spare"
    );
    amend(&mut stage, None, 2);
    stage.run(500);
    assert_eq!(stage.moves().len(), 1);
}
