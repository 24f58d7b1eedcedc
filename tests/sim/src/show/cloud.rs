//! The simulated cloud: who is asked to sponsor answers, and a yes becomes a node that runs a relay.

use super::build::{DAY, address};
use super::{Alarm, Show};
use crate::chance::{Chance, mix};
use crate::keys::{hashed_key, peer_id};
use crate::net::{Micros, SECOND};
use crate::world::{NodeIndex, NodeSetup};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{CloudNews, CloudOrder, Command, Input};
use banyan_protocol::role::relay::{Relay, RelayConfig};
use banyan_protocol::time::Utc;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::enrol::EnrolSecret;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use banyan_protocol::wire::region::RegionName;
use std::collections::BTreeSet;

/// How long a relay's secret is good.
const ENROLS_WITHIN: u64 = 600;

/// Relays have numbers of their own among keys and addresses.
const FIRST_RELAY: u64 = 60_000;

/// Bytes that a lease allows: more than any run sends.
const BYTES: u64 = 1 << 50;

/// A relay that was ordered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) sponsor: NodeIndex,
    /// What the sponsor calls it.
    number: u64,
    /// The node, once it has booted.
    pub(super) node: Option<NodeIndex>,
    gone: bool,
}

impl Show {
    /// Those who were asked answer, and what they want of the provider is done.
    pub(super) fn serve_sponsors(&mut self) {
        for node in core::mem::take(&mut self.world.watch.asked) {
            let yes = self.scenario.cloud.as_ref().map_or(0.0, |cloud| cloud.yes);
            if let Some(cloud) = &self.scenario.cloud {
                let may = cloud.relays_max.is_none_or(|most| self.relays.len() < most);
                let may = may && self.is_willing(node, cloud.sponsors_max);
                let yes = self.rng.happens(yes) && may;
                self.world
                    .tell(node, Input::Command(Command::Answer { id: None, yes }));
            }
        }
        for (node, order) in core::mem::take(&mut self.world.watch.orders) {
            match order {
                CloudOrder::Launch { relay, .. } => self.launch(node, relay),
                CloudOrder::Locate => self.locate(node),
                CloudOrder::Terminate { relay, .. } => self.terminate(node, relay),
                CloudOrder::Pinned { .. } | CloudOrder::Used { .. } => {}
            }
        }
    }

    /// Each has a distance of its own to each of three regions.
    fn locate(&mut self, node: NodeIndex) {
        let key = u64::from(node) << 8;
        let region = |n: u64| {
            let name = RegionName::try_from(format!("sim-{n}")).expect("that is a name");
            (name, (mix(self.seed, key + n) % 200) as u16)
        };
        let round_trips = (1..=3).map(region).collect();
        let news = CloudNews::Located { round_trips };
        self.world.tell(node, Input::Command(Command::Cloud(news)));
    }

    /// Whether somebody has sponsored before, or fewer than `most` others have.
    fn is_willing(&self, node: NodeIndex, most: Option<usize>) -> bool {
        let sponsors: BTreeSet<NodeIndex> = self.relays.iter().map(|relay| relay.sponsor).collect();
        sponsors.contains(&node) || most.is_none_or(|most| sponsors.len() < most)
    }

    /// Whether sponsors who leave let their relays run on.
    pub(super) fn relays_run_on(&self) -> bool {
        let cloud = self.scenario.cloud.as_ref();
        let going = cloud.and_then(|cloud| cloud.sponsor.as_ref());
        going.is_some_and(|going| going.run_on)
    }

    fn launch(&mut self, sponsor: NodeIndex, number: u64) {
        let Some(cloud) = self.scenario.cloud.clone() else {
            return;
        };
        let boot = cloud.boot_s.draw_seconds(&mut self.rng);
        self.relays.push(Machine {
            sponsor,
            number,
            node: None,
            gone: false,
        });
        let at = self.world.now() + boot as Micros;
        self.world.set_alarm(at, Alarm::Boot(self.relays.len() - 1));
    }

    /// The machine has booted: a relay runs, and its sponsor is told where.
    pub(super) fn boot(&mut self, relay: usize) {
        let Machine {
            sponsor,
            number,
            gone,
            ..
        } = self.relays[relay];
        let Some(cloud) = self.scenario.cloud.clone().filter(|_| !gone) else {
            return;
        };
        let later = cloud.later_copies.filter(|_| relay > 0);
        let copies = later.unwrap_or(cloud.copies).draw(&mut self.rng);
        let uplink = Bitrate((self.world.watch.prices.copy().as_bps() as f64 * copies) as u64);
        let key = FIRST_RELAY + relay as u64;
        let (id, address) = (peer_id(self.seed, key), address(key));
        let secret = EnrolSecret((mix(self.seed, key) as u128).to_le_bytes());
        let lease = self.lease(relay, cloud.lease_s);
        let sponsor_id = self.world.node(sponsor).id;
        let node = self.add_relay((id, sponsor_id), key, (uplink, lease, secret));
        self.relays[relay].node = Some(node);
        self.plan_turn(relay);
        let news = CloudNews::Launched {
            relay: number,
            addresses: vec![address],
            lease,
            uplink,
            secret,
        };
        self.world.tell(sponsor, Input::Command(Command::Cloud(news)));
        if let Some(after) = cloud.destroyed_s {
            self.plan_loss(after, Alarm::Destroy(relay));
        }
        if let Some(going) = cloud.sponsor {
            self.plan_loss(going.after_s, Alarm::SponsorGoes(relay));
        }
    }

    /// Something that goes wrong does so before faults must have stopped.
    fn plan_loss(&mut self, after_s: f64, alarm: Alarm) {
        let at = self.world.now() + (after_s * SECOND as f64) as Micros;
        if at < self.quiet_from() {
            self.world.set_alarm(at, alarm);
        }
    }

    /// A machine is destroyed, and nobody is told.
    pub(super) fn lose_machine(&mut self, relay: usize) {
        self.count_fault();
        if let Some(node) = self.relays[relay].node {
            self.checks.failed(&self.world, node);
        }
        self.destroy(relay);
    }

    /// The sponsor of a relay leaves, or crashes, if it is still here.
    pub(super) fn sponsor_goes(&mut self, relay: usize) {
        let sponsor = self.relays[relay].sponsor;
        let going = self
            .scenario
            .cloud
            .as_ref()
            .and_then(|cloud| cloud.sponsor.clone());
        let Some(going) = going.filter(|_| self.cast.contains(&sponsor)) else {
            return;
        };
        self.count_fault();
        if going.crashes {
            self.checks.failed(&self.world, sponsor);
            self.world.crash(sponsor);
        } else {
            self.checks.disturbed();
            self.world.tell(sponsor, Input::Command(Command::Leave));
        }
        self.goes(sponsor);
    }

    fn clock(&self) -> Utc {
        Utc::from_secs((DAY + self.world.now()) / SECOND)
    }

    fn lease(&self, relay: usize, seconds: f64) -> Lease {
        Lease {
            id: LeaseId((relay as u128).to_le_bytes()),
            ends: Utc::from_secs(self.clock().as_secs() + seconds as u64),
            bytes: BYTES,
        }
    }

    fn add_relay(
        &mut self,
        (id, sponsor): (PeerId, PeerId),
        key: u64,
        (uplink, lease, secret): (Bitrate, Lease, EnrolSecret),
    ) -> NodeIndex {
        let clock = self.clock();
        let config = RelayConfig {
            id,
            verify: self.verify.clone(),
            channel: self.key.public(),
            sponsor: hashed_key(&sponsor),
            lease,
            enrolment: (secret, Utc::from_secs(clock.as_secs() + ENROLS_WITHIN)),
            now: self.world.instant(),
            clock,
            uplink: Some(uplink),
            candidates: vec![address(key)],
            seed: mix(self.seed, key << 8),
        };
        let machine = self.turned(
            (key - FIRST_RELAY) as usize,
            sponsor,
            Box::new(Relay::new(config)),
        );
        let node = self.world.add(NodeSetup {
            id,
            address: address(key),
            uplink_bps: uplink.as_bps(),
            nat: false,
            forges: 0.0,
            machine,
        });
        self.world.watch.tickets.expect_relay(node, id);
        self.checks.add(id, node);
        node
    }

    fn terminate(&mut self, sponsor: NodeIndex, number: u64) {
        let is = |machine: &Machine| machine.sponsor == sponsor && machine.number == number;
        if let Some(relay) = self.relays.iter().position(is) {
            self.destroy(relay);
        }
    }

    /// The machine is gone, whatever ran on it.
    pub(super) fn destroy(&mut self, relay: usize) {
        let machine = &mut self.relays[relay];
        if core::mem::replace(&mut machine.gone, true) {
            return;
        }
        let here = machine.node.filter(|node| self.world.node(*node).is_here());
        if let Some(node) = here {
            self.world.crash(node);
        }
    }
}
