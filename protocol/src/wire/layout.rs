//! The layout: the signed list of tiers, stripes, rates, parity and codec set-up (`docs/protocol.md` §4).

use crate::id::{Context, PublicKey, Sign, Verify};
use crate::limits;
use crate::media::{StripeId, TierId, Track};
use crate::units::Bitrate;
use crate::wire::signed::{self, SignedError};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A tier of a layout: a whole programme, cut into equal stripes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Its number; 0 is the lowest quality.
    pub id: TierId,
    /// How many data stripes, 1 to [`limits::STRIPES_MAX`]. Stripe indices are `0..stripes`; the parity stripe, if
    /// there is one, has index `stripes`.
    pub stripes: u8,
    /// Whether a parity stripe is made.
    pub parity: bool,
    /// Mean payload rate of the whole tier; a tick carries at most 1.1 times as much.
    pub rate: Bitrate,
    /// What one stripe to one child costs of an uplink, in wire bits: a slot.
    pub slot: Bitrate,
    /// Its tracks with their codec set-up: at most one picture and one sound.
    pub tracks: Vec<Track>,
}

impl Tier {
    /// Its data stripes.
    pub fn stripe_ids(&self) -> impl Iterator<Item = StripeId> + use<> {
        let tier = self.id;
        (0..self.stripes).map(move |index| StripeId { tier, index })
    }

    /// The uplink that one whole copy costs: all its data stripes.
    pub fn copy(&self) -> Bitrate {
        self.slot * u64::from(self.stripes)
    }

    fn is_sound(&self) -> bool {
        (1..=limits::STRIPES_MAX).contains(&self.stripes)
            && self.slot > Bitrate::ZERO
            && self.tracks.len() <= limits::TRACKS_MAX
            && self
                .tracks
                .iter()
                .all(|track| track.setup.len() <= limits::CODEC_SETUP_MAX)
    }
}

/// What the channel carries from one block on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The run of the broadcaster.
    pub epoch: u64,
    /// Grows with each layout of an epoch, from 1.
    pub number: u32,
    /// The first block it holds for: a keyframe block of every tier.
    pub from_block: u64,
    /// The channel's title, for people.
    pub title: String,
    /// The tiers, lowest first; never none.
    pub tiers: Vec<Tier>,
}

impl Layout {
    /// Signs it: `body ‖ signature`.
    pub fn seal(&self, channel: &dyn Sign) -> Bytes {
        signed::seal(channel, Context::Layout, self)
    }

    /// The layout in `bytes`, if `channel` signed it and it is within the limits.
    pub fn open(bytes: &[u8], channel: &PublicKey, verify: &dyn Verify) -> Result<Self, LayoutError> {
        let layout: Self = signed::open(verify, channel, Context::Layout, bytes)?;
        if !layout.is_sound() {
            return Err(LayoutError::Unsound);
        }
        Ok(layout)
    }

    /// The tier of that number.
    pub fn tier(&self, id: TierId) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.id == id)
    }

    /// The full stream.
    ///
    /// # Panics
    /// If there is no tier: such a layout is never made and never opened.
    pub fn top(&self) -> &Tier {
        self.tiers.last().expect("a layout has at least one tier")
    }

    /// Tier 0, which costs least.
    ///
    /// # Panics
    /// If there is no tier: such a layout is never made and never opened.
    pub fn lowest(&self) -> &Tier {
        self.tiers.first().expect("a layout has at least one tier")
    }

    fn is_sound(&self) -> bool {
        let ascending = self.tiers.windows(2).all(|pair| pair[0].id < pair[1].id);
        let count = (1..=limits::TIERS_MAX).contains(&self.tiers.len());
        count && ascending && self.title.len() <= limits::TEXT_MAX && self.tiers.iter().all(Tier::is_sound)
    }
}

/// Why a layout was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Not signed by the channel, or not a layout.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// Signed, but beyond the limits.
    #[error("layout is beyond the limits")]
    Unsound,
}
