//! Who gets a seat, who is refused, and who loses one.

use super::*;

#[test]
fn a_ticket_is_answered_with_a_seat() {
    let mut rig = Rig::new(Some(slot() * 2));
    rig.attach(&ticket(1, &[0, 1]), &[(0, 0), (1, 0)]).unwrap();
    assert_eq!(rig.said(1), [attached(0), attached(1)]);
    assert_eq!(rig.engine.budget_used(), slot() * 2);
    assert_eq!(rig.engine.child_count(), 1);
    assert!(rig.engine.is_interior(stripe(1)) && !rig.engine.is_interior(stripe(2)));
    let children: Vec<_> = rig.engine.children().collect();
    assert_eq!(children, [(child_id(1), stripe(0)), (child_id(1), stripe(1))]);
}

#[test]
fn a_spare_is_as_good_as_a_parent_and_a_known_ticket_need_not_come_again() {
    let mut rig = Rig::new(None);
    let mut ticket = ticket(1, &[0, 1]);
    ticket.grants[0].parent = child_id(9).tag();
    ticket.grants[0].spare = Some(ME.tag());
    rig.attach(&ticket, &[(0, 0)]).unwrap();
    let stripes = vec![(stripe(1), 0)];
    rig.ask(
        1,
        Attach {
            ticket: None,
            stripes,
        },
    )
    .unwrap();
    assert_eq!(rig.said(1), [attached(0), attached(1)]);
}

#[test]
fn a_spare_of_another_stripe_may_be_asked_for_all_and_takes_nobodys_seat() {
    let mut rig = Rig::new(Some(slot() * 5));
    let mut known = ticket(1, &[0, 1, 2, 3]);
    for grant in &mut known.grants[1..] {
        grant.parent = child_id(9).tag();
    }
    rig.attach(&known, &[(0, 0), (1, 0), (2, 0), (3, 0)]).unwrap();
    let all: Vec<_> = (0..4).map(attached).collect();
    assert_eq!(rig.said(1), all);
    let again = Attach {
        ticket: None,
        stripes: vec![(stripe(2), 0)],
    };
    rig.ask(1, again).unwrap();
    assert_eq!(rig.said(1).last(), Some(&attached(2)), "it holds that seat");
    let mut stranger = ticket(4, &[0, 1]);
    stranger
        .grants
        .iter_mut()
        .for_each(|grant| grant.parent = child_id(9).tag());
    rig.attach(&stranger, &[(0, 0)]).unwrap();
    assert_eq!(
        rig.said(4),
        [detached(0, DetachReason::NoTicket)],
        "it is not named"
    );
    let mut rider = ticket(2, &[0]);
    rider.class = Class::FreeRider;
    rig.attach(&rider, &[(0, 0)]).unwrap();
    let mut orphan = ticket(3, &[0, 1]);
    orphan.class = Class::Interior;
    orphan.grants[0].spare = Some(child_id(9).tag());
    orphan.grants[1].parent = child_id(9).tag();
    rig.attach(&orphan, &[(1, 0)]).unwrap();
    assert_eq!(rig.said(3), [detached(1, DetachReason::Full)]);
    assert_eq!(rig.said(2), [attached(0)], "the rider keeps its seat");
}

#[test]
fn every_refusal_has_its_reason() {
    let mut rig = Rig::new(Some(slot()));
    let refused = |rig: &mut Rig, ticket: &Ticket, index| {
        rig.attach(ticket, &[(index, 0)]).unwrap();
        let said = rig.said(ticket.child.0[0] - 100);
        assert_eq!(rig.engine.child_count(), 0);
        said
    };
    let mut expired = ticket(1, &[0]);
    expired.expires = rig.at();
    assert_eq!(
        refused(&mut rig, &expired, 0),
        [detached(0, DetachReason::NoTicket)]
    );
    let other_stripe = ticket(2, &[1]);
    assert_eq!(
        refused(&mut rig, &other_stripe, 0),
        [detached(0, DetachReason::NoTicket)]
    );
    let mut other_parent = ticket(3, &[0]);
    other_parent.grants[0].parent = child_id(9).tag();
    assert_eq!(
        refused(&mut rig, &other_parent, 0),
        [detached(0, DetachReason::NoTicket)]
    );
    let mut high = ticket(4, &[0]);
    high.grants[0].rank = Rank(10);
    assert_eq!(refused(&mut rig, &high, 0), [detached(0, DetachReason::Rank)]);
    let mut former = ticket(5, &[0]);
    former.epoch = EPOCH - 1;
    assert_eq!(
        refused(&mut rig, &former, 0),
        [detached(0, DetachReason::NoTicket)]
    );
    let nowhere = ticket(6, &[6]);
    rig.with(|engine, _, out| engine.set_rank(stripe(6), Some(Rank(10)), out));
    assert_eq!(
        refused(&mut rig, &nowhere, 6),
        [detached(6, DetachReason::NotReceived)]
    );
    rig.link(7);
    let stripes = vec![(stripe(0), 0)];
    rig.ask(
        7,
        Attach {
            ticket: None,
            stripes,
        },
    )
    .unwrap();
    assert_eq!(rig.said(7), [detached(0, DetachReason::NoTicket)]);
}

#[test]
fn seats_stay_within_the_uplink() {
    let mut rig = Rig::new(Some(slot() * 3 - Bitrate(1)));
    rig.attach(&ticket(1, &[0, 1, 2]), &[(0, 0), (1, 0), (2, 0)])
        .unwrap();
    assert_eq!(
        rig.said(1),
        [attached(0), attached(1), detached(2, DetachReason::Full)]
    );
    rig.with(|engine, now, out| engine.detach(now, link_of(1), stripe(0), 0, out))
        .unwrap();
    rig.attach(&ticket(2, &[2]), &[(2, 0)]).unwrap();
    assert_eq!(rig.said(2), [attached(2)]);
    rig.with(|engine, now, _| engine.unlinked(now, link_of(1)));
    assert_eq!(rig.used(), 1);
}

#[test]
fn asking_twice_gives_one_seat_and_no_second_backlog() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 0..5);
    rig.attach(&ticket(1, &[0]), &[(0, 0), (0, 0)]).unwrap();
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    assert_eq!(rig.used(), 1);
    let said = rig.said(1);
    assert_eq!(said.iter().filter(|said| **said == attached(0)).count(), 3);
    assert_eq!(
        said.iter().filter(|said| matches!(said, Said::Chunk(..))).count(),
        5
    );
}

#[test]
fn a_request_that_comes_before_our_own_ticket_is_held_for_a_second() {
    let mut rig = Rig::bare(None);
    rig.engine.epoch(rig.now, EPOCH);
    rig.layout(EPOCH, 1);
    rig.attach(&ticket(1, &[0, 1, 2]), &[(0, 0), (1, 0), (2, 0)])
        .unwrap();
    rig.with(|engine, now, out| engine.detach(now, link_of(1), stripe(2), 0, out))
        .unwrap();
    assert_eq!(rig.said(1), []);
    rig.until(900);
    rig.with(|engine, _, out| engine.set_rank(stripe(0), Some(Rank(10)), out));
    assert_eq!(rig.said(1), [attached(0)]);
    rig.engine.set_marking(false);
    rig.until(1001);
    assert_eq!(rig.said(1), [detached(1, DetachReason::NotReceived)]);
}

#[test]
fn a_ticket_of_an_epoch_that_we_have_not_heard_of_is_held_too() {
    let mut rig = Rig::new(None);
    let mut ticket = ticket(1, &[0]);
    ticket.epoch = EPOCH + 1;
    rig.attach(&ticket, &[(0, 0)]).unwrap();
    assert_eq!(rig.said(1), []);
    rig.with(|engine, now, _| engine.epoch(now, EPOCH + 1));
    assert_eq!(rig.said(1), [], "what a stripe costs is not known yet");
    rig.layout(EPOCH + 1, 1);
    assert_eq!(rig.said(1), [attached(0)]);
}

#[test]
fn a_grant_takes_the_seat_of_the_one_it_replaces_only_if_there_is_no_room() {
    let mut rig = Rig::new(Some(slot() * 2));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    let mut newcomer = ticket(2, &[1, 2]);
    newcomer.grants[0].replaces = Some((stripe(0), child_id(1).tag()));
    newcomer.grants[1].replaces = Some((stripe(0), child_id(1).tag()));
    rig.attach(&newcomer, &[(1, 0)]).unwrap();
    assert_eq!(rig.said(1), [attached(0)]);
    rig.attach(&newcomer, &[(2, 0)]).unwrap();
    assert_eq!(rig.said(1), [detached(0, DetachReason::Replaced)]);
    assert_eq!(rig.said(2), [attached(1), attached(2)]);
    assert_eq!(rig.used(), 2);
}

#[test]
fn a_child_on_several_stripes_takes_the_room_there_is_before_the_seats_of_others() {
    let mut rig = Rig::new(Some(slot() * 2));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    let mut newcomer = ticket(2, &[0, 1]);
    newcomer.class = Class::Interior;
    newcomer.grants[0].replaces = Some((stripe(0), child_id(1).tag()));
    rig.attach(&newcomer, &[(0, 0), (1, 0)]).unwrap();
    assert_eq!(
        rig.said(1),
        [attached(0), detached(0, DetachReason::Replaced)],
        "not shed, though it is of a worse class"
    );
    assert_eq!(rig.said(2), [attached(1), attached(0)]);
}

#[test]
fn what_waits_for_who_is_replaced_still_comes_and_nothing_comes_twice() {
    let mut rig = Rig::new(Some(slot()));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 0..12);
    rig.until(100);
    let mut newcomer = ticket(2, &[0]);
    newcomer.grants[0].replaces = Some((stripe(0), child_id(1).tag()));
    rig.attach(&newcomer, &[(0, 10)]).unwrap();
    assert_eq!(rig.used(), 1);
    let mut got = (rig.got(1, 0), rig.got(2, 0));
    assert!(got.0.len() < 8, "some still wait: {got:?}");
    for tick in 2..30 {
        rig.drain(1, 1 << 20);
        rig.drain(2, 1 << 20);
        rig.until(tick * 100);
        let (one, other) = (rig.got(1, 0), rig.got(2, 0));
        got.0.extend(one);
        got.1.extend(other);
        let waits = got.0.len() < 9;
        assert!(!waits || got.1.is_empty(), "one after the other: {got:?}");
    }
    assert_eq!(got.0, (0..10).collect::<Vec<_>>());
    assert_eq!(got.1, [10, 11]);
    assert_eq!(
        rig.engine.child_count(),
        1,
        "who has been sent everything is no child"
    );
}

#[test]
fn who_has_another_parent_is_sent_what_is_older_than_that_one_has() {
    let mut rig = Rig::new(Some(slot()));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 0..12);
    rig.until(100);
    rig.with(|engine, now, out| engine.detach(now, link_of(1), stripe(0), 8, out))
        .unwrap();
    assert_eq!((rig.used(), rig.engine.child_count()), (0, 1));
    rig.blocks(0, 12..14);
    let mut got = rig.got(1, 0);
    for tick in 2..20 {
        rig.drain(1, 1 << 20);
        rig.until(tick * 100);
        got.extend(rig.got(1, 0));
    }
    assert_eq!(got, (0..8).collect::<Vec<_>>());
    assert_eq!(rig.engine.child_count(), 0);
}

#[test]
fn a_seat_that_nothing_is_taken_from_is_its_successors_after_a_while() {
    let mut rig = Rig::new(Some(slot()));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 0..12);
    let mut newcomer = ticket(2, &[0]);
    newcomer.grants[0].replaces = Some((stripe(0), child_id(1).tag()));
    rig.attach(&newcomer, &[(0, 12)]).unwrap();
    rig.with(|engine, now, _| engine.unlinked(now, link_of(1)));
    rig.blocks(0, 12..14);
    rig.until(500);
    assert_eq!(rig.got(2, 0), [12, 13]);
}

#[test]
fn a_child_that_asks_on_another_link_takes_its_seat_along() {
    let mut rig = Rig::new(Some(slot()));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.with(|engine, _, _| engine.linked(link_of(9), child_id(1)));
    let attach = Attach {
        ticket: Some(ticket(1, &[0]).seal(&Seal(CHANNEL))),
        stripes: vec![(stripe(0), 0)],
    };
    rig.ask(9, attach).unwrap();
    assert_eq!(rig.said(9), [attached(0)]);
    assert_eq!(rig.used(), 1);
}

#[test]
fn our_rank_rises_above_children_and_they_go() {
    let mut rig = Rig::new(None);
    let mut low = ticket(1, &[0]);
    low.grants[0].rank = Rank(30);
    rig.attach(&low, &[(0, 0)]).unwrap();
    rig.attach(&ticket(2, &[0]), &[(0, 0)]).unwrap();
    rig.said(1);
    rig.said(2);
    rig.with(|engine, _, out| engine.set_rank(stripe(0), Some(Rank(30)), out));
    assert_eq!(rig.said(1), [detached(0, DetachReason::Rank)]);
    let ranked = Message::Ranked {
        stripe: stripe(0),
        rank: Rank(30),
    };
    assert_eq!(rig.said(2), [Said::Message(ranked)]);
    rig.with(|engine, _, out| engine.set_rank(stripe(0), None, out));
    assert_eq!(rig.said(2), [detached(0, DetachReason::NotReceived)]);
    assert_eq!(rig.used(), 0);
}

#[test]
fn who_leaves_tells_its_children_and_feeds_them_until_they_have_gone() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.said(1);
    rig.with(|engine, now, out| engine.leave(now, out));
    rig.attach(&ticket(2, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 0..1);
    assert_eq!(
        rig.said(1),
        [
            detached(0, DetachReason::Leaving),
            Said::Layout(1),
            Said::Chunk(stripe(0), 0)
        ]
    );
    assert_eq!(rig.said(2), [detached(0, DetachReason::Leaving)]);
    rig.with(|engine, now, out| engine.detach(now, link_of(1), stripe(0), 0, out))
        .unwrap();
    assert_eq!(rig.engine.child_count(), 0);
}

#[test]
fn the_source_has_rank_zero_everywhere_and_needs_no_marks() {
    let config = Config {
        me: ME,
        channel: CHANNEL,
        verify: Arc::new(Check),
        uplink: None,
        is_source: true,
    };
    let mut rig = Rig::bare(None);
    rig.engine = Forwarder::new(config);
    rig.engine.epoch(rig.now, EPOCH);
    rig.layout(EPOCH, 1);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    let rank = Rank::SOURCE;
    let stripe = stripe(0);
    assert_eq!(rig.said(1), [Said::Message(Message::Attached { stripe, rank })]);
    rig.until(5000);
    assert_eq!(rig.said(1), []);
}
