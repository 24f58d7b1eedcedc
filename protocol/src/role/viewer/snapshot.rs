//! All that a person may see of a viewer, built when asked.

use super::{Phase, Viewer};
use crate::event::Stats;
use crate::id::PeerId;
use crate::media::{StripeId, TierId};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Where a viewer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerPhase {
    /// It waits to be admitted.
    Joining,
    /// It is a member.
    Watching,
    /// It is a member and looks for the broadcaster, which does not answer.
    Searching,
    /// It leaves, and feeds its children until they have moved.
    Leaving,
    /// The channel has ended; it plays what it has.
    Ending,
    /// It has ended.
    Over,
}

/// Who sends a stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentView {
    /// The stripe.
    pub stripe: StripeId,
    /// Who sends it, if anybody does.
    pub parent: Option<PeerId>,
    /// Who is to send it next: a move or a repair is under way.
    pub next: Option<PeerId>,
    /// Who would be asked if the parent fell silent.
    pub spare: Option<PeerId>,
    /// Whether something is wrong with the parent.
    pub failing: bool,
    /// The newest block of the stripe.
    pub newest: Option<u64>,
    /// Round trip to the parent.
    pub round_trip: Option<Duration>,
}

/// All that a person may see of a viewer.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewerSnapshot {
    /// Its own id.
    pub peer: PeerId,
    /// The channel.
    pub channel: PeerId,
    /// The channel's title, as far as known.
    pub title: Option<String>,
    /// Where it is in its life.
    pub phase: ViewerPhase,
    /// The run of the broadcaster; 0 before any is known.
    pub epoch: u64,
    /// The tier that it is to show.
    pub target: Option<TierId>,
    /// How many stripes the tier that it is to show has.
    pub stripes: usize,
    /// Who sends what.
    pub parents: Vec<ParentView>,
    /// Whom it feeds, and which stripes each.
    pub children: BTreeMap<PeerId, Vec<StripeId>>,
    /// This person's relays that have proved themselves.
    pub relays: Vec<PeerId>,
    /// How far behind capture it plays.
    pub buffer: Duration,
    /// The cap of its uplink, if it has one.
    pub uplink: Option<Bitrate>,
    /// What its children are granted of its uplink.
    pub uplink_granted: Bitrate,
    /// Whether its children get their chunks in time.
    pub children_in_time: bool,
    /// Links that are up.
    pub links: usize,
    /// Questions to the person that are open, by id.
    pub questions: Vec<String>,
    /// What the `stats` event says.
    pub stats: Stats,
}

impl Viewer {
    /// All that a person may see, at `now`.
    pub fn snapshot(&self, now: Instant) -> ViewerSnapshot {
        let layout = self.layout.as_ref().map(|(_, layout)| layout);
        let target = self.screen.target();
        let tier = layout
            .zip(target)
            .and_then(|(layout, target)| layout.tier(target));
        let questions = self.asks.questions.iter().filter(|ask| ask.is_open(now));
        ViewerSnapshot {
            peer: self.config.id,
            channel: self.config.channel.peer(),
            title: layout.map(|layout| layout.title.clone()),
            phase: self.phase_view(),
            epoch: self.epoch,
            target,
            stripes: tier.map_or(0, |tier| usize::from(tier.stripes)),
            parents: self.parent_views(),
            children: self.child_views(),
            relays: self.sponsoring.relays().collect(),
            buffer: self.config.buffer,
            uplink: self.config.uplink,
            uplink_granted: self.forwarder.budget_used(),
            children_in_time: self.forwarder.in_time(),
            links: self.links.iter().filter(|link| link.is_up()).count(),
            questions: questions.map(super::asks::Question::id).collect(),
            stats: self.stats(now),
        }
    }

    /// Who sends which stripe, on a link that is up.
    pub fn attachments(&self) -> impl Iterator<Item = (StripeId, PeerId)> + '_ {
        let linked = |feed: &super::feed::Feed| {
            let main = feed.main.as_ref().filter(|main| main.link.is_some())?;
            Some((feed.stripe, main.peer))
        };
        self.feeds.iter().filter_map(linked)
    }

    /// How far each stripe has come: the newest block that it holds, and the first that it lacks and wants.
    pub fn holdings(&self) -> impl Iterator<Item = (StripeId, u64, u64)> + '_ {
        (0..self.feeds.len()).map(|at| {
            let feed = &self.feeds[at];
            (feed.stripe, feed.newest.unwrap_or_default(), self.lacking(at))
        })
    }

    /// Whom it feeds with which stripe.
    pub fn children(&self) -> impl Iterator<Item = (PeerId, StripeId)> + '_ {
        self.forwarder.children()
    }

    fn phase_view(&self) -> ViewerPhase {
        match self.phase {
            Phase::Joining => ViewerPhase::Joining,
            Phase::Member if self.session.is_member() => ViewerPhase::Watching,
            Phase::Member => ViewerPhase::Searching,
            Phase::Leaving(_) => ViewerPhase::Leaving,
            Phase::Ending(_) => ViewerPhase::Ending,
            Phase::Over => ViewerPhase::Over,
        }
    }

    fn parent_views(&self) -> Vec<ParentView> {
        let view = |feed: &super::feed::Feed| {
            let main = feed.main.as_ref().filter(|main| main.link.is_some());
            let link = main.and_then(|main| main.link);
            let spare = feed.grant.as_ref().ok().and_then(|grant| grant.spare);
            ParentView {
                stripe: feed.stripe,
                parent: main.map(|main| main.peer),
                next: feed.next.as_ref().map(|next| next.peer),
                spare: spare.and_then(|tag| self.book.peer(&tag)),
                failing: feed.trouble.is_some(),
                newest: feed.newest,
                round_trip: link.and_then(|link| self.links.get(link)?.round_trip),
            }
        };
        self.feeds.iter().map(view).collect()
    }

    fn child_views(&self) -> BTreeMap<PeerId, Vec<StripeId>> {
        let mut children: BTreeMap<PeerId, Vec<StripeId>> = BTreeMap::new();
        for (peer, stripe) in self.forwarder.children() {
            children.entry(peer).or_default().push(stripe);
        }
        children
    }
}
