//! The stripes of all tiers in one row, so that a member's places are an array.

use crate::media::{StripeId, TierId};
use crate::units::Bitrate;
use crate::wire::layout::Layout;
use alloc::vec::Vec;
use core::ops::Range;

/// A stripe's place in the row of all tiers' stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StripeIndex(pub u8);

impl StripeIndex {
    pub(crate) const fn get(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug)]
struct Tier {
    id: TierId,
    range: Range<u8>,
    slot: Bitrate,
}

/// The tiers, lowest first, with the range of their stripes.
#[derive(Clone, Debug, Default)]
pub struct Stripes {
    tiers: Vec<Tier>,
    ids: Vec<StripeId>,
    slots: Vec<Bitrate>,
}

impl Stripes {
    /// The data stripes of a layout's tiers.
    pub fn of(layout: &Layout) -> Self {
        let mut stripes = Self::default();
        for tier in &layout.tiers {
            let start = stripes.ids.len() as u8;
            stripes.ids.extend(tier.stripe_ids());
            stripes.slots.resize(stripes.ids.len(), tier.slot);
            let range = start..stripes.ids.len() as u8;
            stripes.tiers.push(Tier {
                id: tier.id,
                range,
                slot: tier.slot,
            });
        }
        stripes
    }

    /// Whether the other row has the same stripes, whatever they cost.
    pub fn same_shape(&self, other: &Self) -> bool {
        self.ids == other.ids
    }

    /// How many stripes all tiers have together.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no tier yet.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// All stripes.
    pub fn all(&self) -> impl Iterator<Item = StripeIndex> + use<> {
        (0..self.ids.len() as u8).map(StripeIndex)
    }

    /// The stripes of one tier; none if there is no such tier.
    pub fn of_tier(&self, tier: TierId) -> impl Iterator<Item = StripeIndex> + use<> {
        let found = self.tiers.iter().find(|known| known.id == tier);
        found.map_or(0..0, |tier| tier.range.clone()).map(StripeIndex)
    }

    /// What one child costs on that stripe.
    pub fn slot(&self, stripe: StripeIndex) -> Bitrate {
        self.slots[stripe.get()]
    }

    /// The stripe's name on the wire.
    pub fn id(&self, stripe: StripeIndex) -> StripeId {
        self.ids[stripe.get()]
    }

    /// The stripe of that name.
    pub fn find(&self, id: StripeId) -> Option<StripeIndex> {
        self.ids
            .iter()
            .position(|known| *known == id)
            .map(|index| StripeIndex(index as u8))
    }

    /// The tiers, lowest first.
    pub fn tiers(&self) -> impl DoubleEndedIterator<Item = TierId> + '_ {
        self.tiers.iter().map(|tier| tier.id)
    }

    /// The full stream.
    pub fn top(&self) -> Option<TierId> {
        self.tiers.last().map(|tier| tier.id)
    }

    /// What a slot of the full stream costs; zero if there is no tier yet.
    pub fn top_slot(&self) -> Bitrate {
        self.tiers.last().map_or(Bitrate::ZERO, |tier| tier.slot)
    }

    /// What a copy of the full stream costs; zero if there is no tier yet.
    pub fn top_copy(&self) -> Bitrate {
        self.tiers
            .last()
            .map_or(Bitrate::ZERO, |tier| tier.slot * tier.range.len() as u64)
    }

    /// How many stripes the full stream has.
    pub fn top_len(&self) -> usize {
        self.tiers.last().map_or(0, |tier| tier.range.len())
    }
}
