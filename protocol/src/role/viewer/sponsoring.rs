//! Sponsoring: this person's relays, from the yes to the end of the lease (`docs/protocol.md` §11).
//!
//! The provider starts a relay, it proves itself on a link that we dial, and from then on we pass on what the coordinator wants of it
//! as signed orders, and what it says to the coordinator.

use super::links::Link;
use super::{Phase, Viewer};
use crate::event::Event;
use crate::id::{PeerId, PeerTag};
use crate::io::{CloudNews, CloudOrder, EndReason, LinkEnd, LinkId, Outbox, Output, RelayState, Side};
use crate::limits::VERSION;
use crate::role::config::Part;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::close::CloseCode;
use crate::wire::control::{Introduction, Message, Welcome};
use crate::wire::enrol::{Binding, EnrolSecret};
use crate::wire::lease::Lease;
use crate::wire::order::{Commanded, Delegation, Numbered, Offer, Order, Usage};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// The most relays that one person sponsors at once.
const RELAYS_MAX: usize = 4;

/// A relay that is dialled and does not answer is dialled again after that.
const REDIAL: Duration = Duration::from_millis(500);

/// How long a relay has to prove itself on a link.
const PROOF_PATIENCE: Duration = Duration::from_secs(5);

/// How long a machine may take to boot, and a relay to be found again that was lost.
const BOOT_PATIENCE: Duration = Duration::from_secs(180);
const LOST_PATIENCE: Duration = Duration::from_secs(30);

/// Viewers at full quality that a relay is for when nobody said how much is missing.
const UNASKED_COPIES: u64 = 10;

/// Where a relay is in its life.
#[derive(Clone, Debug)]
enum Stage {
    /// The provider has been asked to start it.
    Launching,
    /// It is to be dialled at that time.
    Booting(Instant),
    /// It was dialled, whoever answers.
    Dialling(LinkId),
    /// Somebody answered, and has yet to prove that it is the relay.
    Proving {
        link: LinkId,
        peer: PeerId,
        address: SocketAddr,
        binding: Binding,
        until: Instant,
    },
    /// It has proved itself, and obeys.
    Serving,
    /// It serves, and there is no link to it since then.
    Lost(Instant),
    /// It has been told to leave.
    Draining,
}

/// What the provider said of a relay that it started.
#[derive(Clone, Debug)]
struct Launched {
    addresses: Vec<SocketAddr>,
    lease: Lease,
    uplink: Bitrate,
    secret: EnrolSecret,
    /// When it has to have proved itself.
    until: Instant,
}

/// A relay of this person's.
#[derive(Clone, Debug)]
struct Sponsored {
    /// Its name towards the provider.
    number: u64,
    /// The round of the yes; 0 if nobody asked.
    round: u64,
    stage: Stage,
    launched: Option<Launched>,
    /// Its key, once it has proved itself.
    key: Option<PeerId>,
    /// The number of the last order.
    sequence: u64,
}

/// This person's relays.
#[derive(Debug, Default)]
pub(super) struct Sponsoring {
    relays: Vec<Sponsored>,
    made: u64,
    /// Rounds in which this person said yes.
    pledged: Vec<u64>,
    /// They run on when this person leaves.
    run_on: bool,
}

impl Sponsoring {
    /// Nobody's relays yet.
    pub(super) fn new(run_on: bool) -> Self {
        Self {
            run_on,
            ..Self::default()
        }
    }

    /// Whether they run on when this person leaves, from now on.
    pub(super) fn run_on(&mut self, run_on: bool) {
        self.run_on = run_on;
    }

    /// This person said yes in a round.
    pub(super) fn pledge(&mut self, round: u64) {
        self.pledged.push(round);
    }

    /// Whether that is a relay of this person's.
    pub(super) fn is_relay(&self, peer: &PeerId) -> bool {
        self.relays.iter().any(|relay| relay.key == Some(*peer))
    }

    fn find(&self, fits: impl Fn(&Sponsored) -> bool) -> Option<usize> {
        self.relays.iter().position(fits)
    }

    fn of_tag(&self, tag: &PeerTag) -> Option<usize> {
        self.find(|relay| relay.key.is_some_and(|key| key.tag() == *tag))
    }

    /// The relay that may be at the other end of a link that has proved nothing yet.
    fn of_link(&self, id: LinkId) -> Option<usize> {
        self.find(|relay| match relay.stage {
            Stage::Dialling(link) | Stage::Proving { link, .. } => link == id,
            _ => false,
        })
    }

    /// Whether something is under way that a person who leaves should wait for.
    pub(super) fn is_draining(&self) -> bool {
        self.relays
            .iter()
            .any(|relay| matches!(relay.stage, Stage::Draining))
    }
}

impl Viewer {
    /// Our yes counts.
    pub(super) fn on_chosen(&mut self, round: u64, missing: Bitrate, out: &mut Outbox) {
        if let Some(at) = self
            .sponsoring
            .pledged
            .iter()
            .position(|pledged| *pledged == round)
        {
            self.sponsoring.pledged.swap_remove(at);
            self.launch(round, missing, out);
        } else {
            self.tell_coordinator(&Message::NoRelay { round, relay: None }, out);
        }
    }

    /// Who came to sponsor does so as soon as it is let in.
    pub(super) fn sponsor_unasked(&mut self, out: &mut Outbox) {
        let Some((_, layout)) = &self.layout else { return };
        if self.config.part == Part::Sponsor && self.sponsoring.made == 0 {
            let missing = layout.top().rate * UNASKED_COPIES;
            self.launch(0, missing, out);
        }
    }

    fn launch(&mut self, round: u64, missing: Bitrate, out: &mut Outbox) {
        if self.config.sponsor.is_none() || self.sponsoring.relays.len() == RELAYS_MAX {
            return self.tell_coordinator(&Message::NoRelay { round, relay: None }, out);
        }
        self.sponsoring.made += 1;
        let relay = self.sponsoring.made;
        self.sponsoring.relays.push(Sponsored {
            number: relay,
            round,
            stage: Stage::Launching,
            launched: None,
            key: None,
            sequence: 0,
        });
        out.push(Output::Cloud(CloudOrder::Launch { relay, missing }));
    }

    pub(super) fn on_cloud(&mut self, now: Instant, news: CloudNews, out: &mut Outbox) {
        match news {
            CloudNews::Launched {
                relay,
                addresses,
                lease,
                uplink,
                secret,
            } => {
                let Some(at) = self.sponsoring.find(|known| known.number == relay) else {
                    let why = EndReason::Done;
                    return out.push(Output::Cloud(CloudOrder::Terminate { relay, why }));
                };
                let known = &mut self.sponsoring.relays[at];
                known.launched = Some(Launched {
                    addresses,
                    lease,
                    uplink,
                    secret,
                    until: now + BOOT_PATIENCE,
                });
                known.stage = Stage::Booting(now);
                self.dial_relay(now, at, out);
            }
            CloudNews::Failed { relay, .. } | CloudNews::Gone { relay, .. } => {
                if let Some(at) = self.sponsoring.find(|known| known.number == relay) {
                    self.lose_relay(now, at, None, out);
                }
            }
        }
    }

    /// Dials a relay that boots, if it is time.
    fn dial_relay(&mut self, now: Instant, at: usize, out: &mut Outbox) {
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
    pub(super) fn on_relay_linked(
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
    pub(super) fn on_relay_unlinked(
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

    /// Something came on a link on which a relay has to prove itself. Whether it was one.
    pub(super) fn on_proof(&mut self, now: Instant, link: LinkId, frame: &Bytes, out: &mut Outbox) -> bool {
        let Some(at) = self.sponsoring.of_link(link) else {
            return false;
        };
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
            return true;
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
        true
    }

    /// The relay has proved itself: its key counts from now on.
    fn pin(
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
    fn welcome_relay(
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

    /// Tells the coordinator of a relay that serves; also when the coordinator was lost and is back.
    fn offer(&self, at: usize, out: &mut Outbox) {
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
            delegation.seal(&**sponsor)
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
    pub(super) fn offer_all(&self, out: &mut Outbox) {
        for at in 0..self.sponsoring.relays.len() {
            if matches!(self.sponsoring.relays[at].stage, Stage::Serving) {
                self.offer(at, out);
            }
        }
    }

    /// Gives a relay an order.
    fn order(&mut self, now: Instant, at: usize, order: Order, out: &mut Outbox) {
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
    pub(super) fn on_to_relay(
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
                    peer: self.config.channel,
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
    pub(super) fn on_from_relay(&mut self, link: LinkId, message: &Message, out: &mut Outbox) -> bool {
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
                if matches!(message, Message::Leave) {
                    self.sponsoring.relays[at].stage = Stage::Draining;
                }
                let relay = peer.expect("found by its key").tag();
                let message = message.body();
                self.tell_coordinator(&Message::FromRelay { relay, message }, out);
            }
            _ => return false,
        }
        true
    }

    fn on_usage(&mut self, at: usize, usage: &Usage, out: &mut Outbox) {
        self.on_lease(at, usage.lease, out);
        let relay = &self.sponsoring.relays[at];
        let state = match relay.stage {
            Stage::Draining => RelayState::Draining,
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
    fn on_lease(&mut self, at: usize, lease: Lease, out: &mut Outbox) {
        let Some(launched) = &mut self.sponsoring.relays[at].launched else {
            return;
        };
        if lease.id == launched.lease.id && lease.ends > launched.lease.ends {
            launched.lease = lease;
            self.offer(at, out);
        }
    }

    /// Once a second: dials, gives up, looks for relays that were lost.
    pub(super) fn tend_relays(&mut self, now: Instant, out: &mut Outbox) {
        let mut at = 0;
        while at < self.sponsoring.relays.len() {
            if let Some(why) = self.is_relay_over(now, at) {
                self.lose_relay(now, at, Some(why), out);
                continue;
            }
            self.tend_relay(now, at, out);
            at += 1;
        }
    }

    fn is_relay_over(&self, now: Instant, at: usize) -> Option<EndReason> {
        let relay = &self.sponsoring.relays[at];
        let is_late = relay
            .launched
            .as_ref()
            .is_some_and(|launched| now >= launched.until);
        let linked = relay.key.is_some_and(|key| self.links.to(&key).is_some());
        match relay.stage {
            Stage::Launching | Stage::Serving => None,
            Stage::Booting(_) | Stage::Dialling(_) | Stage::Proving { .. } => {
                is_late.then_some(EndReason::Late)
            }
            Stage::Lost(since) => (now >= since + LOST_PATIENCE).then_some(EndReason::Lost),
            Stage::Draining => (!linked).then_some(EndReason::Done),
        }
    }

    fn tend_relay(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        let relay = &self.sponsoring.relays[at];
        let link = relay.key.and_then(|key| self.links.to(&key)).map(|link| link.id);
        match (&relay.stage, relay.key) {
            (Stage::Booting(_), _) => self.dial_relay(now, at, out),
            (Stage::Proving { link, until, .. }, _) if now >= *until => {
                let (link, code) = (*link, CloseCode::Done);
                out.push(Output::Close { link, code });
                self.sponsoring.relays[at].stage = Stage::Booting(now);
            }
            (Stage::Serving, Some(key)) if link.is_none() => {
                self.sponsoring.relays[at].stage = Stage::Lost(now);
                self.reach(now, key, out);
            }
            (Stage::Lost(_), Some(key)) => match link {
                Some(link) => {
                    let address = self.book.addresses(&key).first().copied();
                    let address = address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                    self.welcome_relay(now, at, link, address, out);
                }
                None => drop(self.reach(now, key, out)),
            },
            _ => {}
        }
    }

    /// A relay is gone, or is given up: nothing is left running. `end` says why it is to be ended, if it is not known to be over.
    fn lose_relay(&mut self, now: Instant, at: usize, end: Option<EndReason>, out: &mut Outbox) {
        let relay = self.sponsoring.relays.remove(at);
        if let Stage::Dialling(link) | Stage::Proving { link, .. } = relay.stage {
            let code = CloseCode::Done;
            out.push(Output::Close { link, code });
        }
        if let Some(link) = relay.key.and_then(|key| self.links.to(&key)).map(|link| link.id) {
            self.close_link(now, link, CloseCode::Done, out);
        }
        if let Some(why) = end {
            let relay = relay.number;
            out.push(Output::Cloud(CloudOrder::Terminate { relay, why }));
        }
        let (round, relay) = (relay.round, relay.key.map(|key| key.tag()));
        self.tell_coordinator(&Message::NoRelay { round, relay }, out);
    }

    /// This person wants one relay no longer.
    pub(super) fn end_relay(&mut self, now: Instant, number: u64, out: &mut Outbox) {
        let Some(at) = self.sponsoring.find(|relay| relay.number == number) else {
            return;
        };
        match self.sponsoring.relays[at].stage {
            Stage::Serving => self.drain_relay(now, at, out),
            _ => self.lose_relay(now, at, Some(EndReason::Done), out),
        }
    }

    fn drain_relay(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        self.order(now, at, Order::Drain, out);
        self.sponsoring.relays[at].stage = Stage::Draining;
    }

    /// This person leaves, and so do its relays, unless they are to run on: each hands its children over first.
    pub(super) fn dismiss_relays(&mut self, now: Instant, out: &mut Outbox) {
        if self.sponsoring.run_on {
            return;
        }
        for at in 0..self.sponsoring.relays.len() {
            if matches!(self.sponsoring.relays[at].stage, Stage::Serving | Stage::Lost(_)) {
                self.drain_relay(now, at, out);
            }
        }
    }

    /// The end: whatever does not run on is ended.
    pub(super) fn end_relays(&mut self, out: &mut Outbox) {
        for relay in core::mem::take(&mut self.sponsoring.relays) {
            let serves = matches!(relay.stage, Stage::Serving | Stage::Lost(_));
            if !(self.sponsoring.run_on && serves) {
                let (relay, why) = (relay.number, EndReason::Done);
                out.push(Output::Cloud(CloudOrder::Terminate { relay, why }));
            }
        }
    }

    /// Whether this person need not wait for anything of its relays.
    pub(super) fn relays_are_done(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_)) && !self.sponsoring.is_draining()
    }
}
