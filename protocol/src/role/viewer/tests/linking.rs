//! Links: strangers, duplicates, dials, and links that nothing uses.

use super::*;
use crate::limits;
use crate::wire::control::{Attach, DetachReason};

fn show_ticket(stage: &mut Stage, link: LinkId, child: u8) {
    let ticket = stage.ticket(peer(child), &[(stripe_of(1, 0), 200, 50, None)]);
    let attach = Attach {
        ticket: Some(ticket.seal(&Quick(CHANNEL))),
        stripes: vec![],
    };
    stage.pending(link, Lane::Control, Message::Attach(attach).frame());
}

#[test]
fn a_stranger_shows_a_ticket_or_goes() {
    let mut stage = Stage::playing(Some(4));
    let member = stage.accept(peer(60));
    show_ticket(&mut stage, member, 60);
    stage.accept(peer(61));
    stage.run(4000);
    assert!(stage.closed.is_empty());
    stage.run(10_000);
    assert_eq!(stage.closed, [(peer(61), CloseCode::NoTicket)]);
}

#[test]
fn inbound_links_are_bounded() {
    let mut stage = Stage::playing(Some(4));
    for n in 0..limits::INBOUND_LINKS_MAX as u32 + 5 {
        let mut id = [70; PeerId::LEN];
        id[..4].copy_from_slice(&n.to_be_bytes());
        stage.accept(PeerId(id));
    }
    assert_eq!(stage.closed.len(), 5);
    assert!(stage.closed.iter().all(|(_, code)| *code == CloseCode::Busy));
}

#[test]
fn of_two_links_the_one_that_the_smaller_key_dialled_stays() {
    // Parent 1 has the smaller key, so its dial stays; nothing is lost.
    let mut stage = Stage::playing(Some(4));
    let ours = stage.link_of(peer(1));
    stage.parents.get_mut(&peer(1)).unwrap().seats.clear();
    let theirs = stage.accept(peer(1));
    let attached = stage.told.iter().rev().find_map(|(to, message)| match message {
        Message::Attach(attach) if *to == peer(1) => Some(attach.clone()),
        _ => None,
    });
    assert_eq!(attached.unwrap().stripes[0].0, stripe_of(1, 0));
    stage.run(3000);
    assert_eq!(stage.closed, [(peer(1), CloseCode::Duplicate)]);
    assert!(!stage.links.contains_key(&ours) && stage.links.contains_key(&theirs));
    stage.assert_seamless();
    assert!(stage.repaired().is_empty());
}

#[test]
fn our_own_dial_stays_against_a_larger_key() {
    let mut stage = Stage::playing(Some(60));
    let (ours, theirs) = (stage.link_of(peer(60)), stage.accept(peer(60)));
    stage.run(3000);
    assert!(stage.links.contains_key(&ours) && !stage.links.contains_key(&theirs));
    assert_eq!(stage.closed, [(peer(60), CloseCode::Duplicate)]);
}

#[test]
fn a_dial_that_is_not_needed_is_given_up() {
    let mut stage = Stage::playing(None);
    stage.answers = false;
    let dial = Introduction {
        peer: peer(8),
        addresses: vec![address(8)],
    };
    stage.say(CHANNEL, &Message::Dial(dial));
    assert_eq!(stage.dials.len(), 1);
    stage.accept(peer(8));
    assert!(stage.dials.is_empty(), "the smaller key's own dial came first");
}

#[test]
fn a_parent_without_addresses_is_waited_for() {
    let mut stage = Stage::new();
    stage.run(3000);
    stage.join();
    let introduction = Introduction {
        peer: peer(6),
        addresses: vec![],
    };
    stage.assign_with(0, &[(stripe_of(0, 0), 9, 6, None)], vec![introduction]);
    stage.run(300);
    assert!(stage.dials.is_empty() && stage.seats(6) == 0);
    stage.accept(peer(6));
    stage.run(100);
    assert_eq!(stage.seats(6), 1);
    stage.run(8000);
    assert!(
        stage.closed.is_empty(),
        "the coordinator named it: it needs no ticket"
    );
}

#[test]
fn a_dial_that_fails_is_told_and_the_spare_is_taken() {
    let mut stage = Stage::new();
    stage.run(3000);
    stage.join();
    stage.answers = false;
    stage.assign(0, &[(stripe_of(0, 0), 9, 6, Some(7))]);
    let dial = stage.dials.iter().position(|(_, to, _)| *to == peer(6)).unwrap();
    let (link, ..) = stage.dials.remove(dial);
    let why = LinkEnd::TimedOut;
    stage.input(Input::Unlinked { link, why });
    stage.answers = true;
    stage.run(100);
    assert!(
        stage
            .told_to(CHANNEL)
            .any(|message| *message == Message::Unreachable { peer: peer(6) })
    );
    assert_eq!(stage.seats(7), 1);
    stage.run(50_000);
    assert!(
        stage.dials.is_empty(),
        "none for a minute to an address that did not answer"
    );
}

#[test]
fn nobody_is_sent_against_a_stranger() {
    let mut stage = Stage::playing(None);
    stage.answers = false;
    let named = |n: u8, port: u16| Introduction {
        peer: PeerId([n; 16]),
        addresses: vec![SocketAddr::from(([192, 0, 2, 1], port))],
    };
    for n in 0..100u8 {
        stage.say(CHANNEL, &Message::Dial(named(n, 999)));
    }
    assert_eq!(stage.dials.len(), 1, "one address under many names");
    for n in 100..200u8 {
        stage.say(CHANNEL, &Message::Dial(named(n, u16::from(n))));
    }
    assert!(stage.dials.len() <= 20, "{}", stage.dials.len());
    for address in ["224.0.0.1:9", "255.255.255.255:9"] {
        let nowhere = Introduction {
            peer: peer(222),
            addresses: vec![address.parse().unwrap()],
        };
        stage.say(CHANNEL, &Message::Dial(nowhere));
        let last = stage.told.last().unwrap();
        assert_eq!(last.1, Message::Unreachable { peer: peer(222) });
    }
}

#[test]
fn links_that_nothing_uses_are_closed_by_who_dialled() {
    let mut stage = Stage::playing(Some(4));
    let stripes = (0..3).map(|i| (stripe_of(1, i), 100, 1, Some(4)));
    stage.assign(1, &stripes.collect::<Vec<_>>());
    stage.run(8000);
    assert!(stage.closed.is_empty());
    stage.run(5000);
    assert_eq!(
        stage.closed,
        [(peer(2), CloseCode::Done), (peer(3), CloseCode::Done)]
    );
    stage.assert_seamless();
}

#[test]
fn the_coordinator_may_look_whether_we_can_be_reached() {
    let mut stage = Stage::playing(Some(4));
    stage.accepted += 1;
    let link = LinkId(stage.accepted * 2 - 1);
    let mut out = Outbox::new();
    let linked = Input::Linked {
        link,
        peer: CHANNEL,
        address: address(200),
        side: Side::Acceptor,
        binding: Binding([0; 32]),
    };
    stage.viewer.handle(stage.now, linked, &mut out);
    let closes = |output: Output| matches!(output, Output::Close { link: closed, .. } if closed == link);
    assert!(out.drain().any(closes));
    stage.run(1000);
    stage.assert_seamless();
}

#[test]
fn chunks_are_passed_on_as_they_came() {
    let mut stage = Stage::playing(Some(4));
    let link = stage.accept(peer(60));
    let ticket = stage.ticket(peer(60), &[(stripe_of(1, 0), 200, 50, None)]);
    let from = stage.station.next - 5;
    let attach = Attach {
        ticket: Some(ticket.seal(&Quick(CHANNEL))),
        stripes: vec![(stripe_of(1, 0), from), (stripe_of(0, 0), from)],
    };
    stage.pending(link, Lane::Control, Message::Attach(attach).frame());
    stage.run(1000);
    let passed = |(to, frame): &(PeerId, Bytes)| match chunk::Data::parse(frame.clone()) {
        Ok(chunk::Data::Chunk(chunk)) => *to == peer(60) && chunk.header.block >= from,
        _ => false,
    };
    assert!(stage.fed.iter().filter(|fed| passed(fed)).count() >= 14);
    let refused = stage.told_to(peer(60)).any(|message| {
        *message
            == Message::Detached {
                stripe: stripe_of(0, 0),
                why: DetachReason::NoTicket,
            }
    });
    assert!(refused);
    assert_eq!(stage.viewer.snapshot(stage.now).children[&peer(60)].len(), 1);
}
