//! A hostile peer: it dials its victim, fires, and tells the test what comes back.

use super::start;
use anyhow::{Context, Result};
use banyan_peer::{Handle, identity};
use banyan_protocol::id::SecretKey;
use banyan_protocol::io::{Command, Input, Lane, LinkEnd, LinkId, Machine, Outbox, Output};
use banyan_protocol::time::Instant;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::control::{Hello, Message};
use banyan_protocol::wire::link::ChannelLink;
use banyan_protocol::wire::ticket::TicketLane;
use bytes::Bytes;
use rig::Host;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A frame to send, and on which lane.
pub(crate) type Shot = (Lane, Bytes);

/// How long a victim may take to end a link.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// What a hostile peer saw of its victim.
#[derive(Debug)]
pub(crate) enum Seen {
    Message(Message),
    Ended(LinkEnd),
}

/// Dials its victim when told to, fires when the link is up, and tells the test what comes back.
pub(crate) struct Hostile {
    victim: Output,
    shots: Vec<Shot>,
    lane: TicketLane,
    seen: SyncSender<Seen>,
}

impl Machine for Hostile {
    fn handle(&mut self, _: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Command(Command::Discontinuity) => out.push(self.victim.clone()),
            Input::Linked { link, .. } => {
                let shots = self.shots.drain(..);
                shots.for_each(|(lane, frame)| out.push(Output::Send { link, lane, frame }));
            }
            Input::Frame {
                lane: Lane::Control,
                frame,
                ..
            } => {
                let message = Message::parse(&frame);
                if let Ok(message) = message.and_then(|message| self.lane.receive(message)) {
                    self.tell(Seen::Message(message));
                }
            }
            Input::Unlinked { why, .. } => self.tell(Seen::Ended(why)),
            _ => {}
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        None
    }

    fn check_invariants(&self) {}
}

impl Hostile {
    fn tell(&self, seen: Seen) {
        // A test that has seen enough listens no more.
        let _ = self.seen.try_send(seen);
    }
}

/// A running hostile peer.
pub(crate) struct Attack {
    pub(crate) seen: Receiver<Seen>,
    _handle: Handle<Hostile>,
}

impl Attack {
    pub(crate) fn start(runtime: &Runtime, host: &Host, victim: Output, shots: Vec<Shot>) -> Result<Self> {
        Self::start_as(&identity::generate(), runtime, host, victim, shots)
    }

    pub(crate) fn start_as(
        key: &SecretKey,
        runtime: &Runtime,
        host: &Host,
        victim: Output,
        shots: Vec<Shot>,
    ) -> Result<Self> {
        let (tell, seen) = sync_channel(256);
        let machine = Hostile {
            victim,
            shots,
            lane: TicketLane::default(),
            seen: tell,
        };
        let handle = start(runtime, host, key, 0, |_, _| machine)?;
        let dial = Command::Discontinuity;
        handle
            .commands
            .blocking_send(dial)
            .ok()
            .context("the driver runs")?;
        Ok(Self {
            seen,
            _handle: handle,
        })
    }

    /// How its link ended.
    pub(crate) fn end(&self) -> Result<LinkEnd> {
        loop {
            let seen = self
                .seen
                .recv_timeout(PATIENCE)
                .context("the victim keeps the link")?;
            if let Seen::Ended(end) = seen {
                return Ok(end);
            }
        }
    }

    /// The first message that `pick` takes.
    pub(crate) fn hear<T>(&self, mut pick: impl FnMut(Message) -> Option<T>) -> Result<T> {
        loop {
            match self.seen.recv_timeout(PATIENCE).context("no such message came")? {
                Seen::Message(message) => {
                    if let Some(found) = pick(message) {
                        return Ok(found);
                    }
                }
                Seen::Ended(end) => anyhow::bail!("the link ended: {end:?}"),
            }
        }
    }
}

/// How a hostile peer dials the broadcaster.
pub(crate) fn broadcaster(link: &str) -> Result<Output> {
    let link: ChannelLink = link.parse()?;
    Ok(Output::Dial {
        link: LinkId(2),
        peer: link.channel.peer(),
        addresses: link.addresses,
    })
}

/// How a viewer joins that gives nothing.
pub(crate) fn hello(version: u8, candidates: Vec<SocketAddr>) -> Message {
    Message::Hello(Hello {
        version,
        secret: None,
        uplink: Some(Bitrate::ZERO),
        buffer_ms: 2_000,
        candidates,
        relay_only: false,
        may_sponsor: false,
        watches: true,
        resume: None,
    })
}

/// It is told that it gets no stripe, or the link is closed.
pub(crate) fn turned_away(attack: &Attack) -> Result<()> {
    loop {
        match attack
            .seen
            .recv_timeout(PATIENCE)
            .context("neither refused nor shown out")?
        {
            Seen::Message(Message::Detached { .. }) | Seen::Ended(LinkEnd::Closed(_)) => return Ok(()),
            Seen::Message(Message::Attached { .. }) => anyhow::bail!("it was given the stripe"),
            Seen::Message(_) => {}
            Seen::Ended(end) => anyhow::bail!("the link ended: {end:?}"),
        }
    }
}
