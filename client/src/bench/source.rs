//! The source: signs each chunk when it is due, and sends it to the forwarding process.

use super::plan::{self, EPOCH, Plan, STRIPES};
use banyan_protocol::id::{PeerId, SecretKey};
use banyan_protocol::io::{Command, Ended, Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::limits::LINK_BACKLOG_MAX;
use banyan_protocol::time::Instant;
use banyan_protocol::wire::chunk::{Chunk, Flags, Header, layout_frame};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

const LINK: LinkId = LinkId(0);

/// The machine of the source.
pub(super) struct Source {
    plan: Arc<Plan>,
    key: Arc<SecretKey>,
    layout: Bytes,
    target: Option<(PeerId, SocketAddr)>,
    is_linked: bool,
    linked: mpsc::Sender<bool>,
    turn: u64,
    /// Bytes that the transport has not taken yet.
    waiting: u64,
}

impl Source {
    /// A source that dials `target`, and says in `linked` whether it could, or that it has lost it.
    pub(super) fn new(
        plan: Arc<Plan>,
        key: Arc<SecretKey>,
        layout: Bytes,
        target: (PeerId, SocketAddr),
        linked: mpsc::Sender<bool>,
    ) -> Self {
        Self {
            plan,
            key,
            layout,
            target: Some(target),
            is_linked: false,
            linked,
            turn: 0,
            waiting: 0,
        }
    }

    fn tell(&self, is_linked: bool) {
        // Nobody listens any more once the benchmark has gone wrong.
        let _ = self.linked.try_send(is_linked);
    }

    fn send_due(&mut self, now: Instant, out: &mut Outbox) {
        while self.plan.due(self.turn) <= now {
            let chunk = self.seal(now);
            self.turn += 1;
            if self.is_linked && self.waiting < LINK_BACKLOG_MAX {
                self.send(chunk.header.stripe.tier, chunk.frame().clone(), out);
            }
        }
    }

    fn send(&mut self, tier: banyan_protocol::media::TierId, frame: Bytes, out: &mut Outbox) {
        self.waiting += frame.len() as u64;
        out.push(Output::Send {
            link: LINK,
            lane: Lane::Data(tier),
            frame,
        });
    }

    /// The chunk whose turn it is; its capture time is when it is sent.
    fn seal(&self, now: Instant) -> Chunk {
        let (stripe, block) = plan::chunk_of(self.turn);
        let header = Header {
            flags: Flags::KEYFRAME,
            stripe,
            shards: STRIPES,
            layout: 1,
            epoch: EPOCH,
            block,
            captured: self.plan.clock.channel(now),
            block_len: (self.plan.payload * usize::from(STRIPES)) as u32,
        };
        Chunk::seal(&*self.key, header, &vec![self.turn as u8; self.plan.payload])
    }
}

impl Machine for Source {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Linked { .. } => {
                self.is_linked = true;
                let (stripe, _) = plan::chunk_of(0);
                self.send(stripe.tier, layout_frame(&self.layout), out);
                self.tell(true);
            }
            Input::Unlinked { .. } => {
                self.is_linked = false;
                self.tell(false);
            }
            Input::Drained { bytes, .. } => self.waiting -= bytes,
            Input::Command(Command::Leave) => out.push(Output::Ended(Ended::Left)),
            _ => {}
        }
        plan::dial_once(LINK, &mut self.target, out);
        self.send_due(now, out);
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(if self.target.is_some() {
            Instant::ZERO
        } else {
            self.plan.due(self.turn)
        })
    }

    fn check_invariants(&self) {
        assert!(self.waiting < 2 * LINK_BACKLOG_MAX, "what waits is bounded");
    }
}
