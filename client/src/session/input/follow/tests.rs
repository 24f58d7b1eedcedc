use super::*;
use banyan_protocol::media::{Codec, Kind, Track};
use banyan_protocol::units::Bitrate;
use bytes::Bytes;
use std::sync::mpsc as std_mpsc;

const LOW: TierId = TierId(0);
const TOP: TierId = TierId(1);

fn setup(tier: TierId) -> TierSetup {
    let track = |codec, kind| Track {
        codec,
        kind,
        setup: Bytes::new(),
    };
    let video = Kind::Video {
        width: 1280,
        height: 720,
        frames_per_1000s: 30_000,
    };
    let audio = Kind::Audio {
        sample_rate: 48_000,
        channels: 2,
    };
    TierSetup {
        tier,
        rate: Bitrate::from_kbps(2_500),
        tracks: vec![track(Codec::H264, video), track(Codec::Aac, audio)],
    }
}

fn tiers() -> IngestEvent {
    IngestEvent::Tiers(vec![setup(LOW), setup(TOP)])
}

fn packet(tier: TierId, track: u8, keyframe: bool) -> IngestEvent {
    let packet = Packet {
        track,
        pts: 0,
        dts: 0,
        duration: 0,
        keyframe,
        data: Bytes::new(),
    };
    IngestEvent::Packet { tier, packet }
}

/// What a broadcaster gets: tier, track, and whether it is a keyframe, of each packet; `None` for new tiers.
fn sent(commands: &mut mpsc::Receiver<Command>) -> Vec<Option<(TierId, u8, bool)>> {
    std::iter::from_fn(|| commands.try_recv().ok())
        .map(|command| match command {
            Command::Tiers(_) => None,
            Command::Packet { tier, packet } => Some((tier, packet.track, packet.keyframe)),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn said(heard: &mut mpsc::Receiver<Said>) -> Vec<String> {
    let said = std::iter::from_fn(|| heard.try_recv().ok());
    said.map(|said| format!("{said:?}")).collect()
}

#[test]
fn what_goes_on_the_air_unseen_is_sent_from_its_first_packet() {
    let mut follower = Follower::new(None);
    let (commands, mut given) = mpsc::channel(16);
    let mut heard = follower.go_on_air(commands);
    assert!(follower.take(tiers()) && follower.take(packet(TOP, 1, true)));
    assert_eq!(sent(&mut given), [None, Some((TOP, 1, true))]);
    assert_eq!(said(&mut heard), ["Begun"]);
}

#[test]
fn what_was_looked_at_goes_on_the_air_with_each_tier_s_next_keyframe() {
    let mut follower = Follower::new(None);
    follower.look(Box::new(|_| {}));
    follower.take(tiers());
    follower.take(packet(TOP, 0, true));
    let (commands, mut given) = mpsc::channel(16);
    let mut heard = follower.go_on_air(commands);
    assert_eq!(said(&mut heard), ["Begun"], "the link is told at once");
    for (tier, track, keyframe) in [
        (TOP, 0, false),
        (TOP, 1, true),
        (LOW, 0, true),
        (TOP, 0, true),
        (TOP, 1, true),
        (LOW, 0, false),
    ] {
        assert!(follower.take(packet(tier, track, keyframe)));
    }
    let begun = [(LOW, 0, true), (TOP, 0, true), (TOP, 1, true), (LOW, 0, false)];
    let begun: Vec<_> = std::iter::once(None).chain(begun.map(Some)).collect();
    assert_eq!(sent(&mut given), begun);
}

#[test]
fn what_is_silent_or_over_says_so_on_the_air() {
    let mut follower = Follower::new(None);
    follower.look(Box::new(|_| {}));
    follower.take(IngestEvent::Paused("waiting".into()));
    let (commands, _given) = mpsc::channel(16);
    let mut heard = follower.go_on_air(commands.clone());
    assert_eq!(said(&mut heard), ["Paused(\"waiting\")"]);
    follower.take(IngestEvent::Resumed);
    follower.take(IngestEvent::Ended("the end".into()));
    assert!(follower.is_over());
    assert_eq!(said(&mut heard), ["Resumed", "Ended"]);
    assert_eq!(said(&mut follower.go_on_air(commands)), ["Ended"]);
}

#[test]
fn who_looks_is_told_what_comes_and_why_nothing_does() {
    let (tell, told) = std_mpsc::channel();
    let mut follower = Follower::new(None);
    follower.look(Box::new(move |sight| tell.send(sight).unwrap()));
    for event in [
        IngestEvent::Paused("waiting".into()),
        tiers(),
        packet(TOP, 0, true),
        IngestEvent::Warning("anybody can push".into()),
        IngestEvent::Ended("the end".into()),
    ] {
        assert!(follower.take(event), "nobody has gone");
    }
    let expected = [
        Sight::Nothing("waiting".into()),
        Sight::Comes(setup(TOP)),
        Sight::Warning("anybody can push".into()),
        Sight::Nothing("the end".into()),
    ];
    assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_input_whose_broadcaster_has_gone_is_wanted_no_more() {
    let mut follower = Follower::new(None);
    let (commands, given) = mpsc::channel(1);
    let _heard = follower.go_on_air(commands);
    drop(given);
    assert!(!follower.take(tiers()));
}
