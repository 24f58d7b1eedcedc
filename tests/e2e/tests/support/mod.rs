//! Machines of a test's own on the hosts of a net, and real ones that are made to misbehave.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod attack;

use anyhow::Result;
use banyan_peer::{Clock, Config, Endpoint, Handle, spawn};
use banyan_protocol::id::SecretKey;
use banyan_protocol::io::{Input, Machine, Outbox, Output};
use banyan_protocol::time::Instant;
use rig::Host;
use tokio::runtime::Runtime;

/// Runs the machine that `make` makes on `host`, under `key`, at `port` (0: any).
pub(crate) fn start<M: Machine + Send + 'static>(
    runtime: &Runtime,
    host: &Host,
    key: &SecretKey,
    port: u16,
    make: impl FnOnce(&Endpoint, Clock) -> M,
) -> Result<Handle<M>> {
    let config = Config {
        listen: Some((host.address(), port).into()),
        ..Config::default()
    };
    let endpoint = host.inside(|| {
        let _context = runtime.enter();
        Endpoint::bind(key, config)
    })??;
    let clock = Clock::start();
    let machine = make(&endpoint, clock);
    let _context = runtime.enter();
    Ok(spawn(machine, endpoint, clock))
}

/// A real machine whose words pass through somebody else's hands.
pub(crate) struct Spoiled<M, S> {
    pub(crate) machine: M,
    pub(crate) spoil: S,
}

/// What is done to a real machine's words, and to what it hears.
pub(crate) trait Spoil {
    /// Passes on an output, changed or not, with or without more.
    fn say(&mut self, output: Output, out: &mut Outbox);

    /// What the machine is to hear instead.
    fn hear(&mut self, input: Input) -> Input {
        input
    }
}

impl<M: Machine, S: Spoil> Machine for Spoiled<M, S> {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        let mut said = Outbox::new();
        self.machine.handle(now, self.spoil.hear(input), &mut said);
        for output in said.drain() {
            self.spoil.say(output, out);
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.machine.wake_at()
    }

    fn check_invariants(&self) {
        self.machine.check_invariants();
    }
}
