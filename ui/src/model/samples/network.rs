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

/// The same of its broadcaster.
pub fn sent() -> History {
    let mut history = History::default();
    for second in 0..120_u64 {
        let mut shot = snapshot(Phase::Live, 1, 5);
        shot.up = Bitrate::from_kbps(9_400 + (second * 37 % 11) * 40);
        shot.down = Bitrate::from_kbps(60);
        shot.stats.viewer = None;
        history.add(&shot);
    }
    history
}

fn id(n: u8) -> PeerId {
    PeerId([n.wrapping_mul(37); 16])
}

fn node(n: u8, kind: NodeKind, up_kbps: u64, used_kbps: u64) -> Node {
    Node {
        peer: id(n),
        kind,
        is_me: false,
        sponsor: (kind == NodeKind::Relay).then(|| id(3)),
        uplink: Bitrate::from_kbps(up_kbps),
        used: Bitrate::from_kbps(used_kbps),
    }
}

fn edge(stripe: u8, parent: u8, child: u8) -> Edge {
    Edge {
        stripe: stripe_of(stripe),
        parent: id(parent),
        child: id(child),
        failing: false,
    }
}

fn stripe_of(index: u8) -> StripeId {
    StripeId {
        tier: TierId(1),
        index,
    }
}

/// What a broadcaster sees: itself, a relay with its sponsor, and seven viewers in five trees.
pub fn trees() -> Trees {
    let mut nodes = vec![
        node(0, NodeKind::Source, 10_000, 9_600),
        node(1, NodeKind::Relay, 40_000, 16_000),
    ];
    nodes[0].is_me = true;
    let viewer = |n: u8| {
        let up = 640 * u64::from(10 - n);
        node(n, NodeKind::Viewer, up, up / 2)
    };
    nodes.extend((2..10).map(viewer));
    let mut edges = Vec::new();
    for stripe in 0..5_u8 {
        let mut add = |parent: u8, child: u8| edges.push(edge(stripe, parent, child));
        add(0, 1);
        add(0, 2 + stripe % 2);
        add(1, 3 - stripe % 2);
        (4..8).for_each(|child| add(if child % 2 == 0 { 1 } else { 2 }, child));
        add(4 + stripe % 3, 8);
        add(5 + stripe % 2, 9);
    }
    Trees {
        nodes,
        edges,
        missing: Vec::new(),
        whole: true,
    }
}

/// What a viewer of that network sees: who sends to it, one of them its own relay, and to whom it passes on.
pub fn neighbours() -> Trees {
    let mut me = node(3, NodeKind::Viewer, 4_480, 1_920);
    me.is_me = true;
    let others = [
        node(0, NodeKind::Source, 0, 0),
        node(1, NodeKind::Relay, 0, 0),
        node(2, NodeKind::Viewer, 0, 0),
        node(4, NodeKind::Viewer, 0, 0),
        node(5, NodeKind::Viewer, 0, 0),
    ];
    let sent = [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2)].map(|(stripe, parent)| edge(stripe, parent, 3));
    let passed_on = [(0, 4), (1, 4), (2, 5)].map(|(stripe, child)| edge(stripe, 3, child));
    Trees {
        nodes: others.into_iter().chain([me]).collect(),
        edges: sent.into_iter().chain(passed_on).collect(),
        missing: Vec::new(),
        whole: false,
    }
}

/// The same when who sends one stripe has fallen silent, and nobody sends another.
pub fn troubled_neighbours() -> Trees {
    let mut trees = neighbours();
    trees.edges[3].failing = true;
    trees.missing = vec![trees.edges.remove(4).stripe];
    trees
}
