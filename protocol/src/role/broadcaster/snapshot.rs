//! What a person may see of a broadcaster.

use super::Broadcaster;
use crate::event::Capacity;
use crate::id::PeerId;
use crate::media::{StripeId, TierId};
use crate::units::Bitrate;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// The channel as its broadcaster sees it; built when asked, a few times a second.
#[derive(Clone, Debug, Serialize)]
pub struct BroadcasterSnapshot {
    /// The channel.
    pub channel: PeerId,
    /// Its title.
    pub title: String,
    /// Whether the input has begun.
    pub on_air: bool,
    /// How much room there is.
    pub capacity: Capacity,
    /// What the broadcaster's own children cost of its uplink.
    pub uplink_used: Bitrate,
    /// Its proven uplink.
    pub uplink: Bitrate,
    /// Tiers with their stripes and rates, lowest first.
    pub tiers: Vec<TierSnapshot>,
    /// The viewers.
    pub viewers: Vec<MemberSnapshot>,
    /// All relays.
    pub relays: Vec<MemberSnapshot>,
}

/// A tier.
#[derive(Clone, Debug, Serialize)]
pub struct TierSnapshot {
    /// Its number.
    pub tier: TierId,
    /// How many stripes it has.
    pub stripes: u8,
    /// Its mean rate.
    pub rate: Bitrate,
}

/// A viewer or a relay.
#[derive(Clone, Debug, Serialize)]
pub struct MemberSnapshot {
    /// Who.
    pub peer: PeerId,
    /// Of a relay: who pays for it.
    pub sponsor: Option<PeerId>,
    /// The tier it has; `None` while it waits.
    pub tier: Option<TierId>,
    /// Its proven uplink.
    pub uplink: Bitrate,
    /// What its children cost of it.
    pub uplink_used: Bitrate,
    /// Its place in each stripe's tree.
    pub places: Vec<PlaceSnapshot>,
}

/// A place in a tree.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceSnapshot {
    /// The stripe.
    pub stripe: StripeId,
    /// Who sends it.
    pub parent: Option<PeerId>,
    /// Who would, if the parent failed.
    pub spare: Option<PeerId>,
    /// Edges from the source; `None` for an orphan and what hangs below it.
    pub depth: Option<u16>,
    /// How many it sends it to.
    pub children: usize,
}

impl Broadcaster {
    /// All that a person may see.
    pub fn snapshot(&self) -> BroadcasterSnapshot {
        let me = self.overlay.member(crate::overlay::member::MemberIndex::SOURCE);
        let tiers = self.source.layout().map_or(Vec::new(), |(_, layout)| {
            let tier = |tier: &crate::wire::layout::Tier| TierSnapshot {
                tier: tier.id,
                stripes: tier.stripes,
                rate: tier.rate,
            };
            layout.tiers.iter().map(tier).collect()
        });
        BroadcasterSnapshot {
            channel: me.id,
            title: self.config.title.clone(),
            on_air: self.source.layout().is_some(),
            capacity: self.capacity(),
            uplink_used: me.used,
            uplink: me.granted,
            tiers,
            viewers: self
                .overlay
                .viewers()
                .map(|member| self.member_snapshot(member))
                .collect(),
            relays: self
                .overlay
                .relays()
                .map(|relay| self.member_snapshot(relay))
                .collect(),
        }
    }

    fn member_snapshot(&self, index: crate::overlay::member::MemberIndex) -> MemberSnapshot {
        let member = self.overlay.member(index);
        let id = |index: crate::overlay::member::MemberIndex| self.overlay.member(index).id;
        let places = member.places_with_index().map(|(stripe, place)| PlaceSnapshot {
            stripe: self.overlay.stripes().id(stripe),
            parent: place.parent.map(id),
            spare: place.spare.map(id),
            depth: place.is_rooted().then_some(place.depth),
            children: place.children.len(),
        });
        MemberSnapshot {
            peer: member.id,
            sponsor: member.sponsor(),
            tier: member.tier,
            uplink: member.granted,
            uplink_used: member.used,
            places: places.collect(),
        }
    }
}
