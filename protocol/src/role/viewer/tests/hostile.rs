//! Peers that do what they must not.

use super::*;
use crate::id::Signature;
use crate::wire::control::{Accusation, Attach, Reassign};
use crate::wire::framing;

fn closed_for(stage: &mut Stage, from: PeerId, lane: Lane, frame: Bytes) -> Option<CloseCode> {
    let link = stage.link_of(from);
    stage.pending(link, lane, frame);
    stage
        .closed
        .last()
        .filter(|(to, _)| *to == from)
        .map(|(_, code)| *code)
}

#[test]
fn a_forged_chunk_ends_its_sender_and_nothing_else() {
    let mut stage = Stage::playing(Some(4));
    let child = stage.accept(peer(60));
    let ticket = stage.ticket(peer(60), &[(stripe_of(1, 0), 200, 50, None)]);
    let attach = Attach {
        ticket: Some(ticket.seal(&Quick(CHANNEL))),
        stripes: vec![(stripe_of(1, 0), 0)],
    };
    stage.pending(child, Lane::Control, Message::Attach(attach).frame());
    stage.mood(1, Mood::Forging);
    stage.run(2000);
    stage.assert_seamless();
    assert_eq!(stage.closed, [(peer(1), CloseCode::Forged)]);
    assert_eq!(stage.count(|event| matches!(event, Event::PeerBlamed { .. })), 1);
    assert_eq!(stage.repaired().len(), 1);
    let stats = stage.viewer.snapshot(stage.now).stats.viewer.unwrap();
    assert_eq!(stats.bad_chunks, 1);
    let accused = stage.told_to(CHANNEL).any(|message| match message {
        Message::Report(report) => report.accusations.contains(&(peer(1), Accusation::Forged)),
        _ => false,
    });
    assert!(accused);
    for (_, frame) in &stage.fed {
        if let Ok(chunk::Data::Chunk(chunk)) = chunk::Data::parse(frame.clone()) {
            assert!(
                chunk.is_signed_by(&key_of(CHANNEL), &Quick(CHANNEL)),
                "nothing unverified is passed on"
            );
        }
    }
}

#[test]
fn garbage_and_things_out_of_turn_close_the_link() {
    let leave = Message::Leave.frame();
    let data = Lane::Data(TierId(1));
    for (lane, frame, code) in [
        (
            Lane::Control,
            framing::frame(b"\xff\xff\xff"),
            CloseCode::Malformed,
        ),
        (Lane::Control, leave, CloseCode::Unexpected),
        (Lane::Control, Message::End.frame(), CloseCode::Unexpected),
        (data, framing::frame(&[7; 50]), CloseCode::Malformed),
        (data, chunk::layout_frame(&[1; 90]), CloseCode::Forged),
    ] {
        let mut stage = Stage::playing(Some(4));
        assert_eq!(closed_for(&mut stage, peer(1), lane, frame), Some(code));
        stage.run(2000);
        stage.assert_seamless();
    }
}

#[test]
fn chunks_that_nobody_asked_for_close_the_link() {
    let mut stage = Stage::playing(Some(4));
    let chunk = stage.station.chunks[&(stripe_of(1, 1), 3)].frame().clone();
    let code = closed_for(&mut stage, peer(1), Lane::Data(TierId(1)), chunk.clone());
    assert_eq!(code, Some(CloseCode::Unexpected), "of another stripe");
    stage.accept(peer(60));
    let code = closed_for(&mut stage, peer(60), Lane::Data(TierId(1)), chunk);
    assert_eq!(code, Some(CloseCode::Unexpected), "from a stranger");
}

#[test]
fn a_frame_too_large_closes_the_link() {
    let mut stage = Stage::playing(Some(4));
    let link = stage.link_of(peer(1));
    stage.input(Input::Broken { link });
    assert_eq!(stage.closed, [(peer(1), CloseCode::Malformed)]);
    stage.run(2000);
    stage.assert_seamless();
}

#[test]
fn yesterdays_chunks_and_those_of_next_week_change_nothing() {
    let mut stage = Stage::playing(Some(4));
    let link = stage.link_of(peer(1));
    let header = stage.station.chunks[&(stripe_of(1, 0), 20)].header;
    let before = stage.viewer.forwarder.store().newest(stripe_of(1, 0));
    for strange in [
        chunk::Header { epoch: 6, ..header },
        chunk::Header { epoch: 8, ..header },
        chunk::Header { layout: 2, ..header },
        chunk::Header {
            block: 5000,
            ..header
        },
    ] {
        let chunk = Chunk::seal(&Quick(CHANNEL), strange, b"x");
        stage.pending(link, Lane::Data(TierId(1)), chunk.frame().clone());
    }
    assert_eq!(stage.viewer.forwarder.store().newest(stripe_of(1, 0)), before);
    assert!(stage.closed.is_empty(), "they may be honest");
    stage.run(1000);
    stage.assert_seamless();
}

#[test]
fn a_forged_or_foreign_ticket_closes_the_link() {
    let mut stage = Stage::playing(Some(4));
    let ticket = stage.ticket(peer(61), &[(stripe_of(1, 0), 200, 50, None)]);
    let foreign = ticket.seal(&Quick(CHANNEL));
    let forged = stage.ticket(peer(60), &[]).seal(&Quick(peer(60)));
    for sealed in [foreign, forged] {
        stage.accept(peer(60));
        let attach = Attach {
            ticket: Some(sealed),
            stripes: vec![(stripe_of(1, 0), 0)],
        };
        let frame = Message::Attach(attach).frame();
        assert_eq!(
            closed_for(&mut stage, peer(60), Lane::Control, frame),
            Some(CloseCode::Forged)
        );
    }
    stage.run(500);
    assert!(stage.fed.is_empty());
}

#[test]
fn a_coordinator_that_sends_a_forged_ticket_or_layout_is_left_and_tried_again() {
    let mut stage = Stage::playing(Some(4));
    let ticket = stage
        .ticket(peer(61), &[(stripe_of(1, 0), 1, 1, None)])
        .seal(&Quick(CHANNEL));
    let assign = Assign {
        tier: TierId(1),
        why: TierReason::Full,
        from_block: 0,
        ticket,
        peers: vec![],
    };
    stage.say(CHANNEL, &Message::Assign(assign));
    assert_eq!(stage.closed, [(CHANNEL, CloseCode::Forged)]);
    stage.run(500);
    assert_eq!(stage.dials.len(), 1);
    stage.assert_seamless();
}

#[test]
fn a_coordinator_that_says_what_is_new_in_a_ticket_that_never_was_is_left_and_tried_again() {
    let mut stage = Stage::playing(Some(4));
    // It copies from beyond every ticket's end.
    let patch = [&[0x7f, 0xff][..], &[0; Signature::LEN]].concat().into();
    let reassign = Reassign {
        tier: TierId(1),
        why: TierReason::Full,
        blocks_on: 0,
        patch,
        peers: vec![],
    };
    stage.say(CHANNEL, &Message::Reassign(reassign));
    assert_eq!(stage.closed, [(CHANNEL, CloseCode::Malformed)]);
    stage.run(500);
    assert_eq!(stage.dials.len(), 1);
    stage.assert_seamless();
}
