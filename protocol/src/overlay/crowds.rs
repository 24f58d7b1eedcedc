//! Many members of one network: a household, or one person with many keys, who is not to live on what somebody else pays for.

use crate::overlay::Overlay;
use crate::overlay::member::MemberIndex;
use crate::overlay::orphans::Orphan;
use crate::overlay::reach::Prefix;
use crate::overlay::stripes::StripeIndex;
use crate::time::Instant;
use alloc::vec::Vec;

/// So many members of a channel may be a household, a shared flat, or neighbours behind one address; more of one network may be one person
/// with many keys.
const NETWORK_MEMBERS: u32 = 8;

/// A relay gives so many times as much as a network with many members gets of it: so that is less than a tenth, also with what the first of them got,
/// and while others come and go.
const CROWD_SHARE: u64 = 30;

/// The members of one network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Network {
    members: u32,
    /// Whether there have been too many of them. That stays so until all have gone: who was turned away makes room for the next.
    crowded: bool,
}

impl Network {
    fn joins(&mut self) {
        self.members += 1;
        self.crowded |= self.members > NETWORK_MEMBERS;
    }
}

impl Overlay {
    pub(super) fn join_network(&mut self, prefix: Prefix) {
        self.networks.entry(prefix).or_default().joins();
    }

    pub(super) fn leave_network(&mut self, prefix: Prefix) {
        let network = self.networks.get_mut(&prefix).expect("its members are counted");
        network.members -= 1;
        if network.members == 0 {
            self.networks.remove(&prefix);
        }
    }

    /// Whether so many members are, or were at once, of one network that they may be one person's keys.
    pub fn is_crowded(&self, prefix: &Prefix) -> bool {
        self.networks.get(prefix).is_some_and(|network| network.crowded)
    }

    /// Whether a relay may take a child, so that many keys of one network do not live on what somebody else pays for: together they get
    /// less than a tenth of what it gives.
    pub(super) fn relay_admits(&self, relay: MemberIndex, child: MemberIndex, stripe: StripeIndex) -> bool {
        let prefix = self.member(child).prefix;
        if !self.is_relay(relay) || !self.is_crowded(&prefix) || self.is_relay(child) {
            return true;
        }
        let mut theirs = self.stripes.slot(stripe);
        for (stripe, place) in self.member(relay).places_with_index() {
            let of_them = |other: &&MemberIndex| self.member(**other).prefix == prefix;
            theirs += self.stripes.slot(stripe) * place.children.iter().filter(of_them).count() as u64;
        }
        theirs * CROWD_SHARE <= self.member(relay).used
    }

    /// Takes children of a network with many members from a relay until it has little for them again. Returns those who lost a parent.
    pub fn keep_crowds_off(&mut self, now: Instant, relay: MemberIndex) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        for (stripe, place) in self.member(relay).places_with_index() {
            orphans.extend(place.children.iter().map(|child| (*child, stripe)));
        }
        orphans.retain(|(child, stripe)| {
            let excess = !self.relay_admits(relay, *child, *stripe) && !self.is_promised(*child, relay);
            if excess {
                self.detach(*child, *stripe, Some(now));
            }
            excess
        });
        orphans
    }
}
