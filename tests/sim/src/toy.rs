//! A machine that follows a script, for tests of the network.

use crate::world::{NodeSetup, Role, Watch, World};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::media::TierId;
use banyan_protocol::time::Instant;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// What a toy was told, and when, in microseconds of its clock.
pub(crate) type Log = Arc<Mutex<Vec<(u64, Input)>>>;

/// A world of toys.
pub(crate) type Toys = World<Silent, &'static str>;

/// Hears nothing.
pub(crate) struct Silent;

impl Watch for Silent {}

/// Puts out what its script says, when it says.
pub(crate) struct Toy {
    script: Vec<(Instant, Output)>,
    log: Log,
}

impl Toy {
    /// The script's times are in milliseconds since the world began.
    pub(crate) fn new(script: Vec<(u64, Output)>) -> (Self, Log) {
        let log = Log::default();
        let mut script: Vec<(Instant, Output)> = script
            .into_iter()
            .map(|(at, output)| (Instant::from_micros(1_000_000 + at * 1000), output))
            .collect();
        script.sort_by_key(|(at, _)| *at);
        script.reverse();
        (
            Self {
                script,
                log: log.clone(),
            },
            log,
        )
    }
}

impl Machine for Toy {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        if !matches!(input, Input::Wake | Input::Wire { .. } | Input::RoundTrip { .. }) {
            self.log
                .lock()
                .unwrap()
                .push((now.as_micros() - 1_000_000, input));
        }
        while self.script.last().is_some_and(|(at, _)| *at <= now) {
            out.push(self.script.pop().unwrap().1);
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.script.last().map(|(at, _)| *at)
    }

    fn check_invariants(&self) {}
}

impl Role for Toy {}

pub(crate) fn id(n: u8) -> PeerId {
    PeerId([n; 16])
}

pub(crate) fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([20, 0, n, 1], 4600))
}

pub(crate) fn dial(link: u64, to: u8) -> Output {
    Output::Dial {
        link: LinkId(link),
        peer: id(to),
        addresses: vec![address(to)],
    }
}

pub(crate) const DATA: Lane = Lane::Data(TierId(1));

pub(crate) fn send(link: u64, lane: Lane, frame: Vec<u8>) -> Output {
    Output::Send {
        link: LinkId(link),
        lane,
        frame: Bytes::from(frame),
    }
}

/// Toy number `n` with its script.
pub(crate) fn add(world: &mut Toys, n: u8, uplink_bps: u64, nat: bool, script: Vec<(u64, Output)>) -> Log {
    let (toy, log) = Toy::new(script);
    world.add(NodeSetup {
        id: id(n),
        address: address(n),
        uplink_bps,
        nat,
        forges: 0.0,
        machine: Box::new(toy),
    });
    log
}
