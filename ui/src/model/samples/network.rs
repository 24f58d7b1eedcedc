//! Who feeds whom, and how it went.

use super::super::*;
use super::snapshot;
use banyan::snapshot::Phase;
use banyan::trees::{Edge, Node, NodeKind, Trees};
use banyan_protocol::id::PeerId;
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::units::Bitrate;

/// Five minutes of a channel with a dip in the middle.
pub fn history() -> History {
    let mut history = History::default();
    for second in 0..120_u64 {
        let dip = (50..62).contains(&second);
        let mut shot = snapshot(Phase::Live, 1, if dip { 3 } else { 5 });
        shot.up = Bitrate::from_kbps(2_600 + (second * 37 % 11) * 40);
        shot.down = Bitrate::from_kbps(if dip {
            1_900
        } else {
            3_050 + (second * 29 % 7) * 25
        });
        if let Some(viewer) = &mut shot.stats.viewer {
            viewer.buffer_ms = if dip { 500 } else { 1_400 };
        }
        history.add(&shot);
    }
    history
}

/// A source, a relay with its sponsor, and seven viewers in five trees.
pub fn trees() -> Trees {
    let id = |n: u8| PeerId([n.wrapping_mul(37); 32]);
    let node = |n: u8, kind, up: u64, used: u64| Node {
        peer: id(n),
        kind,
        is_me: n == 3,
        sponsor: (n == 1).then(|| id(3)),
        uplink: Bitrate::from_kbps(up),
        used: Bitrate::from_kbps(used),
    };
    let mut nodes = vec![
        node(0, NodeKind::Source, 10_000, 9_600),
        node(1, NodeKind::Relay, 40_000, 16_000),
    ];
    nodes.extend((2..10).map(|n| {
        node(
            n,
            NodeKind::Viewer,
            640 * u64::from(10 - n),
            640 * u64::from((10 - n) / 2),
        )
    }));
    let mut edges = Vec::new();
    for stripe in 0..5_u8 {
        let mut edge = |parent: u8, child: u8| {
            edges.push(Edge {
                stripe: StripeId {
                    tier: TierId(1),
                    index: stripe,
                },
                parent: id(parent),
                child: id(child),
            });
        };
        edge(0, 1);
        edge(0, 2 + stripe % 2);
        edge(1, 3 - stripe % 2);
        (4..8).for_each(|child| edge(if child % 2 == 0 { 1 } else { 2 }, child));
        edge(4 + stripe % 3, 8);
        edge(5 + stripe % 2, 9);
    }
    Trees {
        nodes,
        edges,
        whole: true,
    }
}
