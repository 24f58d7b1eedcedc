//! A child: attaches to all stripes, counts what comes, and measures how long it took.

use super::plan::{self, Plan, VERIFY_EVERY};
use banyan_protocol::id::{Ed25519, PeerId};
use banyan_protocol::io::{Command, Ended, Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::time::{Instant, TICK};
use banyan_protocol::wire::chunk::{Chunk, Data};
use banyan_protocol::wire::control::{Attach, Message};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::mpsc;

const LINK: LinkId = LinkId(0);

/// What a child has counted among the measured blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How long each chunk took from the source's hand to the child's, in microseconds.
    pub(super) took_us: Vec<u32>,
    /// Chunks that were verified.
    pub(super) verified: u64,
    /// Chunks that should not have come: damaged, or not signed by the channel.
    pub(super) bad: u64,
}

/// What a child says while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The first chunk has come.
    Fed,
    /// It is not fed, or not any more.
    Lost(String),
}

/// Where children stall, until it is opened.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn wait(&self) {
        let is_open = self.is_open.lock().expect("nobody panics with it");
        let opened = self.opened.wait_while(is_open, |is_open| !*is_open);
        drop(opened.expect("nobody panics with it"));
    }

    /// Lets all go on.
    pub(super) fn open(&self) {
        *self.is_open.lock().expect("nobody panics with it") = true;
        self.opened.notify_all();
    }
}

/// The machine of a child.
pub(super) struct Child {
    plan: Arc<Plan>,
    ticket: Bytes,
    target: Option<(PeerId, SocketAddr)>,
    said: mpsc::Sender<Said>,
    is_fed: bool,
    /// Where it stops, if it stalls.
    stalls: Option<Arc<Gate>>,
    seen: u64,
    tally: Tally,
}

impl Child {
    /// A child that dials `target` with `ticket`.
    pub(super) fn new(
        plan: Arc<Plan>,
        ticket: Bytes,
        target: (PeerId, SocketAddr),
        said: mpsc::Sender<Said>,
        stalls: Option<Arc<Gate>>,
    ) -> Self {
        Self {
            plan,
            ticket,
            target: Some(target),
            said,
            is_fed: false,
            stalls,
            seen: 0,
            tally: Tally::default(),
        }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    fn say(&self, said: Said) {
        // Nobody listens any more once the measuring is over.
        let _ = self.said.try_send(said);
    }

    /// From the next block on: a backlog is no part of what is measured.
    fn attach(&self, now: Instant, out: &mut Outbox) {
        let from = self.plan.block_at(now + TICK);
        let attach = Attach {
            ticket: Some(self.ticket.clone()),
            stripes: plan::stripes().map(|stripe| (stripe, from)).collect(),
        };
        out.tell(LINK, &Message::Attach(attach));
    }

    fn on_data(&mut self, now: Instant, frame: Bytes) {
        match Data::parse(frame) {
            Ok(Data::Chunk(chunk)) => self.on_chunk(now, &chunk),
            Ok(Data::Late { .. } | Data::Layout(_)) => {}
            Err(_) => self.tally.bad += 1,
        }
    }

    fn on_chunk(&mut self, now: Instant, chunk: &Chunk) {
        if !std::mem::replace(&mut self.is_fed, true) {
            self.say(Said::Fed);
            if let Some(gate) = &self.stalls {
                // Its link goes on acknowledging, and nobody reads what comes.
                tokio::task::block_in_place(|| gate.wait());
            }
        }
        if !self.plan.is_measured(chunk.header.block) {
            return;
        }
        let took = self.plan.age(now, chunk.header.captured);
        self.tally.took_us.push(took.as_micros() as u32);
        self.seen += 1;
        if self.seen.is_multiple_of(VERIFY_EVERY) {
            let is_good = chunk.is_signed_by(&self.plan.channel, &Ed25519);
            self.tally.verified += 1;
            self.tally.bad += u64::from(!is_good);
        }
    }

    fn on_message(&self, frame: &Bytes) {
        if let Ok(Message::Detached { stripe, why }) = Message::parse(frame) {
            self.say(Said::Lost(format!("stripe {stripe} was refused: {why:?}")));
        }
    }
}

impl Machine for Child {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        plan::dial_once(LINK, &mut self.target, out);
        match input {
            Input::Linked { .. } => self.attach(now, out),
            Input::Unlinked { why, .. } => self.say(Said::Lost(format!("its link ended: {why:?}"))),
            Input::Frame {
                lane: Lane::Data(_),
                frame,
                ..
            } => self.on_data(now, frame),
            Input::Frame {
                lane: Lane::Control,
                frame,
                ..
            } => self.on_message(&frame),
            Input::Command(Command::Leave) => out.push(Output::Ended(Ended::Left)),
            _ => {}
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.target.is_some().then_some(Instant::ZERO)
    }

    fn check_invariants(&self) {}
}
