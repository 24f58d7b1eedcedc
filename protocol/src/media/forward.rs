//! The forwarding engine: the data plane of every peer that feeds children.

use crate::id::{PeerId, Verify};
use crate::io::{LinkId, Outbox};
use crate::media::StripeId;
use crate::media::store::Store;
use crate::time::{ChannelTime, Instant};
use crate::units::Bitrate;
use crate::wire::chunk::Chunk;
use crate::wire::close::CloseCode;
use crate::wire::control::{Attach, Pull};
use crate::wire::layout::Layout;
use crate::wire::ticket::Rank;
use alloc::sync::Arc;
use bytes::Bytes;

/// What an engine must be told when it is made.
#[derive(Clone)]
pub struct Config {
    /// Whose engine it is.
    pub me: PeerId,
    /// The channel: whose tickets count.
    pub channel: PeerId,
    /// Checks tickets.
    pub verify: Arc<dyn Verify>,
    /// What may be sent, in wire bits; `None`: as much as the transport takes.
    pub uplink: Option<Bitrate>,
    /// Whether it is the broadcaster's, which has rank 0 on all stripes.
    pub is_source: bool,
}

/// Feeds a peer's children.
///
/// Its owner tells it what happens, and calls [`poll`](Self::poll) at the end of every call of
/// [`Machine::handle`](crate::io::Machine::handle): only there is anything put on data lanes. Where a method returns
/// `Err(code)`, the peer did what it must not: the closing of the link is in the outbox, the engine has forgotten the
/// link, and the owner forgets it too.
pub struct Forwarder {}

#[allow(unused_variables, clippy::todo, missing_docs)]
impl Forwarder {
    pub fn new(config: Config) -> Self {
        todo!()
    }
    /// A new epoch.
    pub fn epoch(&mut self, now: Instant, epoch: u64, out: &mut Outbox) {
        todo!()
    }
    /// A verified layout.
    pub fn layout(&mut self, sealed: Bytes, layout: Arc<Layout>) {
        todo!()
    }
    pub fn set_uplink(&mut self, uplink: Option<Bitrate>) {
        todo!()
    }
    /// Own rank; `None`: the stripe isn't received any more, its children are detached.
    pub fn set_rank(&mut self, stripe: StripeId, rank: Option<Rank>, out: &mut Outbox) {
        todo!()
    }
    /// Late marks are sent (the default), or not: when the channel has ended.
    pub fn set_marking(&mut self, on: bool) {
        todo!()
    }
    pub fn linked(&mut self, link: LinkId, peer: PeerId) {
        todo!()
    }
    pub fn unlinked(&mut self, now: Instant, link: LinkId) {
        todo!()
    }
    pub fn attach(
        &mut self,
        now: Instant,
        at: ChannelTime,
        link: LinkId,
        attach: Attach,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        todo!()
    }
    pub fn detach(
        &mut self,
        now: Instant,
        link: LinkId,
        stripe: StripeId,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        todo!()
    }
    pub fn pull(
        &mut self,
        now: Instant,
        at: ChannelTime,
        link: LinkId,
        pull: Pull,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        todo!()
    }
    /// A verified chunk; whether it was new.
    pub fn chunk(&mut self, now: Instant, chunk: &Chunk, out: &mut Outbox) -> bool {
        todo!()
    }
    pub fn drained(&mut self, now: Instant, link: LinkId, bytes: u64, out: &mut Outbox) {
        todo!()
    }
    /// `sent` of Input::Wire.
    pub fn wire_sent(&mut self, now: Instant, total: u64) {
        todo!()
    }
    pub fn poll(&mut self, now: Instant, at: ChannelTime, out: &mut Outbox) {
        todo!()
    }
    pub fn wake_at(&self) -> Option<Instant> {
        todo!()
    }
    pub fn leave(&mut self, now: Instant, out: &mut Outbox) {
        todo!()
    }
    /// Who gets which stripe.
    pub fn children(&self) -> impl Iterator<Item = (PeerId, StripeId)> + '_ {
        core::iter::empty()
    }
    /// Distinct peers.
    pub fn child_count(&self) -> usize {
        todo!()
    }
    pub fn is_interior(&self, stripe: StripeId) -> bool {
        todo!()
    }
    pub fn budget_used(&self) -> Bitrate {
        todo!()
    }
    pub fn in_time(&self) -> bool {
        todo!()
    }
    pub fn store(&self) -> &Store {
        todo!()
    }
    pub fn check_invariants(&self) {
        todo!()
    }
}
