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
    /// Stripes that this program wants and nobody sends it.
    pub missing: Vec<StripeId>,
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
    /// What it may give at most, in wire bits a second; zero if that is unknown.
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
    /// Whether something is wrong with the parent, as far as this program knows.
    pub failing: bool,
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
            missing: Vec::new(),
            whole: true,
        }
    }

    /// What a viewer knows: its parents, its children and its own relays.
    pub(crate) fn around(shot: &ViewerSnapshot) -> Self {
        let me = Node {
            is_me: true,
            uplink: shot.uplink.unwrap_or_default(),
            used: shot.uplink_granted,
            ..Node::new(shot.peer, NodeKind::Viewer)
        };
        let relay = |relay: &PeerId| Node {
            sponsor: Some(shot.peer),
            ..Node::new(*relay, NodeKind::Relay)
        };
        let mut trees = Self {
            nodes: vec![Node::new(shot.channel, NodeKind::Source), me],
            ..Self::default()
        };
        trees.nodes.extend(shot.relays.iter().map(relay));
        for view in &shot.parents {
            match view.parent {
                Some(parent) => trees.add(view.stripe, parent, shot.peer, view.failing),
                None => trees.missing.push(view.stripe),
            }
        }
        for (child, stripes) in &shot.children {
            for stripe in stripes {
                trees.add(*stripe, shot.peer, *child, false);
            }
        }
        trees
    }

    /// Stripes that do not come just now: nobody sends them, or who does has fallen silent.
    pub fn troubled(&self) -> Vec<StripeId> {
        let failing = self.edges.iter().filter(|edge| edge.failing);
        let mut troubled: Vec<StripeId> = failing.map(|edge| edge.stripe).collect();
        troubled.extend(&self.missing);
        troubled.sort_unstable();
        troubled.dedup();
        troubled
    }

    fn add(&mut self, stripe: StripeId, parent: PeerId, child: PeerId, failing: bool) {
        for peer in [parent, child] {
            if self.nodes.iter().all(|node| node.peer != peer) {
                self.nodes.push(Node::new(peer, NodeKind::Viewer));
            }
        }
        self.edges.push(Edge {
            stripe,
            parent,
            child,
            failing,
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
            failing: false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::event::Stats;
    use banyan_protocol::media::TierId;
    use banyan_protocol::role::viewer::snapshot::{ParentView, ViewerPhase};
    use banyan_protocol::time::Duration;

    const ME: PeerId = PeerId([1; 16]);
    const RELAY: PeerId = PeerId([2; 16]);
    const CHILD: PeerId = PeerId([3; 16]);

    fn stripe(index: u8) -> StripeId {
        StripeId {
            tier: TierId(1),
            index,
        }
    }

    fn sent_by(index: u8, parent: Option<PeerId>, failing: bool) -> ParentView {
        ParentView {
            stripe: stripe(index),
            parent,
            next: None,
            spare: None,
            failing,
            newest: None,
            round_trip: None,
        }
    }

    /// A viewer with a relay of its own that sends it two stripes, one of them no longer, and a third that nobody sends.
    fn sponsor() -> ViewerSnapshot {
        ViewerSnapshot {
            peer: ME,
            channel: PeerId([0; 16]),
            title: None,
            phase: ViewerPhase::Watching,
            epoch: 1,
            target: None,
            stripes: 3,
            parents: vec![
                sent_by(0, Some(RELAY), false),
                sent_by(1, Some(RELAY), true),
                sent_by(2, None, false),
            ],
            children: [(CHILD, vec![stripe(0)])].into(),
            relays: vec![RELAY],
            buffer: Duration::from_secs(2),
            uplink: Some(Bitrate::from_kbps(5_000)),
            uplink_granted: Bitrate::from_kbps(640),
            children_in_time: true,
            links: 2,
            questions: Vec::new(),
            stats: Stats::default(),
        }
    }

    #[test]
    fn a_viewer_s_own_relay_and_uplink_are_marked() {
        let trees = Trees::around(&sponsor());
        let node = |peer| trees.nodes.iter().find(|node| node.peer == peer).unwrap();
        assert_eq!(
            (node(RELAY).kind, node(RELAY).sponsor),
            (NodeKind::Relay, Some(ME))
        );
        assert_eq!(node(CHILD).kind, NodeKind::Viewer);
        let me = node(ME);
        assert!(me.is_me && me.used == Bitrate::from_kbps(640) && me.uplink == Bitrate::from_kbps(5_000));
        assert!(!trees.whole);
    }

    #[test]
    fn stripes_that_do_not_come_are_named() {
        assert_eq!(Trees::around(&sponsor()).troubled(), [stripe(1), stripe(2)]);
    }
}
