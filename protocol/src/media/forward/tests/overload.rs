//! When the uplink does not suffice.

use super::*;

fn of_class(n: u8, class: Class, stripes: &[u8]) -> Ticket {
    let mut ticket = ticket(n, stripes);
    ticket.class = class;
    ticket
}

/// The low tier, which costs less than a stripe of the top one.
const LOW: StripeId = StripeId {
    tier: TierId(0),
    index: 0,
};

/// A child sits on the low tier.
fn sits_on_low(rig: &mut Rig, ticket: &Ticket) {
    rig.with(|engine, _, out| engine.set_rank(LOW, Some(Rank(10)), out));
    let mut ticket = ticket.clone();
    ticket.grants.push(Grant {
        stripe: LOW,
        ..grant(0)
    });
    rig.attach(&ticket, &[]).unwrap();
    let attach = Attach {
        ticket: None,
        stripes: vec![(LOW, 0)],
    };
    rig.ask(ticket.child.0[0] - 100, attach).unwrap();
}

#[test]
fn a_better_class_takes_parity_first_and_then_from_the_worst() {
    let mut rig = Rig::new(Some(slot() * 4));
    rig.attach(&of_class(1, Class::Interior, &[0, 5]), &[(0, 0), (5, 0)])
        .unwrap();
    rig.attach(&of_class(2, Class::Leaf, &[0]), &[(0, 0)]).unwrap();
    rig.attach(&of_class(3, Class::FreeRider, &[0]), &[(0, 0)])
        .unwrap();
    assert_eq!(rig.used(), 4);
    for n in 1..=3 {
        rig.said(n);
    }
    rig.attach(&of_class(4, Class::Leaf, &[0, 1, 2]), &[(0, 0)])
        .unwrap();
    assert_eq!(rig.said(1), [detached(5, DetachReason::Shed)]);
    rig.attach(&of_class(4, Class::Leaf, &[0, 1, 2]), &[(1, 0), (2, 0)])
        .unwrap();
    assert_eq!(rig.said(3), [detached(0, DetachReason::Shed)]);
    assert_eq!(
        rig.said(4),
        [attached(0), attached(1), detached(2, DetachReason::Full)]
    );
    rig.attach(&of_class(5, Class::Interior, &[3]), &[(3, 0)])
        .unwrap();
    assert_eq!(rig.said(5), [attached(3)]);
    assert_eq!(
        (rig.said(1), rig.said(2)),
        (vec![], vec![]),
        "the highest stripe of the worst went"
    );
    assert_eq!(rig.said(4), [detached(1, DetachReason::Shed)]);
    assert_eq!(rig.used(), 4);
}

#[test]
fn parity_takes_nobodys_seat() {
    let mut rig = Rig::new(Some(slot()));
    rig.attach(&of_class(1, Class::FreeRider, &[0]), &[(0, 0)])
        .unwrap();
    rig.attach(&of_class(2, Class::Interior, &[5]), &[(5, 0)])
        .unwrap();
    assert_eq!(rig.said(2), [detached(5, DetachReason::Full)]);
    assert_eq!(rig.said(1), [attached(0)]);
}

#[test]
fn nobody_loses_a_seat_if_that_does_not_make_enough_room() {
    let mut rig = Rig::new(Some(slot() + Bitrate::from_kbps(1)));
    sits_on_low(&mut rig, &of_class(1, Class::FreeRider, &[]));
    rig.said(1);
    let mut wide = of_class(2, Class::Interior, &[0]);
    wide.grants[0].replaces = Some((LOW, child_id(9).tag()));
    rig.engine.set_uplink(rig.now, Some(slot() - Bitrate(1)));
    rig.attach(&wide, &[(0, 0)]).unwrap();
    assert_eq!(rig.said(2), [detached(0, DetachReason::Full)]);
    assert_eq!(rig.said(1), []);
}

#[test]
fn a_seat_that_is_replaced_makes_room_once() {
    let mut rig = Rig::new(Some(slot() * 2 - Bitrate(1)));
    rig.attach(&of_class(1, Class::Interior, &[1]), &[(1, 0)])
        .unwrap();
    sits_on_low(&mut rig, &of_class(2, Class::FreeRider, &[]));
    rig.said(2);
    let mut newcomer = of_class(3, Class::Interior, &[0]);
    newcomer.grants[0].replaces = Some((LOW, child_id(2).tag()));
    rig.attach(&newcomer, &[(0, 0)]).unwrap();
    assert_eq!(
        rig.said(3),
        [detached(0, DetachReason::Full)],
        "it is not shed besides, as one of a worse class"
    );
    assert_eq!(rig.said(2), []);
}

#[test]
fn when_the_uplink_shrinks_the_worst_go_until_the_rest_fits() {
    let mut rig = Rig::new(Some(slot() * 4));
    rig.attach(&of_class(1, Class::Interior, &[0, 1]), &[(0, 0), (1, 0)])
        .unwrap();
    rig.attach(&of_class(2, Class::Leaf, &[0, 1]), &[(0, 0), (1, 0)])
        .unwrap();
    rig.said(1);
    rig.said(2);
    rig.with(|engine, now, _| engine.set_uplink(now, Some(slot() * 3)));
    assert_eq!(rig.said(2), [detached(1, DetachReason::Shed)]);
    rig.with(|engine, now, _| engine.set_uplink(now, Some(slot() * 3 - Bitrate(1))));
    let given_up = Said::Reset(TierId(1));
    assert_eq!(
        rig.said(2),
        [detached(0, DetachReason::Shed), given_up],
        "what is under way to it is in the way of others"
    );
    assert_eq!(rig.said(1), []);
    assert_eq!(rig.used(), 2);
}

#[test]
fn what_does_not_go_through_in_fact_is_shed_one_stripe_a_second() {
    let mut rig = Rig::new(Some(slot() * 4));
    rig.engine.set_marking(false);
    rig.attach(&of_class(1, Class::Interior, &[0, 1]), &[(0, 0), (1, 0)])
        .unwrap();
    rig.attach(&of_class(2, Class::Leaf, &[0, 1]), &[(0, 0), (1, 0)])
        .unwrap();
    let mut shed = Vec::new();
    let mut ours = 0;
    for block in 0..40 {
        rig.until(block * 100);
        rig.blocks(0, block..block + 1);
        rig.blocks(1, block..block + 1);
        // Others use 60 % of the uplink besides.
        let others = (slot() * 4).percent(60).bytes_in(rig.now.since(Instant::ZERO));
        let [interior, leaf] = [1, 2].map(|n| rig.said(n));
        let chunks =
            |said: &[Said]| said.iter().filter(|said| matches!(said, Said::Chunk(..))).count() as u64;
        rig.drain(1, chunks(&interior) * 10_112);
        rig.drain(2, chunks(&leaf) * 10_112);
        ours += (chunks(&interior) + chunks(&leaf)) * wire::wire_bytes(10_112);
        rig.with(|engine, now, _| engine.wire_sent(now, others + ours));
        let is_shed = |said: &Said| matches!(said, Said::Message(Message::Detached { .. }));
        assert!(!interior.iter().any(is_shed), "not while the leaf has any");
        shed.extend(leaf.into_iter().filter(is_shed));
        assert!(shed.len() < 2 || block >= 20);
        if shed.len() == 1 {
            assert!(!rig.engine.in_time(), "and the coordinator can be told");
        }
    }
    assert_eq!(
        shed,
        [detached(1, DetachReason::Shed), detached(0, DetachReason::Shed)]
    );
}

#[test]
fn what_comes_late_from_a_parent_that_catches_up_is_not_our_uplinks_fault() {
    let mut rig = Rig::new(Some(slot() * 2 + slot().percent(50)));
    rig.engine.set_marking(false);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.attach(&ticket(2, &[1]), &[(1, 0)]).unwrap();
    for block in 0..80 {
        rig.until(block * 100);
        rig.chunk(&chunk(stripe(1), block));
        match block {
            20..40 => {}
            40 => rig.blocks(0, 20..41),
            _ => rig.blocks(0, block..block + 1),
        }
        for n in [1, 2] {
            let waiting = rig.waiting.get(&link_of(n)).copied().unwrap_or_default();
            rig.drain(n, waiting);
        }
        assert!(rig.engine.in_time(), "at block {block}");
    }
    rig.until(8_000);
    assert_eq!(rig.got(1, 0), (0..80).collect::<Vec<_>>());
    assert_eq!(rig.got(2, 1), (0..80).collect::<Vec<_>>());
}

#[test]
fn where_the_uplink_is_measured_little_more_is_under_way_than_a_path_holds() {
    let window = |rig: &mut Rig| {
        rig.until(rig.now.as_micros() / 1000 + 100);
        let told = rig.said(1).into_iter().filter_map(|said| match said {
            Said::Window(bytes) => Some(bytes),
            _ => None,
        });
        told.last()
    };
    let near = |rig: &mut Rig| {
        let near = Duration::from_millis(40);
        rig.with(|engine, now, _| engine.round_trip(now, link_of(1), near));
    };
    let mut unmeasured = Rig::new(None);
    unmeasured.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    near(&mut unmeasured);
    assert_eq!(window(&mut unmeasured), None, "as much as the transport takes");
    let mut rig = Rig::new(None);
    rig.engine.measure_uplink();
    rig.link(1);
    assert_eq!(window(&mut rig), None, "who has no seat is sent what it asks for");
    rig.attach(&ticket(1, &[0, 1]), &[(0, 0), (1, 0)]).unwrap();
    // So much of two slots, in whole steps of 4 KiB.
    let ms = |ms| {
        (slot() * 2)
            .bytes_in(Duration::from_millis(ms))
            .next_multiple_of(4096)
    };
    assert_eq!(window(&mut rig), Some(ms(520)), "it may be far away");
    near(&mut rig);
    assert_eq!(window(&mut rig), Some(ms(200)));
    near(&mut rig);
    assert_eq!(window(&mut rig), None, "it is said once");
}
