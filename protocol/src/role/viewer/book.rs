//! Peers that the coordinator introduced, and the tags by which tickets name them.

use crate::id::{PeerId, PeerTag};
use crate::wire::control::Introduction;
use alloc::collections::VecDeque;
use core::net::SocketAddr;

/// How many introductions are kept: each is made once, so that those which a ticket may name must not be lost. The oldest
/// goes first.
const KEPT_MAX: usize = 1024;

/// The address book.
#[derive(Debug)]
pub(super) struct Book {
    channel: PeerId,
    known: VecDeque<Introduction>,
}

impl Book {
    /// One that knows the channel itself only, whose address is the session's concern.
    pub(super) fn new(channel: PeerId) -> Self {
        Self {
            channel,
            known: VecDeque::new(),
        }
    }

    /// Learns where a peer is; replaces what was known of it.
    pub(super) fn learn(&mut self, introduction: Introduction) {
        self.known.retain(|known| known.peer != introduction.peer);
        if self.known.len() == KEPT_MAX {
            self.known.pop_front();
        }
        self.known.push_back(introduction);
    }

    /// Who is behind a tag.
    pub(super) fn peer(&self, tag: &PeerTag) -> Option<PeerId> {
        if self.channel.tag() == *tag {
            return Some(self.channel);
        }
        let mut known = self.known.iter().map(|known| known.peer);
        known.find(|peer| peer.tag() == *tag)
    }

    /// Where to dial a peer; nowhere if it dials itself.
    pub(super) fn addresses(&self, peer: &PeerId) -> &[SocketAddr] {
        let known = self.known.iter().find(|known| known.peer == *peer);
        known.map_or(&[], |known| &known.addresses)
    }

    /// Whether the coordinator introduced this peer.
    pub(super) fn knows(&self, peer: &PeerId) -> bool {
        self.known.iter().any(|known| known.peer == *peer)
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.known.len() <= KEPT_MAX);
    }
}
