//! Who feeds whom, as far as this program knows: a broadcaster knows all of it, a viewer what hangs next to it.

use banyan_protocol::id::PeerId;
use banyan_protocol::media::StripeId;
use banyan_protocol::role::broadcaster::snapshot::{BroadcasterSnapshot, MemberSnapshot};
use banyan_protocol::role::viewer::snapshot::ViewerSnapshot;
use banyan_protocol::units::Bitrate;

/// The trees of a channel, or a part of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trees {
    /// Who is in them: the source first.
    pub nodes: Vec<Node>,
    /// Who feeds whom.
    pub edges: Vec<Edge>,
    /// Whether this is all there is; else what hangs next to this program.
    pub whole: bool,
}

/// A peer in the trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Who.
    pub peer: PeerId,
    /// What it is.
    pub kind: NodeKind,
    /// Whether it is this program.
    pub is_me: bool,
    /// Of a relay: who pays for it.
    pub sponsor: Option<PeerId>,
    /// What it gives, in wire bits a second; zero if that is unknown.
    pub uplink: Bitrate,
    /// What of that is used.
    pub used: Bitrate,
}

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The broadcaster.
    Source,
    /// A relay.
    Relay,
    /// A viewer.
    Viewer,
}

/// A parent and a child on one stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The stripe.
    pub stripe: StripeId,
    /// Who sends it.
    pub parent: PeerId,
    /// Who receives it.
    pub child: PeerId,
}

impl Trees {
    /// Everything, as the broadcaster knows it.
    pub(crate) fn of_channel(shot: &BroadcasterSnapshot) -> Self {
        let source = Node {
            is_me: true,
            uplink: shot.uplink,
            used: shot.uplink_used,
            ..Node::new(shot.channel, NodeKind::Source)
        };
        let members = shot.relays.iter().chain(&shot.viewers);
        Self {
            nodes: std::iter::once(source)
                .chain(members.clone().map(member))
                .collect(),
            edges: members.flat_map(edges).collect(),
            whole: true,
        }
    }

    /// What a viewer knows: its parents and its children.
    pub(crate) fn around(shot: &ViewerSnapshot) -> Self {
        let me = Node {
            is_me: true,
            uplink: shot.uplink_granted,
            ..Node::new(shot.peer, NodeKind::Viewer)
        };
        let mut trees = Self {
            nodes: vec![Node::new(shot.channel, NodeKind::Source), me],
            ..Self::default()
        };
        for view in &shot.parents {
            if let Some(parent) = view.parent {
                trees.add(view.stripe, parent, shot.peer);
            }
        }
        for (child, stripes) in &shot.children {
            for stripe in stripes {
                trees.add(*stripe, shot.peer, *child);
            }
        }
        trees
    }

    fn add(&mut self, stripe: StripeId, parent: PeerId, child: PeerId) {
        for peer in [parent, child] {
            if self.nodes.iter().all(|node| node.peer != peer) {
                self.nodes.push(Node::new(peer, NodeKind::Viewer));
            }
        }
        self.edges.push(Edge {
            stripe,
            parent,
            child,
        });
    }
}

impl Node {
    fn new(peer: PeerId, kind: NodeKind) -> Self {
        Self {
            peer,
            kind,
            is_me: false,
            sponsor: None,
            uplink: Bitrate::ZERO,
            used: Bitrate::ZERO,
        }
    }
}

fn member(member: &MemberSnapshot) -> Node {
    let kind = match member.sponsor {
        Some(_) => NodeKind::Relay,
        None => NodeKind::Viewer,
    };
    Node {
        sponsor: member.sponsor,
        uplink: member.uplink,
        used: member.uplink_used,
        ..Node::new(member.peer, kind)
    }
}

fn edges(member: &MemberSnapshot) -> impl Iterator<Item = Edge> + '_ {
    member.places.iter().filter_map(|place| {
        Some(Edge {
            stripe: place.stripe,
            parent: place.parent?,
            child: member.peer,
        })
    })
}
