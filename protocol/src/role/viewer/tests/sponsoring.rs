//! A yes becomes a relay, and nobody else's machine does.

use super::*;
use crate::io::{CloudNews, EndReason, RelayState};
use crate::time::Utc;
use crate::wire::control::{Ask, RoundKind, WithdrawReason};
use crate::wire::enrol::EnrolSecret;
use crate::wire::lease::{Lease, LeaseId};
use crate::wire::order::{Numbered, Order, Usage};
use crate::wire::region::RegionName;

const RELAY: PeerId = PeerId([77; 16]);
const SECRET: EnrolSecret = EnrolSecret([8; 16]);
const BINDING: Binding = Binding([6; 32]);

fn lease() -> Lease {
    Lease {
        id: LeaseId([5; 16]),
        ends: Utc::from_secs(2_000_000_000),
        bytes: 1_000_000,
    }
}

/// A viewer who was asked, said yes, and was chosen.
fn chosen() -> Stage {
    let mut stage = Stage::playing(Some(4));
    let regions = vec![region("eu-north-1"), region("eu-west-3")];
    let near = regions.clone();
    stage.say(CHANNEL, &Message::Near { regions });
    stage.say(
        CHANNEL,
        &Message::Ask(Ask {
            round: 5,
            kind: RoundKind::Joiner,
            deadline_ms: 15_000,
            helps: 2,
            missing: Bitrate::from_kbps(2_500),
        }),
    );
    let regions = vec![region("sa-east-1")];
    stage.say(CHANNEL, &Message::Near { regions });
    stage.input(Input::Command(Command::Answer { id: None, yes: true }));
    assert!(stage.orders.is_empty(), "a yes costs nothing before it counts");
    let missing = Bitrate::from_kbps(2_500);
    stage.say(CHANNEL, &Message::Chosen { round: 5, missing });
    // Where the question said, whatever was said afterwards: that is what its price was of.
    assert_eq!(
        stage.orders,
        [CloudOrder::Launch {
            relay: 1,
            missing,
            near
        }]
    );
    stage
}

fn region(name: &str) -> RegionName {
    RegionName::try_from(alloc::string::String::from(name)).unwrap()
}

#[test]
fn who_may_be_asked_finds_out_once_how_far_regions_are() {
    let mut stage = Stage::playing(Some(4));
    stage
        .viewer
        .dials
        .reached(&SocketAddr::from(([198, 51, 100, 7], 4600)));
    stage.say(CHANNEL, &Message::Locate);
    assert_eq!(stage.orders, [CloudOrder::Locate]);
    let round_trips: Vec<_> = (0..40).map(|n| (region(&alloc::format!("r-{n}")), n)).collect();
    let news = CloudNews::Located {
        round_trips: round_trips.clone(),
    };
    stage.input(Input::Command(Command::Cloud(news)));
    stage.say(CHANNEL, &Message::Locate);
    assert_eq!(stage.orders.len(), 1, "nobody's provider is knocked at twice");
    let located = stage.told_to(CHANNEL).find_map(|message| match message {
        Message::Located { round_trips } => Some(round_trips.clone()),
        _ => None,
    });
    let most = crate::limits::REGIONS_MAX;
    assert_eq!(located.as_deref(), Some(&round_trips[..most]));
}

#[test]
fn where_the_broadcaster_is_on_this_machine_nothing_is_found_out() {
    let mut stage = Stage::playing(Some(4));
    stage.say(CHANNEL, &Message::Locate);
    assert!(stage.orders.is_empty());
    let round_trips = Vec::new();
    let nothing = Message::Located { round_trips };
    assert_eq!(stage.told_to(CHANNEL).filter(|told| **told == nothing).count(), 1);
}

#[test]
fn who_never_sponsors_knocks_at_no_door() {
    let mut stage = Stage::with(ViewerConfig {
        sponsor: None,
        ..config()
    });
    stage.run(10);
    stage.join();
    stage.say(CHANNEL, &Message::Locate);
    assert!(stage.orders.is_empty() && stage.closed.is_empty());
}

fn launched(stage: &mut Stage) {
    let news = CloudNews::Launched {
        relay: 1,
        addresses: vec![address(77)],
        lease: lease(),
        uplink: Bitrate::from_kbps(50_000),
        secret: SECRET,
    };
    stage.input(Input::Command(Command::Cloud(news)));
}

/// Whoever answers the dial says what it says.
fn answers(stage: &mut Stage, peer: PeerId, proof: [u8; 32]) -> LinkId {
    let link = stage.any_dials.pop().expect("the relay is dialled");
    stage.links.insert(link, peer);
    stage.input(Input::Linked {
        link,
        peer,
        address: address(77),
        side: Side::Dialler,
        binding: BINDING,
    });
    let version = crate::limits::VERSION;
    stage.pending(link, Lane::Control, Message::Enrol { version, proof }.frame());
    link
}

fn served() -> Stage {
    let mut stage = chosen();
    launched(&mut stage);
    answers(&mut stage, RELAY, SECRET.proof(&BINDING, &RELAY));
    stage
}

fn orders(stage: &Stage) -> Vec<Order> {
    let commanded = stage.told_to(RELAY).filter_map(|message| match message {
        Message::Order(commanded) => Some(commanded),
        _ => None,
    });
    let numbered = commanded.map(|commanded| {
        assert!(commanded.delegation.is_none(), "the sponsor's word is its own");
        Numbered::open(&commanded.order, &key_of(ME), &RELAY, &Quick(ME)).expect("the sponsor signed it")
    });
    let numbered: Vec<Numbered> = numbered.collect();
    assert!(
        numbered
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    numbered.into_iter().map(|numbered| numbered.order).collect()
}

#[test]
fn a_relay_that_proves_itself_is_welcomed_and_offered() {
    let stage = served();
    assert!(
        stage
            .told_to(RELAY)
            .any(|message| matches!(message, Message::Welcome(_)))
    );
    assert_eq!(orders(&stage), [Order::Report]);
    let offer = stage.told_to(CHANNEL).find_map(|message| match message {
        Message::Serving(offer) => Some(offer.clone()),
        _ => None,
    });
    let offer = offer.expect("the coordinator hears of it");
    assert_eq!((offer.round, offer.relay, offer.lease), (5, RELAY, lease()));
    assert!(offer.delegation.is_some());
}

#[test]
fn whoever_proves_nothing_is_named_and_another_is_looked_for() {
    let mut stage = chosen();
    launched(&mut stage);
    let impostor = peer(66);
    answers(&mut stage, impostor, SECRET.proof(&BINDING, &RELAY));
    assert!(stage.closed.iter().any(|(peer, _)| *peer == impostor));
    assert_eq!(
        stage.count(|event| matches!(event, Event::PeerBlamed { peer, .. } if *peer == impostor)),
        1
    );
    assert!(
        !stage
            .told_to(CHANNEL)
            .any(|message| matches!(message, Message::Serving(_)))
    );
    stage.run(2_000);
    answers(&mut stage, RELAY, SECRET.proof(&BINDING, &RELAY));
    assert!(
        stage
            .told_to(CHANNEL)
            .any(|message| matches!(message, Message::Serving(_)))
    );
}

#[test]
fn the_secret_of_another_and_a_proof_for_another_link_prove_nothing() {
    let others = EnrolSecret([9; 16]).proof(&BINDING, &RELAY);
    let elsewhere = SECRET.proof(&Binding([7; 32]), &RELAY);
    for proof in [others, elsewhere] {
        let mut stage = chosen();
        launched(&mut stage);
        answers(&mut stage, RELAY, proof);
        assert!(stage.closed.iter().any(|(peer, _)| *peer == RELAY));
        assert_eq!(
            stage.count(|event| matches!(event, Event::PeerBlamed { peer, .. } if *peer == RELAY)),
            1,
            "and is named"
        );
        let offered = stage
            .told_to(CHANNEL)
            .any(|message| matches!(message, Message::Serving(_)));
        assert!(!offered);
    }
}

#[test]
fn what_is_said_either_way_is_passed_on() {
    let mut stage = served();
    let relay = RELAY.tag();
    let dial = Message::Dial(Introduction {
        peer: peer(9),
        addresses: vec![],
    });
    let message = dial.body();
    stage.say(CHANNEL, &Message::ToRelay { relay, message });
    assert!(matches!(orders(&stage)[..], [Order::Report, Order::Dial(_)]));
    let unreachable = Message::Unreachable { peer: peer(9) };
    stage.say(RELAY, &unreachable);
    let passed = stage.told_to(CHANNEL).any(|message| {
        matches!(message, Message::FromRelay { relay: of, message } if *of == relay && *message == unreachable.body())
    });
    assert!(passed);
    let usage = Usage {
        sent: 4_000,
        sending: Bitrate::ZERO,
        children: 3,
        lease: lease(),
    };
    stage.say(RELAY, &Message::Usage(usage));
    let used = CloudOrder::Used {
        relay: 1,
        sent: 4_000,
        serves: 3,
        state: RelayState::Serving,
        lease: lease(),
    };
    assert_eq!(stage.orders.last(), Some(&used));
}

#[test]
fn a_relay_that_cannot_be_started_is_said_to_be_none() {
    let mut stage = chosen();
    let why = "no".into();
    stage.input(Input::Command(Command::Cloud(CloudNews::Failed {
        relay: 1,
        why,
    })));
    let none = Message::NoRelay {
        round: 5,
        relay: None,
    };
    assert!(stage.told_to(CHANNEL).any(|message| *message == none));
}

#[test]
fn who_leaves_drains_its_relay_and_ends_it() {
    let mut stage = served();
    stage.input(Input::Command(Command::Leave));
    assert_eq!(orders(&stage).last(), Some(&Order::Drain));
    stage.run(2_500);
    assert_eq!(stage.ended, Some(Ended::Left));
    let (relay, why) = (1, EndReason::Done);
    assert_eq!(stage.orders.last(), Some(&CloudOrder::Terminate { relay, why }));
}

#[test]
fn who_changes_their_mind_lets_the_relay_run_on() {
    let mut stage = served();
    stage.input(Input::Command(Command::RunOn(true)));
    stage.input(Input::Command(Command::Leave));
    stage.run(2_500);
    assert_eq!(stage.ended, Some(Ended::Left));
    assert!(!orders(&stage).contains(&Order::Drain));
    assert!(
        !stage
            .orders
            .iter()
            .any(|order| matches!(order, CloudOrder::Terminate { .. }))
    );
}

#[test]
fn a_relay_that_is_to_end_hands_over_first_and_told_twice_it_ends_at_once() {
    let mut stage = served();
    let terminate = CloudOrder::Terminate {
        relay: 1,
        why: EndReason::Done,
    };
    stage.input(Input::Command(Command::EndRelay(2)));
    assert!(!orders(&stage).contains(&Order::Drain), "that is no relay");
    stage.input(Input::Command(Command::EndRelay(1)));
    assert_eq!(orders(&stage).last(), Some(&Order::Drain));
    assert!(!stage.orders.contains(&terminate));
    stage.input(Input::Command(Command::EndRelay(1)));
    assert_eq!(stage.orders.last(), Some(&terminate));
}

#[test]
fn a_relay_that_the_coordinator_cannot_use_is_ended() {
    let mut stage = served();
    let terminate = CloudOrder::Terminate {
        relay: 1,
        why: EndReason::Unwanted,
    };
    let why = WithdrawReason::Unavailable;
    stage.say(CHANNEL, &Message::Withdraw { round: 4, why });
    let taken = WithdrawReason::Taken;
    stage.say(CHANNEL, &Message::Withdraw { round: 5, why: taken });
    assert!(!orders(&stage).contains(&Order::Drain), "that is another's");
    stage.say(CHANNEL, &Message::Withdraw { round: 5, why });
    assert_eq!(orders(&stage).last(), Some(&Order::Drain));
    assert!(!stage.orders.contains(&terminate), "its children move first");
    stage.say(RELAY, &Message::Leave);
    stage.unlink(RELAY, LinkEnd::Closed(CloseCode::Done));
    stage.run(1_500);
    assert_eq!(stage.orders.last(), Some(&terminate));
}

#[test]
fn a_yes_that_nobody_gave_starts_nothing() {
    let mut stage = Stage::playing(Some(4));
    let missing = Bitrate::from_kbps(2_500);
    stage.say(CHANNEL, &Message::Chosen { round: 9, missing });
    assert!(stage.orders.is_empty());
    let none = Message::NoRelay {
        round: 9,
        relay: None,
    };
    assert!(stage.told_to(CHANNEL).any(|message| *message == none));
}

#[test]
fn a_relay_of_another_version_is_ended_at_once() {
    let mut stage = chosen();
    launched(&mut stage);
    let link = stage.any_dials.pop().expect("the relay is dialled");
    let why = LinkEnd::Version;
    stage.input(Input::Unlinked { link, why });
    let (relay, why) = (1, EndReason::Version);
    assert_eq!(stage.orders.last(), Some(&CloudOrder::Terminate { relay, why }));
    assert!(
        stage
            .told_to(CHANNEL)
            .any(|message| matches!(message, Message::NoRelay { .. }))
    );
}

#[test]
fn a_longer_lease_is_told_to_the_coordinator() {
    let mut stage = served();
    let mut longer = lease();
    longer.ends = longer.ends.after(Duration::from_secs(600));
    for lease in [longer, lease()] {
        stage.say(
            RELAY,
            &Message::Usage(Usage {
                sent: 0,
                sending: Bitrate::ZERO,
                children: 0,
                lease,
            }),
        );
    }
    let offered: Vec<Lease> = stage
        .told_to(CHANNEL)
        .filter_map(|message| match message {
            Message::Serving(offer) => Some(offer.lease),
            _ => None,
        })
        .collect();
    assert_eq!(offered, [lease(), longer], "once, and never a shorter one");
}

#[test]
fn a_relay_of_another_version_that_proves_itself_is_ended_at_once() {
    let mut stage = chosen();
    launched(&mut stage);
    let link = stage.any_dials.pop().expect("the relay is dialled");
    stage.links.insert(link, RELAY);
    stage.input(Input::Linked {
        link,
        peer: RELAY,
        address: address(77),
        side: Side::Dialler,
        binding: BINDING,
    });
    let (version, proof) = (crate::limits::VERSION + 1, SECRET.proof(&BINDING, &RELAY));
    stage.pending(link, Lane::Control, Message::Enrol { version, proof }.frame());
    let (relay, why) = (1, EndReason::Version);
    assert_eq!(stage.orders.last(), Some(&CloudOrder::Terminate { relay, why }));
}
