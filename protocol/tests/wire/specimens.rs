//! What the tests of the wire format share: one specimen of each thing that the network carries.

use banyan_protocol::id::{PeerId, SecretKey};
use banyan_protocol::media::block::Block;
use banyan_protocol::media::smooth::Smoother;
use banyan_protocol::media::{Codec, Kind, Packet, StripeId, TierId, Track, stripe};
use banyan_protocol::time::{ChannelTime, Utc};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::amendments::{Amendment, Amendments};
use banyan_protocol::wire::chunk::{Chunk, late_frame, layout_frame};
use banyan_protocol::wire::control::{
    Accusation, Ask, Assign, Attach, DetachReason, Hello, Introduction, Message, Moved, Orphaned, Place,
    Pull, RefuseReason, Report, Resume, RoundKind, TierReason, Welcome, WithdrawReason,
};
use banyan_protocol::wire::layout::{Layout, Tier};
use banyan_protocol::wire::lease::{Lease, LeaseId};
use banyan_protocol::wire::link::{ChannelLink, JoinSecret};
use banyan_protocol::wire::order::{Commanded, Delegation, Numbered, Offer, Order, SealedDelegation, Usage};
use banyan_protocol::wire::region::RegionName;
use banyan_protocol::wire::ticket::{Class, Grant, Rank, Ticket, TicketLane};
use bytes::Bytes;
use std::net::SocketAddr;

/// A specimen's name, and its bytes.
pub(crate) type Specimen = (String, Bytes);

/// The channel's key.
pub(crate) fn channel() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

fn peer(seed: u8) -> PeerId {
    SecretKey::from_bytes(&[seed; 32]).id()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const STRIPE: StripeId = StripeId {
    tier: TierId(1),
    index: 2,
};

const NOW: ChannelTime = ChannelTime::from_micros(1_800_000_000_123_456);

fn tier(id: u8, stripes: u8, parity: bool) -> Tier {
    let picture = Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 1280,
            height: 720,
            frames_per_1000s: 25_000,
        },
        setup: Bytes::from_static(&[1, 100, 0, 31]),
    };
    let sound = Track {
        codec: Codec::Aac,
        kind: Kind::Audio {
            sample_rate: 48_000,
            channels: 2,
        },
        setup: Bytes::from_static(&[0x11, 0x90]),
    };
    Tier {
        id: TierId(id),
        stripes,
        parity,
        rate: Bitrate::from_kbps(500 * u64::from(stripes)),
        slot: Bitrate::from_kbps(600),
        tracks: vec![picture, sound],
    }
}

/// A layout of two tiers.
pub(crate) fn layout() -> Layout {
    Layout {
        epoch: 1_800_000_000,
        number: 3,
        from_block: 70,
        title: "Käse & Brot".to_string(),
        tiers: vec![tier(0, 1, false), tier(1, 4, true)],
    }
}

/// A block with the end of a keyframe, a sound, and the beginning of a picture.
pub(crate) fn block() -> Block {
    let tier = tier(1, 4, true);
    let mut smoother = Smoother::new(Bitrate::from_kbps(80), &tier.tracks, 4);
    let picture = |len: usize, keyframe| Packet {
        track: 0,
        pts: 900_000,
        dts: 896_400,
        duration: 3_600,
        keyframe,
        data: (0..len).map(|byte| byte as u8).collect(),
    };
    let sound = Packet {
        track: 1,
        pts: 899_000,
        dts: 899_000,
        duration: 1_920,
        ..picture(60, true)
    };
    for packet in [
        picture(1_100, true),
        sound,
        picture(300, true),
        picture(700, false),
    ] {
        smoother.push(NOW, &packet);
    }
    smoother.cut(NOW, 76);
    smoother.cut(NOW, 77)
}

/// The chunks of [`block`], parity last.
pub(crate) fn chunks() -> Vec<Chunk> {
    stripe::seal(&channel(), &block(), &tier(1, 4, true), 3, 1_800_000_000)
}

/// Whose [`ticket`] it is.
pub(crate) fn child() -> PeerId {
    peer(9)
}

/// A ticket for two stripes.
pub(crate) fn ticket() -> Ticket {
    let grant = |index, spare| Grant {
        stripe: StripeId { index, ..STRIPE },
        rank: Rank(1 << 40),
        parent: peer(2).tag(),
        spare,
        replaces: None,
    };
    let replaces = Some((STRIPE, peer(4).tag()));
    Ticket {
        epoch: 1_800_000_000,
        serial: 5,
        child: child(),
        class: Class::Interior,
        expires: ChannelTime::from_micros(1_800_000_600_000_000),
        grants: vec![
            grant(0, Some(peer(3).tag())),
            Grant {
                replaces,
                ..grant(1, None)
            },
        ],
    }
}

/// A link with everything that a link may have.
pub(crate) fn link() -> ChannelLink {
    ChannelLink {
        channel: channel().public(),
        addresses: vec![address("192.0.2.7:4600"), address("[2001:db8::1]:4600")],
        secret: Some(JoinSecret([3; 16])),
        title: Some("Käse & Brot".to_string()),
    }
}

/// Frames of a data lane, one of each kind.
pub(crate) fn data_frames() -> Vec<Specimen> {
    let chunks = chunks();
    let named = |name: &str, frame: Bytes| (name.to_string(), frame);
    vec![
        named("chunk", chunks[1].frame().clone()),
        named("chunk-parity", chunks[4].frame().clone()),
        named("late", late_frame(STRIPE, 77)),
        named("layout", layout_frame(&layout().seal(&channel()))),
    ]
}

/// Control messages, at least one of each kind.
pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    let mut messages = from_viewer();
    messages.extend(from_coordinator());
    messages.extend(between_peers());
    messages.extend(of_relays());
    messages
}

fn from_viewer() -> Vec<(&'static str, Message)> {
    let place = Place {
        stripe: STRIPE,
        parent: peer(2),
        rank: Rank(7),
    };
    let hello = Hello {
        version: 1,
        secret: Some([3; 16]),
        uplink: Some(Bitrate::from_kbps(5_000)),
        buffer_ms: 2_000,
        candidates: vec![address("198.51.100.9:4601")],
        relay_only: false,
        may_sponsor: true,
        watches: true,
        resume: Some(Resume {
            epoch: 1_799_999_999,
            tier: TierId(1),
            children: 2,
            places: vec![place],
        }),
    };
    let report = Report {
        children_in_time: true,
        carries: None,
        sending: Bitrate::from_kbps(3_300),
        round_trips: vec![(peer(2), 41)],
        accusations: vec![(peer(3), Accusation::Silent)],
    };
    let moved = Moved {
        stripe: STRIPE,
        to: peer(3),
        from: Some(peer(2)),
        planned: false,
    };
    let orphaned = Orphaned {
        stripe: STRIPE,
        parent: peer(2),
        why: DetachReason::Silent,
    };
    vec![
        ("hello", Message::Hello(hello)),
        ("report", Message::Report(report)),
        ("moved", Message::Moved(moved)),
        ("orphaned", Message::Orphaned(orphaned)),
        ("answer", Message::Answer { round: 9, yes: true }),
        ("unreachable", Message::Unreachable { peer: peer(4) }),
        ("leave", Message::Leave),
    ]
}

fn assign(introduction: Introduction) -> Assign {
    Assign {
        tier: TierId(1),
        why: TierReason::Full,
        from_block: 1_050,
        ticket: ticket().seal(&channel()),
        peers: vec![introduction],
    }
}

fn introduction() -> Introduction {
    Introduction {
        peer: peer(2),
        addresses: vec![address("203.0.113.5:4600"), address("[2001:db8::5]:4600")],
    }
}

fn amendments() -> Amendments {
    let amendment = |index, parent, spare| Amendment {
        stripe: StripeId { index, ..STRIPE },
        parent,
        spare,
    };
    let (one, other) = (Some(peer(3).tag()), Some(peer(4).tag()));
    Amendments {
        list: vec![
            amendment(0, None, one),
            amendment(1, one, other),
            amendment(2, None, None),
        ],
    }
}

/// Two tickets on one lane, as they travel: the other one with another spare.
pub(crate) fn lane() -> [Message; 2] {
    let first = assign(introduction());
    let mut ticket = ticket();
    ticket.serial += 1;
    ticket.grants[0].spare = None;
    let other = Assign {
        ticket: ticket.seal(&channel()),
        peers: vec![],
        ..first.clone()
    };
    let mut lane = TicketLane::default();
    [first, other].map(|assign| lane.send(assign))
}

fn from_coordinator() -> Vec<(&'static str, Message)> {
    let introduction = introduction();
    let welcome = Welcome {
        epoch: 1_800_000_000,
        layout: layout().seal(&channel()),
        live_block: 1_077,
        now: NOW,
        observed: address("198.51.100.9:50001"),
    };
    let assign = assign(introduction.clone());
    let ask = Ask {
        round: 9,
        kind: RoundKind::Orphans,
        deadline_ms: 15_000,
        helps: 4,
        missing: Bitrate::from_kbps(2_500),
    };
    let why = WithdrawReason::Taken;
    let reason = RefuseReason::Capacity;
    let [_, reassign] = lane();
    vec![
        ("welcome", Message::Welcome(welcome)),
        ("refused", Message::Refused { reason }),
        ("assign", Message::Assign(assign)),
        ("dial", Message::Dial(introduction)),
        ("ask", Message::Ask(ask)),
        ("withdraw", Message::Withdraw { round: 9, why }),
        ("end", Message::End),
        ("amend", Message::Amend(amendments())),
        ("reassign", reassign),
    ]
}

fn between_peers() -> Vec<(&'static str, Message)> {
    let (stripe, rank) = (STRIPE, Rank(70_000));
    let sent_us = 123_456_789;
    let attach = Attach {
        ticket: Some(ticket().seal(&channel())),
        stripes: vec![(stripe, 1_050)],
    };
    let pull = Pull {
        stripe,
        blocks: vec![1_051, 1_053],
    };
    let why = DetachReason::Full;
    vec![
        ("echo", Message::Echo { sent_us }),
        ("echoed", Message::Echoed { sent_us, at: NOW }),
        ("attach", Message::Attach(attach)),
        ("detach", Message::Detach { stripe, from: 1_052 }),
        ("pull", Message::Pull(pull)),
        ("attached", Message::Attached { stripe, rank }),
        ("detached", Message::Detached { stripe, why }),
        ("ranked", Message::Ranked { stripe, rank }),
    ]
}

/// Frames of a control lane, one of each kind.
pub(crate) fn control_frames() -> Vec<Specimen> {
    let frame = |(name, message): (&str, Message)| (name.to_string(), message.frame());
    messages().into_iter().map(frame).collect()
}

/// Bodies of blocks.
pub(crate) fn bodies() -> Vec<Specimen> {
    vec![("body".to_string(), block().body)]
}

/// Sealed documents.
pub(crate) fn sealed() -> Vec<Specimen> {
    vec![
        ("layout".to_string(), layout().seal(&channel())),
        ("ticket".to_string(), ticket().seal(&channel())),
    ]
}

/// A sponsor's key.
pub(crate) fn sponsor() -> SecretKey {
    SecretKey::from_bytes(&[6; 32])
}

/// Its relay.
pub(crate) fn relay() -> PeerId {
    peer(7)
}

fn lease() -> Lease {
    Lease {
        id: LeaseId([8; 16]),
        ends: Utc::from_secs(1_800_003_600),
        bytes: 11_000_000_000,
    }
}

/// The orders, one of each kind, numbered.
pub(crate) fn orders() -> Vec<(&'static str, Numbered)> {
    let orders = [
        ("attach", Order::Attach(assign(introduction()))),
        ("dial", Order::Dial(introduction())),
        ("accept", Order::Accept { children: 40 }),
        ("cap", Order::Cap(Bitrate::from_kbps(90_000))),
        ("drain", Order::Drain),
        ("extend", Order::Extend(lease())),
        ("stop", Order::Stop),
        ("report", Order::Report),
        ("revoke", Order::Revoke { generation: 3 }),
    ];
    let number = |(sequence, (name, order))| {
        let sequence = 1_800_000_000_000_000 + sequence;
        let lease = lease().id;
        (
            name,
            Numbered {
                lease,
                sequence,
                order,
            },
        )
    };
    (0u64..).zip(orders).map(number).collect()
}

/// What a sponsor gives away.
pub(crate) fn delegation() -> Delegation {
    Delegation {
        channel: channel().public(),
        relay: relay(),
        delegate: channel().public(),
        lease: lease(),
        generation: 2,
    }
}

/// Sealed orders, and then the delegation.
pub(crate) fn commands() -> Vec<Specimen> {
    let seal = |(name, order): (&str, Numbered)| (name.to_string(), order.seal(&sponsor(), &relay()));
    let delegation = ("delegation".to_string(), delegation().seal(&sponsor()));
    orders().into_iter().map(seal).chain([delegation]).collect()
}

fn of_relays() -> Vec<(&'static str, Message)> {
    let (sealed, order) = (delegation().seal(&sponsor()), orders().swap_remove(5).1);
    let offer = Offer {
        round: 9,
        relay: relay(),
        addresses: vec![address("203.0.113.9:4600")],
        uplink: Bitrate::from_kbps(200_000),
        lease: lease(),
        delegation: Some(SealedDelegation {
            sponsor: sponsor().public(),
            sealed: sealed.clone(),
        }),
    };
    let commanded = Commanded {
        order: order.seal(&sponsor(), &relay()),
        delegation: Some(sealed),
    };
    let usage = Usage {
        sent: 123_456_789,
        sending: Bitrate::from_kbps(9_000),
        children: 4,
        lease: lease(),
    };
    let (missing, proof) = (Bitrate::from_kbps(2_500), [4; 32]);
    let (relay, message) = (relay().tag(), Message::Leave.body());
    let to_relay = Message::ToRelay {
        relay,
        message: message.clone(),
    };
    let relay_gone = Some(relay);
    let region = RegionName::try_from("eu-central-1".to_string()).unwrap();
    let round_trips = vec![(region.clone(), 23)];
    let regions = vec![region];
    vec![
        ("chosen", Message::Chosen { round: 9, missing }),
        ("to-relay", to_relay),
        ("serving", Message::Serving(offer)),
        (
            "no-relay",
            Message::NoRelay {
                round: 9,
                relay: relay_gone,
            },
        ),
        ("from-relay", Message::FromRelay { relay, message }),
        ("enrol", Message::Enrol { version: 1, proof }),
        ("order", Message::Order(commanded)),
        ("usage", Message::Usage(usage)),
        ("locate", Message::Locate),
        ("located", Message::Located { round_trips }),
        ("near", Message::Near { regions }),
    ]
}
