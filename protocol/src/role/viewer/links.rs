//! The links of a viewer, and what is known of each.

use crate::id::PeerId;
use crate::io::{LinkId, Side};
use crate::media::StripeId;
use crate::media::store::stripe_slot;
use crate::time::{ChannelTime, Duration, Instant};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How far a link has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Dialled at these addresses; nobody has answered yet.
    Dialling(Vec<SocketAddr>),
    /// Up.
    Up,
    /// Another link to the same peer is kept; this one is closed at that time, when what was under way has come.
    Retiring(Instant),
}

/// A link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) peer: PeerId,
    pub(super) side: Side,
    pub(super) stage: Stage,
    /// When it was dialled, or came up.
    pub(super) since: Instant,
    pub(super) round_trip: Option<Duration>,
    /// Serial of our newest ticket that the peer has been shown; none is 0.
    pub(super) shown: u32,
    /// When that one ends.
    pub(super) shown_until: ChannelTime,
    /// Whether the peer is known to be a member: it showed a valid ticket, or the coordinator named it.
    pub(super) vouched: bool,
    /// Since when nothing uses it.
    pub(super) unused: Option<Instant>,
}

impl Link {
    /// One that is up.
    pub(super) fn up(id: LinkId, peer: PeerId, side: Side, now: Instant) -> Self {
        Self {
            id,
            peer,
            side,
            stage: Stage::Up,
            since: now,
            round_trip: None,
            shown: 0,
            shown_until: ChannelTime::default(),
            vouched: false,
            unused: None,
        }
    }

    /// Whether it can be used: it is up and stays.
    pub(super) fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    /// Whether the rule keeps it when there is another: the one that the smaller key dialled stays.
    fn is_kept_by_rule(&self, me: &PeerId) -> bool {
        (self.side == Side::Dialler) == (*me < self.peer)
    }
}

/// What a peer was ever asked for: a bit for each stripe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked(u128);

impl Asked {
    /// Whether it was asked for this stripe: only then may it send chunks of it.
    pub(super) fn covers(self, stripe: StripeId) -> bool {
        stripe_slot(stripe).is_some_and(|slot| self.0 & (1 << slot) != 0)
    }

    /// Whether it was asked for nothing.
    pub(super) fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

/// All links, ascending by id.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: Vec<Link>,
    /// Their ids, close together, and what was asked for on each: every frame that comes is looked up here.
    ids: Vec<LinkId>,
    asked: Vec<Asked>,
    dialled: u64,
}

impl Links {
    /// A name for the next link that is dialled: machines make even ones.
    pub(super) fn new_id(&mut self) -> LinkId {
        self.dialled += 1;
        LinkId(self.dialled * 2)
    }

    /// Adds a link.
    pub(super) fn insert(&mut self, link: Link) {
        match self.find(link.id) {
            Ok(_) => debug_assert!(false, "no link has two beginnings"),
            Err(at) => {
                self.ids.insert(at, link.id);
                self.asked.insert(at, Asked::default());
                self.links.insert(at, link);
            }
        }
    }

    /// Forgets a link.
    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let at = self.find(id).ok()?;
        self.ids.remove(at);
        self.asked.remove(at);
        Some(self.links.remove(at))
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.find(id).ok().map(|at| &self.links[at])
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.find(id).ok().map(|at| &mut self.links[at])
    }

    /// The peer at the other end is asked for this stripe.
    pub(super) fn ask(&mut self, id: LinkId, stripe: StripeId) {
        if let Ok(at) = self.find(id) {
            self.asked[at].0 |= stripe_slot(stripe).map_or(0, |slot| 1 << slot);
        }
    }

    /// What the peer at the other end was ever asked for, if there is such a link.
    pub(super) fn asked(&self, id: LinkId) -> Option<Asked> {
        self.find(id).ok().map(|at| self.asked[at])
    }

    /// The link to a peer that can be used.
    pub(super) fn to(&self, peer: &PeerId) -> Option<&Link> {
        self.links.iter().find(|link| link.peer == *peer && link.is_up())
    }

    /// The dial to a peer that is under way.
    pub(super) fn dial_to(&self, peer: &PeerId) -> Option<&Link> {
        let dials = |link: &&Link| link.peer == *peer && matches!(link.stage, Stage::Dialling(_));
        self.links.iter().find(dials)
    }

    /// Two links to one peer are up: says which one goes. The one that the smaller key dialled stays, so that both ends
    /// choose the same; if one end dialled both, its first has failed, and the newer one stays.
    pub(super) fn surplus(&self, me: &PeerId, peer: &PeerId) -> Option<LinkId> {
        let mut up = self
            .links
            .iter()
            .filter(|link| link.peer == *peer && link.is_up());
        let (first, second) = (up.next()?, up.next()?);
        let (older, newer) = if first.since <= second.since {
            (first, second)
        } else {
            (second, first)
        };
        let goes = if older.side == newer.side || newer.is_kept_by_rule(me) {
            older
        } else {
            newer
        };
        Some(goes.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.iter_mut()
    }

    /// How many links others dialled.
    pub(super) fn inbound(&self) -> usize {
        self.links
            .iter()
            .filter(|link| link.side == Side::Acceptor)
            .count()
    }

    /// The round-trip time of a link; zero while it is unknown.
    pub(super) fn round_trip(&self, id: LinkId) -> Duration {
        self.get(id).and_then(|link| link.round_trip).unwrap_or_default()
    }

    fn find(&self, id: LinkId) -> Result<usize, usize> {
        self.ids.binary_search(&id)
    }

    pub(super) fn check_invariants(&self) {
        let ids = &self.ids;
        assert!(ids.is_sorted_by(|one, next| one < next), "links ascend");
        assert!(
            self.links.iter().map(|link| &link.id).eq(ids),
            "each link is where its id is"
        );
        assert_eq!(
            self.asked.len(),
            ids.len(),
            "it is known of each what was asked for"
        );
        for link in &self.links {
            let same = |other: &&Link| other.peer == link.peer && other.stage == link.stage;
            let is_dial = matches!(link.stage, Stage::Dialling(_));
            assert!(
                is_dial || !link.is_up() || self.links.iter().filter(same).count() == 1,
                "one link a peer"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(ends: &[(u64, Side)], peer: PeerId) -> Links {
        let mut links = Links::default();
        for (at, (id, side)) in ends.iter().enumerate() {
            links.insert(Link::up(
                LinkId(*id),
                peer,
                *side,
                Instant::from_micros(at as u64),
            ));
        }
        links
    }

    #[test]
    fn both_ends_keep_the_link_that_the_smaller_key_dialled() {
        let (small, large) = (PeerId([1; 16]), PeerId([2; 16]));
        for order in [
            [(2, Side::Dialler), (1, Side::Acceptor)],
            [(1, Side::Acceptor), (2, Side::Dialler)],
        ] {
            assert_eq!(links(&order, large).surplus(&small, &large), Some(LinkId(1)));
            assert_eq!(links(&order, small).surplus(&large, &small), Some(LinkId(2)));
        }
    }

    #[test]
    fn who_dials_again_has_lost_the_first() {
        let (me, peer) = (PeerId([1; 16]), PeerId([2; 16]));
        let twice = links(&[(1, Side::Acceptor), (3, Side::Acceptor)], peer);
        assert_eq!(twice.surplus(&me, &peer), Some(LinkId(1)));
        assert_eq!(links(&[(1, Side::Acceptor)], peer).surplus(&me, &peer), None);
    }

    #[test]
    fn only_what_was_asked_for_may_come() {
        let stripe = |tier, index| StripeId {
            tier: crate::media::TierId(tier),
            index,
        };
        let ends = [(1, Side::Acceptor), (2, Side::Dialler)];
        let mut links = links(&ends, PeerId([1; 16]));
        assert!(links.asked(LinkId(2)).unwrap().is_nothing());
        links.ask(LinkId(2), stripe(1, 3));
        let asked = links.asked(LinkId(2)).unwrap();
        assert!(asked.covers(stripe(1, 3)) && !asked.is_nothing());
        assert!(!asked.covers(stripe(0, 3)) && !asked.covers(stripe(1, 4)));
        assert!(links.asked(LinkId(1)).unwrap().is_nothing());
        assert!(links.asked(LinkId(4)).is_none(), "there is no such link");
    }
}
