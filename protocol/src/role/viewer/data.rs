//! Data lanes: chunks, late marks and layouts from parents. Nothing unverified gets past here.

use super::Viewer;
use super::feed::STARVED_BLOCKS;
use super::links::Asked;
use crate::event::Event;
use crate::id::PeerId;
use crate::io::{LinkId, Outbox};
use crate::limits;
use crate::media::StripeId;
use crate::media::store::BLOCKS_KEPT;
use crate::time::{Instant, TICK};
use crate::wire::chunk::{Chunk, Data, Header};
use crate::wire::close::CloseCode;
use crate::wire::control::Accusation;
use crate::wire::layout::{Layout, LayoutError};
use crate::wire::signed::SignedError;
use alloc::string::ToString;
use alloc::sync::Arc;
use bytes::Bytes;

impl Viewer {
    pub(super) fn on_data(
        &mut self,
        now: Instant,
        (link, asked): (LinkId, Asked),
        frame: Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        if asked.is_nothing() {
            return Err(CloseCode::Unexpected);
        }
        match Data::parse(frame).map_err(|_| CloseCode::Malformed)? {
            Data::Chunk(chunk) if !asked.covers(chunk.header.stripe) => Err(CloseCode::Unexpected),
            Data::Chunk(chunk) => self.on_chunk(now, link, &chunk, out),
            Data::Late { stripe, .. } => {
                self.on_mark(now, link, stripe, out);
                Ok(())
            }
            Data::Layout(sealed) => self.adopt_layout(now, sealed, out),
        }
        .inspect_err(|code| self.blame_for(*code, link, out))
    }

    fn on_chunk(
        &mut self,
        now: Instant,
        link: LinkId,
        chunk: &Chunk,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let header = &chunk.header;
        if !self.is_of_use(now, header) {
            return Ok(());
        }
        let is_new = match self.forwarder.store().get(header.stripe, header.block) {
            Some(known) if known.is_same(chunk) => false,
            _ if chunk.is_signed_by(&self.config.channel, &*self.config.verify) => true,
            _ => return Err(CloseCode::Forged),
        };
        if is_new {
            self.keep(now, chunk);
        }
        if let Some(at) = self.feeds.find(header.stripe) {
            self.on_flow(now, at, link, header.block, out);
        }
        self.pulls.arrived(now, link, header.stripe, header.block);
        Ok(())
    }

    /// Whether a chunk is of the present run and a known layout, and neither too old nor too far ahead.
    fn is_of_use(&self, now: Instant, header: &Header) -> bool {
        let Some((_, layout)) = &self.layout else {
            return false;
        };
        let (block, since) = self.edge;
        let ticks = (now.since(since).as_micros() / TICK.as_micros()) as u64;
        let newest = self.forwarder.store().newest(header.stripe).unwrap_or_default();
        header.epoch == self.epoch
            && header.layout <= layout.number
            && header.block <= block.saturating_add(ticks + limits::BLOCKS_AHEAD_MAX)
            && header.block.saturating_add(BLOCKS_KEPT) > newest
    }

    /// A verified chunk that is new: passed on, and played.
    fn keep(&mut self, now: Instant, chunk: &Chunk) {
        if chunk.header.block > self.edge.0 {
            self.edge = (chunk.header.block, now);
        }
        self.forwarder.chunk(now, chunk);
        let at = self.at(now);
        self.screen.insert(at, chunk);
    }

    fn on_mark(&mut self, now: Instant, link: LinkId, stripe: StripeId, out: &mut Outbox) {
        let Some(at) = self.feeds.find(stripe) else { return };
        let edge = self.edge.0;
        let feed = self.feeds.flowing(at);
        if let Some(next) = feed.next.as_mut().filter(|next| next.link == Some(link)) {
            // It is there, and has nothing either; that is no use for long where others go on.
            if edge <= next.from + 2 * STARVED_BLOCKS {
                next.since = now;
            }
        }
        if feed.main.as_ref().is_some_and(|main| main.link == Some(link)) {
            feed.watch.mark(now);
            self.on_nothing(now, at, out);
        }
    }

    /// Takes in a sealed layout, and with it the epoch it is of. One of an older epoch is passed over.
    pub(super) fn adopt_layout(
        &mut self,
        now: Instant,
        sealed: Bytes,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        if self.layout.as_ref().is_some_and(|(known, _)| *known == sealed) {
            return Ok(());
        }
        self.calm.end();
        let layout = Layout::open(&sealed, &self.config.channel, &*self.config.verify).map_err(code_of)?;
        if layout.epoch < self.epoch {
            return Ok(());
        }
        if layout.epoch > self.epoch {
            self.adopt_epoch(now, &layout);
        }
        let layout = Arc::new(layout);
        self.forwarder.layout(sealed.clone(), layout.clone());
        self.screen.layout(layout.clone());
        // An older one of the same epoch is needed for the chunks of a backlog only.
        let newest = self.layout.as_ref().map(|(_, known)| (known.epoch, known.number));
        if newest < Some((layout.epoch, layout.number)) {
            self.layout = Some((sealed, layout));
            self.drop_unknown(out);
        }
        Ok(())
    }

    /// The broadcaster runs anew: blocks are numbered anew, and all else stays as it is.
    fn adopt_epoch(&mut self, now: Instant, layout: &Layout) {
        self.epoch = layout.epoch;
        self.edge = (layout.from_block, now);
        self.forwarder.epoch(now, layout.epoch);
        self.pulls.clear();
        for feed in self.feeds.iter_mut() {
            feed.restart(layout.from_block, now);
        }
    }

    /// Stripes that the layout does not have any more.
    fn drop_unknown(&mut self, out: &mut Outbox) {
        let mut at = 0;
        while at < self.feeds.len() {
            if self.is_in_layout(self.feeds[at].stripe) {
                at += 1;
            } else {
                self.drop_feed(at, out);
            }
        }
    }

    /// Remembers what a link is closed for, where it says something about the peer.
    fn blame_for(&mut self, code: CloseCode, link: LinkId, out: &mut Outbox) {
        let Some(peer) = self.links.get(link).map(|link| link.peer) else {
            return;
        };
        if code == CloseCode::Forged {
            self.reports.bad_chunks += 1;
            self.reports.accuse(peer, Accusation::Forged);
        }
        self.blame(peer, code, out);
    }

    fn blame(&self, peer: PeerId, code: CloseCode, out: &mut Outbox) {
        out.event(Event::PeerBlamed {
            peer,
            what: code.to_string(),
            by: self.config.id.to_string(),
        });
    }
}

fn code_of(error: LayoutError) -> CloseCode {
    match error {
        LayoutError::Signed(SignedError::Forged | SignedError::Short) => CloseCode::Forged,
        _ => CloseCode::Malformed,
    }
}
