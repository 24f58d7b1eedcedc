//! A relay serves: what the coordinator wants of it becomes signed orders, and what it says is passed on.

use super::super::Viewer;
use super::Stage;
use crate::id::PeerTag;
use crate::io::{CloudOrder, EndReason, LinkId, Outbox, Output, RelayState};
use crate::time::Instant;
use crate::wire::close::CloseCode;
use crate::wire::control::{Introduction, Message};
use crate::wire::lease::Lease;
use crate::wire::order::{Commanded, Delegation, Numbered, Offer, Order, SealedDelegation, Usage};
use bytes::Bytes;

impl Viewer {
    /// Tells the coordinator of a relay that serves; also when the coordinator was lost and is back.
    pub(super) fn offer(&self, at: usize, out: &mut Outbox) {
        let relay = &self.sponsoring.relays[at];
        let (Some(key), Some(launched)) = (relay.key, &relay.launched) else {
            return;
        };
        let delegation = self.config.sponsor.as_ref().map(|sponsor| {
            let delegation = Delegation {
                channel: self.config.channel,
                relay: key,
                delegate: self.config.channel,
                lease: launched.lease,
                generation: 1,
            };
            SealedDelegation {
                sponsor: sponsor.public(),
                sealed: delegation.seal(&**sponsor),
            }
        });
        let offer = Offer {
            round: relay.round,
            relay: key,
            addresses: launched.addresses.clone(),
            uplink: launched.uplink,
            lease: launched.lease,
            delegation,
        };
        self.tell_coordinator(&Message::Serving(offer), out);
    }

    /// We are a member again: the coordinator hears of all relays that serve.
    pub(in crate::role::viewer) fn offer_all(&self, out: &mut Outbox) {
        for at in 0..self.sponsoring.relays.len() {
            if matches!(self.sponsoring.relays[at].stage, Stage::Serving) {
                self.offer(at, out);
            }
        }
    }

    /// Gives a relay an order.
    pub(super) fn order(&mut self, now: Instant, at: usize, order: Order, out: &mut Outbox) {
        let sequence = self
            .at(now)
            .as_micros()
            .max(self.sponsoring.relays[at].sequence + 1);
        let relay = &mut self.sponsoring.relays[at];
        relay.sequence = sequence;
        let (Some(key), Some(launched)) = (relay.key, &relay.launched) else {
            return;
        };
        let lease = launched.lease.id;
        let (Some(link), Some(signer)) = (self.links.to(&key), &self.config.sponsor) else {
            return;
        };
        let numbered = Numbered {
            lease,
            sequence,
            order,
        };
        let order = numbered.seal(&**signer, &key);
        let delegation = None;
        out.tell(link.id, &Message::Order(Commanded { order, delegation }));
    }

    /// What the coordinator wants of a relay becomes an order.
    pub(in crate::role::viewer) fn on_to_relay(
        &mut self,
        now: Instant,
        tag: &PeerTag,
        message: &Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let Some(at) = self.sponsoring.of_tag(tag) else {
            return Ok(());
        };
        let order = match Message::parse_body(message).map_err(|_| CloseCode::Malformed)? {
            Message::Assign(mut assign) => {
                for peer in &mut assign.peers {
                    self.dials.keep_fitting(&mut peer.addresses);
                }
                // A relay knows nobody, not even the source.
                assign.peers.push(Introduction {
                    peer: self.config.channel.peer(),
                    addresses: self.config.addresses.clone(),
                });
                Order::Attach(assign)
            }
            Message::Dial(mut introduction) => {
                self.dials.keep_fitting(&mut introduction.addresses);
                Order::Dial(introduction)
            }
            _ => return Err(CloseCode::Unexpected),
        };
        self.order(now, at, order, out);
        Ok(())
    }

    /// What a relay says is passed on. Whether it was a relay that said it, and something that is passed on.
    pub(in crate::role::viewer) fn on_from_relay(
        &mut self,
        link: LinkId,
        message: &Message,
        out: &mut Outbox,
    ) -> bool {
        let peer = self.links.get(link).map(|link| link.peer);
        let Some(at) = peer.and_then(|peer| self.sponsoring.find(|relay| relay.key == Some(peer))) else {
            return false;
        };
        match message {
            Message::Usage(usage) => self.on_usage(at, usage, out),
            Message::Report(_)
            | Message::Moved(_)
            | Message::Orphaned(_)
            | Message::Unreachable { .. }
            | Message::Leave => {
                let stage = &mut self.sponsoring.relays[at].stage;
                if matches!(message, Message::Leave) && !matches!(stage, Stage::Draining(_)) {
                    *stage = Stage::Draining(EndReason::Done);
                }
                let relay = peer.expect("found by its key").tag();
                let message = message.body();
                self.tell_coordinator(&Message::FromRelay { relay, message }, out);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn on_usage(&mut self, at: usize, usage: &Usage, out: &mut Outbox) {
        self.on_lease(at, usage.lease, out);
        let relay = &self.sponsoring.relays[at];
        let state = match relay.stage {
            Stage::Draining(_) => RelayState::Draining,
            _ => RelayState::Serving,
        };
        out.push(Output::Cloud(CloudOrder::Used {
            relay: relay.number,
            sent: usage.sent,
            serves: usage.children,
            state,
            lease: usage.lease,
        }));
    }

    /// Somebody with our key has made its lease longer: the coordinator hears of it, and may use all of it.
    pub(super) fn on_lease(&mut self, at: usize, lease: Lease, out: &mut Outbox) {
        let Some(launched) = &mut self.sponsoring.relays[at].launched else {
            return;
        };
        if lease.id == launched.lease.id && lease.ends > launched.lease.ends {
            launched.lease = lease;
            self.offer(at, out);
        }
    }
}
