//! The layouts that stored chunks were made by.

use crate::media::StripeId;
use crate::units::Bitrate;
use crate::wire::chunk;
use crate::wire::layout::Layout;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use bytes::Bytes;

/// How many are kept: a layout changes at keyframes only, and chunks are kept for ten seconds.
const KEPT: usize = 8;

/// The newest layouts of the epoch, as frames for data lanes.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    kept: VecDeque<(Arc<Layout>, Bytes)>,
}

impl Layouts {
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    /// Takes in a verified layout; one that is known already changes nothing.
    pub(super) fn insert(&mut self, sealed: &[u8], layout: Arc<Layout>) {
        if self.frame(layout.number).is_some() {
            return;
        }
        let at = self
            .kept
            .partition_point(|(other, _)| other.number < layout.number);
        self.kept.insert(at, (layout, chunk::layout_frame(sealed)));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// The newest.
    pub(super) fn newest(&self) -> Option<&Layout> {
        self.kept.back().map(|(layout, _)| &**layout)
    }

    /// The frame of the layout of that number.
    pub(super) fn frame(&self, number: u32) -> Option<&Bytes> {
        let of_number = |kept: &&(Arc<Layout>, Bytes)| kept.0.number == number;
        self.kept.iter().rev().find(of_number).map(|(_, frame)| frame)
    }

    /// What a stripe costs a child, if there is such a stripe.
    pub(super) fn slot(&self, stripe: StripeId) -> Option<Bitrate> {
        let tier = self.newest()?.tier(stripe.tier)?;
        let stripes = tier.stripes + u8::from(tier.parity);
        (stripe.index < stripes).then_some(tier.slot)
    }

    /// Whether it is a parity stripe.
    pub(super) fn is_parity(&self, stripe: StripeId) -> bool {
        let tier = self.newest().and_then(|layout| layout.tier(stripe.tier));
        tier.is_some_and(|tier| stripe.index == tier.stripes)
    }
}
