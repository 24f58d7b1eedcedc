//! The machine of the forwarding process: the engine of viewers and relays, and nothing else.

use super::RANK;
use banyan_protocol::id::{Ed25519, PeerId, PublicKey};
use banyan_protocol::io::{Command, Ended, Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::media::forward::{Config, Forwarder};
use banyan_protocol::time::{ChannelClock, ChannelTime, Instant};
use banyan_protocol::wire::chunk::Data;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::control::Message;
use banyan_protocol::wire::layout::Layout;
use bytes::Bytes;
use std::sync::Arc;

/// A machine that does nothing but forward.
pub(super) struct Forwarding {
    engine: Forwarder,
    channel: PublicKey,
    clock: ChannelClock,
}

impl Forwarding {
    pub(super) fn new(me: PeerId, channel: PublicKey, clock: ChannelClock) -> Self {
        let config = Config {
            me,
            channel,
            verify: Arc::new(Ed25519),
            uplink: None,
            is_source: false,
        };
        Self {
            engine: Forwarder::new(config),
            channel,
            clock,
        }
    }

    fn on_frame(
        &mut self,
        now: Instant,
        link: LinkId,
        lane: Lane,
        frame: Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        match lane {
            Lane::Data(_) => self.on_data(now, frame, out),
            Lane::Control => self.on_message(now, link, &frame, out),
        }
    }

    fn on_data(&mut self, now: Instant, frame: Bytes, out: &mut Outbox) -> Result<(), CloseCode> {
        match Data::parse(frame).map_err(|_| CloseCode::Malformed)? {
            Data::Chunk(chunk) if chunk.is_signed_by(&self.channel, &Ed25519) => {
                self.engine.chunk(now, &chunk);
            }
            Data::Chunk(_) => return Err(CloseCode::Forged),
            Data::Layout(sealed) => self.on_layout(now, sealed, out)?,
            Data::Late { .. } => {}
        }
        Ok(())
    }

    fn on_layout(&mut self, now: Instant, sealed: Bytes, out: &mut Outbox) -> Result<(), CloseCode> {
        let layout = Layout::open(&sealed, &self.channel, &Ed25519).map_err(|_| CloseCode::Forged)?;
        let stripes: Vec<_> = layout.top().stripe_ids().collect();
        self.engine.epoch(now, layout.epoch);
        self.engine.layout(sealed, Arc::new(layout));
        for stripe in stripes {
            self.engine.set_rank(stripe, Some(RANK), out);
        }
        Ok(())
    }

    fn on_message(
        &mut self,
        now: Instant,
        link: LinkId,
        frame: &Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let at = self.at(now);
        match Message::parse(frame).map_err(|_| CloseCode::Malformed)? {
            Message::Attach(attach) => self.engine.attach(now, at, link, attach, out),
            Message::Detach { stripe, from } => self.engine.detach(now, link, stripe, from, out),
            Message::Pull(pull) => self.engine.pull(now, at, link, pull, out),
            _ => Err(CloseCode::Unexpected),
        }
    }

    fn at(&self, now: Instant) -> ChannelTime {
        self.clock.channel(now)
    }
}

impl Machine for Forwarding {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Linked { link, peer, .. } => self.engine.linked(link, peer),
            Input::Unlinked { link, .. } => self.engine.unlinked(now, link),
            Input::Frame { link, lane, frame } => {
                if let Err(code) = self.on_frame(now, link, lane, frame, out) {
                    self.engine.unlinked(now, link);
                    out.push(Output::Close { link, code });
                }
            }
            Input::Drained { link, bytes } => self.engine.drained(now, link, bytes),
            Input::Wire { sent, .. } => self.engine.wire_sent(now, sent),
            Input::Command(Command::Leave) => out.push(Output::Ended(Ended::Left)),
            _ => {}
        }
        self.engine.poll(now, self.at(now), out);
    }

    fn wake_at(&self) -> Option<Instant> {
        self.engine.wake_at()
    }

    fn check_invariants(&self) {
        self.engine.check_invariants();
    }
}
