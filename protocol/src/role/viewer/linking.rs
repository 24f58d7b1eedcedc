//! Links come and go: dialling, strangers, duplicates, and links that nothing uses.

use super::dials::Leave;
use super::links::{Link, Stage};
use super::{Phase, Viewer};
use crate::id::PeerId;
use crate::io::{LinkEnd, LinkId, Outbox, Output, Side};
use crate::limits;
use crate::time::{Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::control::{DetachReason, Introduction, Message};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How long a stranger has to show a ticket.
const STRANGER_PATIENCE: Duration = Duration::from_secs(5);

/// How long a link that we dialled is kept when nothing uses it.
const UNUSED_MAX: Duration = Duration::from_secs(10);

/// How long a link that is given up stays, for what is under way on it.
const RETIRING: Duration = Duration::from_secs(1);

/// A newcomer whose picture has not come by then wants spares all the same.
const START_MAX: Duration = Duration::from_secs(3);

/// How long a dial may take before it is given up, should the driver not say so.
const DIAL_MAX: Duration = Duration::from_secs(20);

impl Viewer {
    /// Dials, without asking whether it may.
    pub(super) fn dial(
        &mut self,
        now: Instant,
        peer: PeerId,
        addresses: Vec<SocketAddr>,
        out: &mut Outbox,
    ) -> LinkId {
        let id = self.links.new_id();
        let mut link = Link::up(id, peer, Side::Dialler, now);
        link.stage = Stage::Dialling(addresses.clone());
        link.vouched = true;
        self.links.insert(link);
        out.push(Output::Dial {
            link: id,
            peer,
            addresses,
        });
        id
    }

    /// Sees to it that a link to a peer comes up. Says no if it cannot.
    pub(super) fn reach(&mut self, now: Instant, peer: PeerId, out: &mut Outbox) -> bool {
        if self.is_coordinator(&peer) || self.links.dial_to(&peer).is_some() {
            // The coordinator is the session's concern, and nobody is dialled twice at once.
            return true;
        }
        let addresses = self.book.addresses(&peer);
        if addresses.is_empty() {
            // It dials us.
            return self.book.knows(&peer);
        }
        match self.dials.ask(now, addresses) {
            Leave::Dial(addresses) => {
                self.dial(now, peer, addresses, out);
                true
            }
            Leave::Busy => {
                self.dials.put_off(peer);
                true
            }
            Leave::Later => true,
            Leave::Never => false,
        }
    }

    /// Dials who was put off, now that the uplink is free.
    pub(super) fn run_dials(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(peer) = self.dials.next(now) {
            if self.links.to(&peer).is_none() && !self.reach(now, peer, out) {
                self.tell_coordinator(&Message::Unreachable { peer }, out);
                self.on_unreachable(now, peer, out);
            }
        }
    }

    /// The coordinator wants us to dial a peer that cannot dial us.
    pub(in crate::role) fn on_dial(&mut self, now: Instant, introduction: Introduction, out: &mut Outbox) {
        let peer = introduction.peer;
        if peer == self.config.id {
            return;
        }
        self.calm.end();
        self.book.learn(introduction);
        if self.links.to(&peer).is_none() && !self.reach(now, peer, out) {
            self.tell_coordinator(&Message::Unreachable { peer }, out);
        }
    }

    pub(super) fn on_linked(
        &mut self,
        now: Instant,
        id: LinkId,
        peer: PeerId,
        address: SocketAddr,
        side: Side,
        out: &mut Outbox,
    ) {
        match side {
            Side::Dialler => self.on_dialled(now, id, peer, address, out),
            Side::Acceptor => self.on_accepted(now, id, peer, address, out),
        }
    }

    fn on_dialled(&mut self, now: Instant, id: LinkId, peer: PeerId, address: SocketAddr, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(id).filter(|link| link.peer == peer) else {
            // Given up meanwhile.
            return out.push(Output::Close {
                link: id,
                code: CloseCode::Done,
            });
        };
        link.stage = Stage::Up;
        link.since = now;
        self.dials.answered(address);
        self.forwarder.linked(id, peer);
        if self.session.dials(id) {
            self.dials.reached(&address);
            self.on_coordinator_linked(now, id, out);
        }
        self.on_up(now, peer, out);
    }

    fn on_accepted(&mut self, now: Instant, id: LinkId, peer: PeerId, address: SocketAddr, out: &mut Outbox) {
        let code = if self.is_coordinator(&peer) || peer == self.config.id {
            // The coordinator looks whether we can be reached; its link is the one that we dialled.
            Some(CloseCode::Duplicate)
        } else if self.links.inbound() >= limits::INBOUND_LINKS_MAX {
            Some(CloseCode::Busy)
        } else {
            None
        };
        if let Some(code) = code {
            return out.push(Output::Close { link: id, code });
        }
        self.dials.called(address);
        if peer < self.config.id
            && let Some(dial) = self.links.dial_to(&peer).map(|link| link.id)
        {
            // Theirs is the one that stays, so ours need not come up.
            self.links.remove(dial);
            out.push(Output::Close {
                link: dial,
                code: CloseCode::Duplicate,
            });
        }
        let mut link = Link::up(id, peer, Side::Acceptor, now);
        link.vouched = self.book.knows(&peer);
        self.links.insert(link);
        self.forwarder.linked(id, peer);
        self.on_up(now, peer, out);
    }

    fn on_up(&mut self, now: Instant, peer: PeerId, out: &mut Outbox) {
        self.feeds.unsettled = true;
        if let Some(goes) = self.links.surplus(&self.config.id, &peer) {
            self.retire(now, goes, out);
        }
        self.ask_spare(now, &peer, out);
    }

    /// Gives up one of two links to a peer: what comes on it is asked for on the other, and it is closed when what was
    /// under way has come.
    fn retire(&mut self, now: Instant, id: LinkId, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.stage = Stage::Retiring(now + RETIRING);
        for at in 0..self.feeds.len() {
            self.reseat(now, at, id, out);
        }
    }

    pub(super) fn on_unlinked(&mut self, now: Instant, id: LinkId, why: LinkEnd, out: &mut Outbox) {
        let Some(link) = self.links.remove(id) else { return };
        let is_coordinator = self.session.dials(id) || self.session.link() == Some(id);
        if let Stage::Dialling(addresses) = link.stage {
            if !is_coordinator {
                self.on_dial_failed(now, link.peer, &addresses, why, out);
            }
        } else {
            self.forwarder.unlinked(now, id);
            self.on_link_lost(now, id, why == LinkEnd::Closed(CloseCode::Duplicate), out);
        }
        if is_coordinator {
            self.on_coordinator_lost(now, why, out);
        }
    }

    fn on_dial_failed(
        &mut self,
        now: Instant,
        peer: PeerId,
        addresses: &[SocketAddr],
        why: LinkEnd,
        out: &mut Outbox,
    ) {
        if !matches!(why, LinkEnd::Closed(CloseCode::Duplicate)) {
            self.dials.failed(now, addresses);
        }
        if self.links.to(&peer).is_none() {
            self.tell_coordinator(&Message::Unreachable { peer }, out);
            self.on_unreachable(now, peer, out);
        }
    }

    /// Closes a link that did what it must not, or is of no use.
    pub(in crate::role) fn close_link(
        &mut self,
        now: Instant,
        id: LinkId,
        code: CloseCode,
        out: &mut Outbox,
    ) {
        if self.links.get(id).is_none() {
            return;
        }
        self.calm.end();
        out.push(Output::Close { link: id, code });
        self.forwarder.unlinked(now, id);
        self.forget_link(now, id, out);
    }

    /// A link has been closed by us.
    pub(super) fn forget_link(&mut self, now: Instant, id: LinkId, out: &mut Outbox) {
        let is_coordinator = self.session.dials(id) || self.session.link() == Some(id);
        if self.links.remove(id).is_some() {
            self.on_link_lost(now, id, false, out);
        }
        if is_coordinator {
            self.on_coordinator_lost(now, LinkEnd::Failed, out);
        }
    }

    /// Once a second: closes strangers, links that are given up, and links that nothing uses; warms up spares.
    pub(super) fn tend_links(&mut self, now: Instant, out: &mut Outbox) {
        if self.phase == Phase::Joining {
            return;
        }
        let mut children: Vec<PeerId> = self.forwarder.children().map(|(peer, _)| peer).collect();
        children.sort_unstable();
        let mut close = Vec::new();
        for link in self.links.iter_mut() {
            let feeds = self.feeds.iter();
            let used = self.session.link() == Some(link.id)
                || self.sponsoring.is_relay(&link.peer)
                || children.binary_search(&link.peer).is_ok()
                || feeds.into_iter().any(|feed| feed.concerns(&link.peer));
            link.unused = if used { None } else { link.unused.or(Some(now)) };
            if let Some(code) = link.is_over(now) {
                close.push((link.id, code));
            }
        }
        for (id, code) in close {
            self.close_link(now, id, code, out);
        }
        self.warm_spares(now, out);
        self.feeds.unsettled = true;
    }

    /// A repair must not wait for a handshake. But first of all comes the picture: on a thin uplink, each handshake takes as long as
    /// ten chunks take to be acknowledged. Where one peer alone is to send all that a newcomer lacks, spares help to the picture.
    pub(super) fn warm_spares(&mut self, now: Instant, out: &mut Outbox) {
        let is_new = now.since(self.since) < START_MAX && !self.screen.has_begun();
        if !self.is_live() || (is_new && !self.lacks_holders()) {
            return;
        }
        for at in 0..self.feeds.len() {
            let spare = self.feeds[at].grant.as_ref().ok().and_then(|grant| grant.spare);
            let Some(peer) = spare.and_then(|tag| self.book.peer(&tag)) else {
                continue;
            };
            if self.links.to(&peer).is_none() {
                self.reach(now, peer, out);
            }
        }
    }

    /// A peer cannot be reached: whoever waits for it looks elsewhere.
    fn on_unreachable(&mut self, now: Instant, peer: PeerId, out: &mut Outbox) {
        for at in 0..self.feeds.len() {
            let next = self.feeds[at].next.as_ref();
            if next.is_some_and(|next| next.peer == peer && next.link.is_none()) {
                self.next_failed(now, at, DetachReason::Unreachable, out);
            }
        }
    }
}

impl Link {
    /// Why it is to be closed, if it is.
    fn is_over(&self, now: Instant) -> Option<CloseCode> {
        match &self.stage {
            Stage::Dialling(_) => (now >= self.since + DIAL_MAX).then_some(CloseCode::Done),
            Stage::Retiring(until) => (now >= *until).then_some(CloseCode::Duplicate),
            Stage::Up if !self.vouched && now >= self.since + STRANGER_PATIENCE => Some(CloseCode::NoTicket),
            // Who dialled knows best what the link is for: ours to spares, theirs to us as a spare.
            Stage::Up if self.side == Side::Dialler => {
                let over = self.unused.is_some_and(|since| now >= since + UNUSED_MAX);
                over.then_some(CloseCode::Done)
            }
            Stage::Up => None,
        }
    }
}
