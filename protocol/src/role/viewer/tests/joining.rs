//! From the first dial to the first picture.

use super::*;
use crate::wire::control::{Introduction, RefuseReason};

#[test]
fn a_viewer_joins_attaches_and_plays() {
    let stage = Stage::playing(Some(4));
    let hello = stage.hello();
    assert_eq!((hello.version, hello.buffer_ms), (crate::limits::VERSION, 2000));
    assert!(hello.may_sponsor && hello.resume.is_none());
    assert!(stage.events.contains(&Event::Joined {
        peer: ME,
        stripes: 3,
        tiers: 2
    }));
    stage.assert_seamless();
    for n in 1..=3 {
        let mut attaches = stage.told_to(peer(n)).filter_map(|message| match message {
            Message::Attach(attach) => Some(attach),
            _ => None,
        });
        let first = attaches.next().unwrap();
        assert!(first.ticket.is_some() && attaches.next().is_none());
        // Of the 20 blocks that it lacks, those before the seat are pulled.
        let [(stripe, from)] = first.stripes[..] else {
            panic!("one stripe each: {first:?}");
        };
        assert!(stripe == stripe_of(1, n - 1) && from > 10, "{first:?}");
        let mut pulled = stage.pulled(stripe);
        pulled.sort_unstable();
        assert_eq!(pulled, (10..from).collect::<Vec<_>>(), "each once");
    }
    assert_eq!(stage.moves().len(), 3);
    assert!(
        stage
            .moves()
            .iter()
            .all(|moved| moved.planned && moved.from.is_none())
    );
    let snapshot = stage.viewer.snapshot(stage.now);
    let stats = snapshot.stats.viewer.unwrap();
    assert_eq!(
        (stats.stripes_receiving, stats.parents.len(), stats.tier),
        (3, 3, TierId(1))
    );
    assert!((2000..2200).contains(&stats.latency_ms), "{}", stats.latency_ms);
    assert_eq!(snapshot.parents[0].spare, Some(peer(4)));
}

#[test]
fn the_first_picture_comes_at_once() {
    let mut stage = Stage::new();
    stage.run(5000);
    stage.join();
    stage.assign(0, &[(stripe_of(0, 0), 5, 200, None)]);
    stage.run(100);
    let startup = stage.events.iter().find_map(|event| match event {
        Event::Playing { startup_ms } => Some(*startup_ms),
        _ => None,
    });
    assert!(startup.is_some_and(|ms| ms <= 5100), "{startup:?}");
    assert_eq!(
        stage
            .told_to(CHANNEL)
            .filter(|message| matches!(message, Message::Attach(_)))
            .count(),
        1
    );
}

#[test]
fn spares_are_linked_and_know_the_ticket_before_they_are_needed() {
    let stage = Stage::playing(Some(4));
    let shown = stage.told_to(peer(4)).any(|message| match message {
        Message::Attach(attach) => attach.ticket.is_some() && attach.stripes.is_empty(),
        _ => false,
    });
    assert!(shown && stage.seats(4) == 0);
}

/// A viewer with this uplink that has just been assigned three stripes of 1, 2 and 3; no single one of those gives it a picture.
fn dialling(uplink_kbps: u64) -> Stage {
    let mut stage = Stage::with(ViewerConfig {
        uplink: Some(Bitrate::from_kbps(uplink_kbps)),
        ..config()
    });
    stage.run(2500);
    stage.join();
    [1, 2, 3, 200].iter().for_each(|n| stage.mood(*n, Mood::Stingy));
    let grants: Vec<_> = (0..3).map(|i| (stripe_of(1, i), 100, 1 + i, None)).collect();
    stage.assign(1, &grants);
    stage
}

/// A viewer that was just assigned stripes of parents that send nothing, with 9 as spare.
fn waiting_for(uplink_kbps: u64, parents: [u8; 3]) -> Stage {
    let mut stage = Stage::with(ViewerConfig {
        uplink: Some(Bitrate::from_kbps(uplink_kbps)),
        ..config()
    });
    stage.run(2500);
    stage.join();
    parents.iter().for_each(|n| stage.mood(*n, Mood::Silent));
    let grants: Vec<_> = (0..3)
        .map(|i| (stripe_of(1, i), 100, parents[usize::from(i)], Some(9)))
        .collect();
    stage.assign(1, &grants);
    stage.run(300);
    stage
}

#[test]
fn where_one_peer_is_to_send_the_whole_backlog_a_spare_sends_too() {
    let stage = waiting_for(4000, [200; 3]);
    let asked = stage
        .told_to(peer(9))
        .any(|told| matches!(told, Message::Pull(_)));
    assert!(asked, "the spare is asked");
}

#[test]
fn where_several_send_or_a_handshake_is_dear_spares_wait_for_the_picture() {
    for (uplink_kbps, parents) in [(4000, [1, 2, 3]), (1000, [200; 3])] {
        let stage = waiting_for(uplink_kbps, parents);
        let told: Vec<_> = stage.told_to(peer(9)).collect();
        assert!(told.is_empty(), "{uplink_kbps} {parents:?}: {told:?}");
    }
}

#[test]
fn who_has_hardly_an_uplink_dials_one_after_the_other_and_asks_for_nobody_else_meanwhile() {
    // A handshake takes it three seconds, and a parent that does not answer is given up after two and a half.
    let mut stage = dialling(8);
    stage.run(2_800);
    let seats = |stage: &Stage| (1..=3).filter(|n| stage.seats(*n) == 1).count();
    assert_eq!(seats(&stage), 1, "the first is reached");
    stage.run(3_500);
    assert_eq!(seats(&stage), 3);
    let complaints = stage
        .told_to(CHANNEL)
        .filter(|message| matches!(message, Message::Orphaned(_)));
    assert_eq!(complaints.count(), 0);
}

#[test]
fn nobody_at_the_address_ends_after_ten_seconds() {
    let mut stage = Stage::new();
    let mut dials = 0;
    for _ in 0..1100 {
        stage.step();
        if let Some((link, ..)) = stage.dials.pop() {
            dials += 1;
            let why = LinkEnd::TimedOut;
            stage.input(Input::Unlinked { link, why });
        }
    }
    assert_eq!(stage.ended, Some(Ended::Unreachable));
    assert!((5..30).contains(&dials), "{dials}");
    assert_eq!(stage.viewer.wake_at(), None);
}

#[test]
fn a_dial_that_nobody_ends_ends_too() {
    let mut stage = Stage::new();
    stage.run(9_900);
    assert_eq!(stage.ended, None);
    stage.run(200);
    assert_eq!(stage.ended, Some(Ended::Unreachable));
}

#[test]
fn wrong_key_and_wrong_version_end_at_once() {
    for (why, how) in [
        (LinkEnd::WrongKey, Ended::WrongKey),
        (LinkEnd::Version, Ended::Version),
        (LinkEnd::Closed(CloseCode::Version), Ended::Version),
        (
            LinkEnd::Closed(CloseCode::NotInvited),
            Ended::Refused(RefuseReason::NotInvited),
        ),
    ] {
        let mut stage = Stage::new();
        stage.run(10);
        let (link, ..) = stage.dials.pop().unwrap();
        stage.input(Input::Unlinked { link, why });
        assert_eq!(stage.ended, Some(how));
    }
}

#[test]
fn a_refusal_is_told_and_ends() {
    let mut stage = Stage::new();
    stage.run(10);
    stage.link_coordinator();
    let reason = RefuseReason::Capacity;
    stage.say(CHANNEL, &Message::Refused { reason });
    assert_eq!(stage.ended, Some(Ended::Refused(reason)));
    assert_eq!(stage.count(|event| matches!(event, Event::Refused { .. })), 1);
}

#[test]
fn a_coordinator_that_falls_silent_before_it_welcomes_is_dialled_again() {
    let mut stage = Stage::new();
    stage.run(10);
    stage.mood(200, Mood::Silent);
    stage.link_coordinator();
    stage.run(14_000);
    assert!(stage.dials.is_empty() && stage.ended.is_none());
    stage.run(3000);
    assert_eq!(stage.closed, [(CHANNEL, CloseCode::Done)]);
}

#[test]
fn who_is_to_be_dialled_by_order_is_dialled_as_soon_as_the_uplink_is_free() {
    for wait in 0..10 {
        let mut stage = dialling(300);
        stage.run(400 + 10 * wait);
        let (now, mut out) = (stage.now, Outbox::new());
        // As a relay does, which is told so by its sponsor.
        for n in [61, 62] {
            let addresses = vec![address(n)];
            let introduction = Introduction {
                peer: peer(n),
                addresses,
            };
            stage.viewer.on_dial(now, introduction, &mut out);
            stage.viewer.handle(now, Input::Wake, &mut out);
        }
        let due = stage.viewer.dials.due().expect("two wait");
        assert!(stage.viewer.wake_at().is_some_and(|wake| wake <= due));
    }
}

#[test]
fn whom_the_next_ticket_does_not_name_is_not_dialled_in_its_turn() {
    let mut stage = dialling(50);
    assert!(
        stage.viewer.dials.due().is_some(),
        "two wait for the first one's handshake"
    );
    let grants: Vec<_> = (0..3).map(|i| (stripe_of(1, i), 100, 1, None)).collect();
    stage.assign(2, &grants);
    assert_eq!(stage.viewer.dials.due(), None);
}
