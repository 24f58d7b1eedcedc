//! Tickets end, are renewed, and outlive their epoch by a minute.

use super::*;

const NO_TICKET: DetachReason = DetachReason::NoTicket;

/// Without late marks, so that only what matters is said.
fn quiet() -> Rig {
    let mut rig = Rig::new(None);
    rig.engine.set_marking(false);
    rig
}

#[test]
fn a_seat_ends_with_its_ticket() {
    let mut rig = quiet();
    let mut short = ticket(1, &[0]);
    short.expires = ChannelTime::from_micros(DAWN + 5_000_000);
    rig.attach(&short, &[(0, 0)]).unwrap();
    rig.attach(&ticket(2, &[0]), &[(0, 0)]).unwrap();
    rig.until(4999);
    assert_eq!(rig.said(1), [attached(0)]);
    rig.until(5000);
    assert_eq!(rig.said(1), [detached(0, NO_TICKET)]);
    rig.until(599_999);
    assert_eq!(rig.said(2), [attached(0)]);
    rig.until(600_000);
    assert_eq!(rig.said(2), [detached(0, NO_TICKET)]);
    assert_eq!(rig.engine.wake_at(), None, "nothing is left to do");
}

#[test]
fn a_newer_ticket_renews_the_seats_that_it_names_us_for() {
    let mut rig = quiet();
    let mut short = ticket(1, &[0, 1]);
    short.expires = ChannelTime::from_micros(DAWN + 5_000_000);
    rig.attach(&short, &[(0, 0), (1, 0)]).unwrap();
    let mut newer = ticket(1, &[0]);
    newer.serial = 2;
    rig.attach(&newer, &[]).unwrap();
    assert_eq!(
        rig.said(1),
        [attached(0), attached(1)],
        "on its way to another parent, it keeps the other"
    );
    rig.until(5000);
    assert_eq!(rig.said(1), [detached(1, NO_TICKET)]);
    let mut risen = ticket(1, &[0]);
    (risen.serial, risen.grants[0].rank) = (3, Rank(10));
    rig.attach(&risen, &[]).unwrap();
    assert_eq!(rig.said(1), [detached(0, DetachReason::Rank)]);
}

#[test]
fn an_older_ticket_counts_for_nothing_on_any_link() {
    let mut rig = quiet();
    let mut newer = ticket(1, &[1]);
    newer.serial = 2;
    rig.attach(&newer, &[(1, 0)]).unwrap();
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    assert_eq!(rig.said(1), [attached(1), detached(0, NO_TICKET)]);
    rig.with(|engine, now, _| engine.unlinked(now, link_of(1)));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    assert_eq!(rig.said(1), [detached(0, NO_TICKET)]);
}

#[test]
fn seats_outlive_their_epoch_by_a_minute() {
    let mut rig = quiet();
    rig.attach(&ticket(1, &[0, 1]), &[(0, 0)]).unwrap();
    rig.attach(&ticket(2, &[0]), &[(0, 0)]).unwrap();
    rig.blocks(0, 40..43);
    rig.link(3);
    rig.with(|engine, now, _| engine.epoch(now, EPOCH + 1));
    rig.layout(EPOCH + 1, 1);
    rig.said(1);
    rig.said(2);
    assert!(!rig.chunk(&chunk(stripe(0), 43)), "a chunk of the former epoch");
    rig.chunk(&chunk_with(stripe(0), 0, |header| header.epoch = EPOCH + 1));
    assert_eq!(rig.said(1), [Said::Layout(1), Said::Chunk(stripe(0), 0)]);
    rig.attach(&ticket(1, &[0, 1]), &[(1, 0)]).unwrap();
    assert_eq!(rig.said(1), [attached(1)], "it has a seat already");
    rig.attach(&ticket(3, &[0]), &[(0, 0)]).unwrap();
    assert_eq!(rig.said(3), [detached(0, NO_TICKET)]);
    let mut renewed = ticket(2, &[0]);
    renewed.epoch = EPOCH + 1;
    rig.attach(&renewed, &[]).unwrap();
    rig.said(2);
    rig.until(60_000);
    assert_eq!(rig.said(1), [detached(0, NO_TICKET), detached(1, NO_TICKET)]);
    assert_eq!(rig.said(2), []);
    assert_eq!(rig.used(), 1);
}

#[test]
fn an_epoch_never_goes_back() {
    let mut rig = quiet();
    rig.blocks(0, 0..3);
    rig.engine.epoch(rig.now, EPOCH - 1);
    assert_eq!(rig.engine.store().newest(stripe(0)), Some(2));
    assert_eq!(rig.engine.store().epoch(), EPOCH);
}
