//! What the stream costs of an uplink.

use banyan_protocol::media::TierId;
use banyan_protocol::media::schedule::wire::slot;
use banyan_protocol::role::broadcaster::stripes_for;
use banyan_protocol::units::Bitrate;

/// Slots and stripes of each tier, as the broadcaster reckons them.
#[derive(Clone, Debug)]
pub struct Prices {
    slots: Vec<Bitrate>,
    stripes: Vec<u8>,
}

impl Prices {
    /// Of tiers with these payload rates, lowest first.
    pub fn new(tiers_kbps: &[u64]) -> Self {
        let rates = || tiers_kbps.iter().map(|kbps| Bitrate::from_kbps(*kbps));
        let stripes: Vec<u8> = rates().map(stripes_for).collect();
        let slots = rates().zip(&stripes).map(|(rate, stripes)| slot(rate, *stripes));
        Self {
            slots: slots.collect(),
            stripes,
        }
    }

    /// The top tier.
    pub fn top(&self) -> TierId {
        TierId(self.slots.len() as u8 - 1)
    }

    /// A slot of a tier.
    pub fn slot(&self, tier: TierId) -> Bitrate {
        self.slots[usize::from(tier.0)]
    }

    /// Stripes of a tier.
    pub fn stripes(&self, tier: TierId) -> u8 {
        self.stripes[usize::from(tier.0)]
    }

    /// A copy of the full stream.
    pub fn copy(&self) -> Bitrate {
        self.slot(self.top()) * u64::from(self.stripes(self.top()))
    }

    /// All stripes of `tier`, in slots of the full stream.
    pub fn weight(&self, tier: TierId) -> f64 {
        let copy = self.slot(tier) * u64::from(self.stripes(tier));
        copy.as_bps() as f64 / self.slot(self.top()).as_bps() as f64
    }
}
