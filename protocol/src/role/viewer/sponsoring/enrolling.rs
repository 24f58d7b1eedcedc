//! A relay is found and proves itself: dialled where the provider started it, believed by its proof, and told what a viewer would be told.

use super::super::Viewer;
use super::super::links::Link;
use super::Stage;
use crate::event::Event;
use crate::id::PeerId;
use crate::io::{CloudOrder, EndReason, LinkEnd, LinkId, Outbox, Output, Side};
use crate::limits::VERSION;
use crate::time::{Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::control::{Introduction, Message, Welcome};
use crate::wire::enrol::Binding;
use crate::wire::order::Order;
use alloc::string::ToString;
use bytes::Bytes;
use core::net::SocketAddr;

/// A relay that is dialled and does not answer is dialled again after that.
const REDIAL: Duration = Duration::from_millis(500);

/// How long a relay has to prove itself on a link.
const PROOF_PATIENCE: Duration = Duration::from_secs(5);

impl Viewer {
    /// Dials a relay that boots, if it is time.
    pub(super) fn dial_relay(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        let link = self.links.new_id();
        let relay = &mut self.sponsoring.relays[at];
        let (Stage::Booting(due), Some(launched)) = (&relay.stage, &relay.launched) else {
            return;
        };
        if now < *due {
            return;
        }
        let addresses = launched.addresses.clone();
        relay.stage = Stage::Dialling(link);
        out.push(Output::DialAny { link, addresses });
    }

    /// A link is up on which a relay has to prove itself. Whether it is one.
    pub(in crate::role::viewer) fn on_relay_linked(
        &mut self,
        now: Instant,
        link: LinkId,
        peer: PeerId,
        address: SocketAddr,
        binding: Binding,
    ) -> bool {
        let Some(at) = self.sponsoring.of_link(link) else {
            return false;
        };
        self.sponsoring.relays[at].stage = Stage::Proving {
            link,
            peer,
            address,
            binding,
            until: now + PROOF_PATIENCE,
        };
        true
    }

    /// Such a link has ended, or did not come up. Whether it was one.
    pub(in crate::role::viewer) fn on_relay_unlinked(
        &mut self,
        now: Instant,
        link: LinkId,
        why: LinkEnd,
        out: &mut Outbox,
    ) -> bool {
        let Some(at) = self.sponsoring.of_link(link) else {
            return false;
        };
        if why == LinkEnd::Version {
            // However often it is dialled, it will not be another.
            self.lose_relay(now, at, Some(EndReason::Version), out);
            return true;
        }
        self.sponsoring.relays[at].stage = Stage::Booting(now + REDIAL);
        true
    }

    /// Something came on a link that is none of ours yet: a relay may have to prove itself on it.
    pub(in crate::role::viewer) fn on_proof(
        &mut self,
        now: Instant,
        link: LinkId,
        frame: &Bytes,
        out: &mut Outbox,
    ) {
        let Some(at) = self.sponsoring.of_link(link) else {
            return;
        };
        self.calm.end();
        let relay = &self.sponsoring.relays[at];
        let (
            Stage::Proving {
                peer,
                address,
                binding,
                ..
            },
            Some(launched),
        ) = (&relay.stage, &relay.launched)
        else {
            return;
        };
        let (peer, address) = (*peer, *address);
        // Of whatever version: the proof alone says that it is ours.
        let proved = match Message::parse(frame) {
            Ok(Message::Enrol { version, proof }) if launched.secret.is_proved(binding, &peer, &proof) => {
                Some(version)
            }
            _ => None,
        };
        if proved == Some(VERSION) {
            self.pin(now, at, link, (peer, address), out);
        } else if proved.is_some() {
            self.lose_relay(now, at, Some(EndReason::Version), out);
        } else {
            out.event(Event::PeerBlamed {
                peer,
                what: "answers at the relay's address and is not the relay that was started".into(),
                by: self.config.id.to_string(),
            });
            let code = CloseCode::Unexpected;
            out.push(Output::Close { link, code });
            self.sponsoring.relays[at].stage = Stage::Booting(now + REDIAL);
        }
    }

    /// The relay has proved itself: its key counts from now on.
    pub(super) fn pin(
        &mut self,
        now: Instant,
        at: usize,
        id: LinkId,
        (peer, address): (PeerId, SocketAddr),
        out: &mut Outbox,
    ) {
        let mut link = Link::up(id, peer, Side::Dialler, now);
        link.vouched = true;
        self.links.insert(link);
        self.forwarder.linked(id, peer);
        let addresses = alloc::vec![address];
        self.book.learn(Introduction { peer, addresses });
        let relay = &mut self.sponsoring.relays[at];
        relay.key = Some(peer);
        let (relay, key) = (relay.number, peer);
        out.push(Output::Cloud(CloudOrder::Pinned { relay, key }));
        self.welcome_relay(now, at, id, address, out);
    }

    /// The relay is told what a viewer would be told by the coordinator, and the coordinator that it is there.
    pub(super) fn welcome_relay(
        &mut self,
        now: Instant,
        at: usize,
        link: LinkId,
        address: SocketAddr,
        out: &mut Outbox,
    ) {
        let Some((sealed, _)) = &self.layout else { return };
        let welcome = Welcome {
            epoch: self.epoch,
            layout: sealed.clone(),
            live_block: self.edge.0,
            now: self.at(now),
            observed: address,
        };
        out.tell(link, &Message::Welcome(welcome));
        self.sponsoring.relays[at].stage = Stage::Serving;
        self.order(now, at, Order::Report, out);
        self.offer(at, out);
    }
}
