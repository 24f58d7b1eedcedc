//! The coordinator goes and comes back; the viewer leaves; the channel ends; questions to the person.

use super::*;
use crate::wire::control::{Ask, Attach, RoundKind, WithdrawReason};

#[test]
fn a_lost_coordinator_is_looked_for_while_we_play_on() {
    let mut stage = Stage::playing(Some(4));
    stage.unlink(CHANNEL, LinkEnd::TimedOut);
    let (mut dials, began) = (0, stage.now);
    while stage.ended.is_none() && stage.now.since(began) < Duration::from_secs(200) {
        stage.step();
        if let Some((link, ..)) = stage.dials.pop() {
            dials += 1;
            stage.input(Input::Unlinked {
                link,
                why: LinkEnd::WrongKey,
            });
        }
    }
    assert_eq!(stage.ended, Some(Ended::Unreachable));
    let waited = stage.now.since(began).as_secs();
    assert!((119..=121).contains(&waited), "{waited}");
    assert!((40..90).contains(&dials), "{dials}");
    stage.assert_seamless();
}

#[test]
fn a_restarted_broadcaster_finds_its_trees() {
    let mut stage = Stage::playing(Some(4));
    stage.unlink(CHANNEL, LinkEnd::TimedOut);
    for n in 1..=3 {
        stage.mood(n, Mood::Late);
    }
    stage.mood(4, Mood::Late);
    stage.run(5000);
    stage.told.clear();
    // A parent has the new epoch first.
    stage.station = Station::new(8);
    let sealed = stage.station.layout.seal(&Quick(CHANNEL));
    for n in 1..=3 {
        stage.mood(n, Mood::Good);
        stage.parents.get_mut(&peer(n)).unwrap().seats = BTreeMap::from([(stripe_of(1, n - 1), 0)]);
        let link = stage.link_of(peer(n));
        stage.pending(link, Lane::Data(TierId(1)), chunk::layout_frame(&sealed));
    }
    let before = stage.packets.len();
    stage.run(5000);
    assert!(stage.packets.len() > before + 20, "it plays the new epoch");
    assert_eq!(stage.viewer.snapshot(stage.now).epoch, 8);
    assert!(stage.repaired().is_empty() && stage.moves().is_empty());
    stage.link_coordinator();
    let resume = stage.hello().resume.clone().unwrap();
    assert_eq!(
        (resume.epoch, resume.tier, resume.places.len()),
        (8, TierId(1), 3)
    );
    assert_eq!(resume.places[1].parent, peer(2));
    stage.welcome();
    let grants: Vec<_> = (0..3).map(|i| (stripe_of(1, i), 100, 1 + i, Some(4))).collect();
    stage.serial = 0;
    stage.assign(1, &grants);
    stage.run(1000);
    let shown = stage
        .told_to(peer(2))
        .any(|message| matches!(message, Message::Attach(attach) if attach.ticket.is_some()));
    assert!(shown, "the ticket of the new epoch, though its serial is smaller");
    assert!(stage.moves().is_empty());
}

#[test]
fn who_leaves_without_children_is_gone_at_once() {
    let mut stage = Stage::playing(Some(4));
    stage.command(Command::Leave);
    assert_eq!(stage.ended, Some(Ended::Left));
    assert!(stage.told_to(CHANNEL).any(|message| *message == Message::Leave));
    assert!(stage.closed.len() == 5 && stage.links.is_empty());
    assert!(stage.closed.iter().all(|(_, code)| *code == CloseCode::Leaving));
}

fn feed_child(stage: &mut Stage) -> LinkId {
    let link = stage.accept(peer(60));
    let ticket = stage.ticket(peer(60), &[(stripe_of(1, 0), 200, 50, None)]);
    let attach = Attach {
        ticket: Some(ticket.seal(&Quick(CHANNEL))),
        stripes: vec![(stripe_of(1, 0), stage.station.next)],
    };
    stage.pending(link, Lane::Control, Message::Attach(attach).frame());
    link
}

#[test]
fn who_leaves_feeds_its_children_until_they_have_moved() {
    let mut stage = Stage::playing(Some(4));
    let link = feed_child(&mut stage);
    stage.run(500);
    stage.command(Command::Leave);
    let fed = stage.fed.len();
    stage.run(1000);
    assert!(stage.fed.len() >= fed + 9, "it forwards");
    assert_eq!(stage.ended, None);
    let detach = Message::Detach {
        stripe: stripe_of(1, 0),
        from: 0,
    };
    stage.pending(link, Lane::Control, detach.frame());
    assert_eq!(stage.ended, Some(Ended::Left));
}

#[test]
fn children_that_do_not_move_are_left_after_two_seconds() {
    let mut stage = Stage::playing(Some(4));
    feed_child(&mut stage);
    stage.command(Command::Leave);
    stage.run(1900);
    assert_eq!(stage.ended, None);
    stage.run(200);
    assert_eq!(stage.ended, Some(Ended::Left));
}

#[test]
fn who_leaves_tells_of_no_stall() {
    let mut stage = Stage::playing(None);
    feed_child(&mut stage);
    stage.run(500);
    [1, 2, 3, 200].iter().for_each(|n| stage.mood(*n, Mood::Silent));
    stage.run(1000);
    let stalls = |stage: &Stage| stage.count(|event| matches!(event, Event::Stall));
    assert_eq!(stalls(&stage), 0);
    stage.command(Command::Leave);
    stage.run(1900);
    assert_eq!((stage.ended.clone(), stalls(&stage)), (None, 0));
}

#[test]
fn a_channel_that_ends_is_played_out() {
    let mut stage = Stage::playing(Some(4));
    stage.say(CHANNEL, &Message::End);
    for n in 1..=4 {
        stage.unlink(peer(n), LinkEnd::Closed(CloseCode::Done));
    }
    stage.unlink(CHANNEL, LinkEnd::Closed(CloseCode::Done));
    let (before, told) = (stage.packets.len(), stage.told.len());
    stage.run(1500);
    assert_eq!(stage.ended, None);
    stage.run(3000);
    assert_eq!(stage.ended, Some(Ended::ChannelEnded));
    assert!(
        stage.packets.len() >= before + 17,
        "{}",
        stage.packets.len() - before
    );
    assert!(
        stage.told.len() == told && stage.dials.is_empty(),
        "nobody is looked for"
    );
    stage.assert_seamless();
}

fn ask(round: u64) -> Message {
    Message::Ask(Ask {
        round,
        kind: RoundKind::Leaves,
        deadline_ms: 20_000,
        helps: 2,
        missing: Bitrate::from_kbps(2500),
    })
}

fn answers(stage: &Stage) -> Vec<(u64, bool)> {
    let told = stage.told_to(CHANNEL).filter_map(|message| match message {
        Message::Answer { round, yes } => Some((*round, *yes)),
        _ => None,
    });
    told.collect()
}

#[test]
fn questions_are_asked_answered_and_withdrawn() {
    let mut stage = Stage::playing(Some(4));
    stage.say(CHANNEL, &ask(5));
    let id = stage.events.iter().find_map(|event| match event {
        Event::SponsorRequest {
            id,
            deadline_s: 20,
            helps: 2,
            ..
        } => Some(id.clone()),
        _ => None,
    });
    stage.command(Command::Answer {
        id: Some("other".into()),
        yes: true,
    });
    assert!(answers(&stage).is_empty());
    stage.command(Command::Answer {
        id: id.clone(),
        yes: true,
    });
    stage.command(Command::Answer { id, yes: false });
    assert_eq!(answers(&stage), [(5, true)], "once");
    let (round, why) = (5, WithdrawReason::Unavailable);
    stage.say(CHANNEL, &Message::Withdraw { round, why });
    stage.say(CHANNEL, &Message::Withdraw { round, why });
    assert_eq!(
        stage.count(|event| matches!(event, Event::SponsorWithdrawn { .. })),
        1
    );
    stage.say(CHANNEL, &ask(6));
    stage.command(Command::Answer { id: None, yes: false });
    assert_eq!(answers(&stage), [(5, true), (6, false)]);
}

#[test]
fn an_expired_question_takes_no_answer() {
    let mut stage = Stage::playing(Some(4));
    stage.say(CHANNEL, &ask(5));
    stage.run(20_100);
    stage.command(Command::Answer { id: None, yes: true });
    assert!(answers(&stage).is_empty());
}

#[test]
fn who_may_not_be_asked_declines() {
    let mut stage = Stage::with(ViewerConfig {
        sponsor: None,
        ..config()
    });
    stage.run(10);
    stage.join();
    stage.say(CHANNEL, &ask(5));
    assert_eq!(answers(&stage), [(5, false)]);
    assert_eq!(
        stage.count(|event| matches!(event, Event::SponsorRequest { .. })),
        0
    );
}

#[test]
fn statistics_come_once_a_second_and_reports_every_ten() {
    let mut stage = Stage::playing(Some(4));
    stage.told.clear();
    stage.events.clear();
    stage.input(Input::Wire {
        sent: 1234,
        received: 5678,
    });
    stage.run(30_000);
    let stats = stage.events.iter().filter_map(|event| match event {
        Event::Stats(stats) => Some(stats),
        _ => None,
    });
    let stats: Vec<_> = stats.collect();
    assert!((29..=31).contains(&stats.len()), "{}", stats.len());
    assert_eq!((stats[0].up_bytes, stats[0].down_bytes), (1234, 5678));
    let reports = stage
        .told_to(CHANNEL)
        .filter(|message| matches!(message, Message::Report(_)));
    assert!((2..=4).contains(&reports.count()));
    let echoes = stage
        .told_to(CHANNEL)
        .filter(|message| matches!(message, Message::Echo { .. }));
    assert_eq!(echoes.count(), 0, "the clock is known by then");
}
