//! Setting a run up: the world, the broadcaster, viewers as they come.

use super::faults::FaultRates;
use super::{Alarm, Show, second};
use crate::audience::{Audience, Person};
use crate::chance::{Chance, mix};
use crate::check::Checks;
use crate::copies;
use crate::keys::{hash_key, peer_id};
use crate::media::{FRAMES_A_SECOND, Media};
use crate::net::{MILLISECOND, Micros, SECOND};
use crate::prices::Prices;
use crate::scenario::Scenario;
use crate::score::{Score, Seat};
use crate::world::{NodeIndex, NodeSetup, Weather, World};
use banyan_protocol::io::{Command, Input};
use banyan_protocol::rng::Rng;
use banyan_protocol::role::broadcaster::Broadcaster;
use banyan_protocol::role::config::{BroadcasterConfig, Part, ViewerConfig, WhenFull};
use banyan_protocol::role::viewer::Viewer;
use banyan_protocol::time::{ChannelTime, Duration};
use banyan_protocol::units::Bitrate;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Channel time when a simulation begins: some day in 2026.
pub(super) const DAY: u64 = 1_790_000_000_000_000;

/// The first run of a channel's broadcaster.
const FIRST_EPOCH: u64 = 1_790_000_000;

/// A forger alters one chunk in so many.
const FORGED: f64 = 0.05;

impl Show {
    pub(super) fn new(scenario: Scenario, seed: u64) -> Self {
        let mut rng = Rng::new(mix(seed, 1));
        let prices = Prices::new(&scenario.stream.tiers_kbps);
        let signatures = scenario.stream.signatures;
        let (key, verify) = (signatures.channel_key(seed), signatures.verify());
        let media = Media::new(&scenario.stream.tiers_kbps, scenario.stream.keyframe_s);
        let source_uplink =
            Bitrate((scenario.source.copies.draw(&mut rng) * prices.copy().as_bps() as f64) as u64);
        let weather = weather(&scenario, &mut rng);
        let score = Score::new(&scenario, prices.clone(), key.public(), verify.clone());
        let mut show = Self {
            seed,
            world: World::new(seed, weather, score),
            audience: Audience::new(&scenario, prices.copy(), &mut rng),
            checks: Checks::new(prices, key.id()),
            media,
            key,
            verify,
            source: 0,
            source_uplink,
            epochs: 0,
            frames: 0,
            keys: 0,
            cast: BTreeSet::new(),
            changed: Vec::new(),
            last_fault: 0,
            faults: 0,
            rates: FaultRates::default(),
            samples: second::Samples::default(),
            tells_late: false,
            relays: Vec::new(),
            turns: BTreeMap::new(),
            cheat: None,
            sheds: 0,
            unfair_sheds: 0,
            rng,
            scenario,
            tells_room: false,
        };
        show.start_source();
        show.plan();
        show
    }

    fn plan(&mut self) {
        self.world.set_alarm(SECOND / FRAMES_A_SECOND, Alarm::Frame);
        self.world.set_alarm(SECOND, Alarm::Second);
        let per_s = self.scenario.arrival.per_s.draw(&mut self.rng);
        let over = (self.scenario.viewers as f64 / per_s * 1e6) as Micros;
        self.plan_all(Alarm::Join, 2 * SECOND, over, self.scenario.viewers);
        if let Some(crowd) = self.scenario.crowd.clone() {
            let over = (crowd.over_s * 1e6) as Micros;
            let alarm = if crowd.one_address {
                Alarm::Crowd
            } else {
                Alarm::Join
            };
            self.plan_all(alarm, (crowd.at_s * 1e6) as Micros, over, crowd.viewers);
        }
        if let Some(exodus) = self.scenario.exodus.clone() {
            let over = (exodus.over_s * 1e6) as Micros;
            let from = (exodus.at_s * 1e6) as Micros;
            self.plan_all(Alarm::Leave, from, over, exodus.viewers);
        }
        self.plan_faults();
    }

    fn plan_all(&mut self, alarm: Alarm, from: Micros, over: Micros, viewers: usize) {
        let apart = over / viewers.max(1) as Micros;
        for n in 0..viewers as Micros {
            let after = if self.scenario.arrival.in_turn {
                n * apart + self.rng.below(apart.max(1)) / 4
            } else {
                self.rng.below(over.max(1))
            };
            self.world.set_alarm(from + after, alarm);
        }
    }

    /// Starts the broadcaster, for the first time or again: same key, same address, a greater epoch.
    pub(super) fn start_source(&mut self) {
        let config = BroadcasterConfig {
            key: self.key.clone(),
            verify: self.verify.clone(),
            epoch: FIRST_EPOCH + self.epochs * 60,
            now: self.world.instant(),
            clock: ChannelTime::from_micros(DAY + self.world.now()),
            title: "simulated".into(),
            uplink: Some(self.source_uplink),
            when_full: if self.scenario.source.refuses {
                WhenFull::Refuse
            } else {
                WhenFull::Degrade
            },
            max_viewers: None,
            secret: None,
            seed: mix(self.seed, self.epochs),
        };
        self.epochs += 1;
        self.source = self.world.add(NodeSetup {
            id: self.key.id(),
            address: address(0),
            uplink_bps: self.source_uplink.as_bps(),
            nat: false,
            forges: 0.0,
            machine: Box::new(Broadcaster::new(config)),
        });
        self.world.watch.set_source(self.source);
        self.checks.set_source(self.source);
        let setups = self.media.setups();
        self.world
            .tell(self.source, Input::Command(Command::Tiers(setups)));
    }

    /// A newcomer.
    pub(super) fn join(&mut self) {
        let person = self.audience.draw(&mut self.rng);
        self.keys += 1;
        let node = self.add_viewer(person, self.keys, address(self.keys));
        let buffer = self.scenario.stream.buffer_ms * MILLISECOND;
        let seat = Seat::new(person, self.world.now(), buffer);
        let viewer = self.world.node(node).id;
        self.world.watch.joins(node, viewer, seat);
        self.cast.insert(node);
    }

    /// One of many keys of one address, who gives nothing.
    pub(super) fn join_crowd(&mut self) {
        let person = Person {
            uplink: Bitrate::ZERO,
            capped: true,
            nat: false,
            forges: false,
        };
        self.keys += 1;
        let node = self.add_viewer(person, self.keys, crowd_address(self.keys));
        let viewer = self.world.node(node).id;
        self.world.watch.tickets.expect(node, viewer);
        let now = self.world.now();
        self.world.watch.wrongs.crowds(now, node);
    }

    fn add_viewer(&mut self, person: Person, number: u64, address: SocketAddr) -> NodeIndex {
        let broadcaster_address = self::address(0);
        let id = peer_id(self.seed, number);
        let config = ViewerConfig {
            id,
            verify: self.verify.clone(),
            channel: self.key.public(),
            addresses: vec![broadcaster_address],
            secret: None,
            now: self.world.instant(),
            uplink: person.capped.then_some(person.uplink),
            buffer: Duration::from_millis(self.scenario.stream.buffer_ms),
            candidates: vec![address],
            relay_only: false,
            part: Part::Watch,
            sponsor: (self.rng.happens(0.5)).then(|| hash_key(&id)),
            relays_run_on: self.relays_run_on(),
            seed: mix(self.seed, number << 8),
        };
        let mut viewer = Viewer::new(config);
        viewer.join_by(copies::shared);
        let node = self.world.add(NodeSetup {
            id,
            address,
            uplink_bps: person.line_bps(),
            nat: person.nat,
            forges: if person.forges { FORGED } else { 0.0 },
            machine: self.slanderer(number, Box::new(viewer)),
        });
        self.checks.add(id, node);
        self.plan_slander(node, number);
        node
    }
}

fn weather(scenario: &Scenario, rng: &mut Rng) -> Weather {
    let network = &scenario.network;
    let micros = |ms: f64| (ms * MILLISECOND as f64) as Micros;
    Weather {
        delay: (micros(network.delay_ms.0), micros(network.delay_ms.1)),
        jitter: micros(network.jitter_ms.draw(rng)),
        loss: network.loss.draw(rng),
    }
}

/// The address of number `n` where many keys come from one host.
fn crowd_address(n: u64) -> SocketAddr {
    SocketAddr::from(([19, 113, 0, 7], 5000 + n as u16))
}

/// The address of number `n`: each in a network of its own.
pub(super) fn address(n: u64) -> SocketAddr {
    let [.., a, b] = (n as u16).to_be_bytes();
    let block = 20 + (n >> 16) as u8;
    SocketAddr::from(([block, a, b, 1], 4600))
}
