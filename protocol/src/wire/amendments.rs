//! Amendments: other spares than a ticket grants, and parents that a viewer has taken by itself, without a new ticket
//! (`docs/protocol.md` §7).

use crate::id::PeerTag;
use crate::limits::{STRIPES_MAX, TIERS_MAX};
use crate::media::StripeId;
use crate::wire::bounded;
use crate::wire::ticket::Grant;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// As many stripes as there can be.
const STRIPES: usize = STRIPES_MAX as usize * TIERS_MAX;

/// What has changed of what a viewer's newest ticket grants. It names peers only that the ticket names for some stripe, and who may
/// therefore be asked by whoever shows it. So nothing in here is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendments {
    /// Each stripe once, as many as there can be at most.
    #[serde(deserialize_with = "bounded::list::<_, _, STRIPES>")]
    pub list: Vec<Amendment>,
}

impl Amendments {
    /// Changes the grants of a ticket; what it does not grant stays so.
    pub fn apply(&self, grants: &mut [Grant]) {
        for amendment in &self.list {
            let grant = grants.iter_mut().find(|grant| grant.stripe == amendment.stripe);
            if let Some(grant) = grant {
                amendment.apply(grant);
            }
        }
    }
}

/// What has changed of one stripe's grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The stripe.
    pub stripe: StripeId,
    /// Who sends it by now, if somebody else than the viewer was told last: whom it has taken by itself. If it has left that one again
    /// meanwhile, it asks it once more.
    pub parent: Option<PeerTag>,
    /// Who is to be asked when the parent fails; `None`: nobody.
    pub spare: Option<PeerTag>,
}

impl Amendment {
    /// What makes `new` of `old`, if that can be amended: the rank stays.
    pub fn between(old: &Grant, new: &Grant) -> Option<Self> {
        let amendment = Self {
            stripe: new.stripe,
            parent: (old.parent != new.parent).then_some(new.parent),
            spare: new.spare,
        };
        let same = (old.stripe, old.rank) == (new.stripe, new.rank);
        let sits = amendment.parent.is_some() || old.replaces == new.replaces;
        (same && sits).then_some(amendment)
    }

    /// Changes a grant.
    pub const fn apply(&self, grant: &mut Grant) {
        grant.spare = self.spare;
        if let Some(parent) = self.parent {
            grant.parent = parent;
            // It sits there already.
            grant.replaces = None;
        }
    }
}
