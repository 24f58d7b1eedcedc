//! Who has been told of whom: an introduction costs the source bytes, and who dials a new address may dial few of them.

use crate::limits::NEW_ADDRESSES_A_MINUTE;
use crate::overlay::Overlay;
use crate::overlay::forest::Place;
use crate::overlay::member::MemberIndex;
use crate::overlay::reach::Dials;
use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

const MINUTE: Duration = Duration::from_secs(60);

/// So many of a minute's dials are planned; the others are for addresses that answer late, and for what goes wrong.
const PLANNED: u32 = NEW_ADDRESSES_A_MINUTE as u32 * 4 / 5;

/// The peers that members have been introduced to.
#[derive(Debug, Default)]
pub(super) struct Acquaintances {
    /// When a member was told of a peer, and who was to dial.
    met: BTreeMap<(MemberIndex, MemberIndex), (Instant, MemberIndex)>,
    /// How many new addresses a member was given to dial within the last minute.
    dials: BTreeMap<MemberIndex, u32>,
    /// Whom a member's newest ticket names, each once.
    named: BTreeMap<MemberIndex, Vec<MemberIndex>>,
}

impl Acquaintances {
    /// Forgets a member that went.
    pub(super) fn forget(&mut self, member: MemberIndex) {
        self.met.retain(|(of, peer), _| *of != member && *peer != member);
        self.dials.remove(&member);
        self.named.remove(&member);
        for named in self.named.values_mut() {
            named.retain(|peer| *peer != member);
        }
    }

    /// Counts anew what was dialled within the last minute.
    pub(super) fn expire(&mut self, now: Instant) {
        self.dials.clear();
        for (at, dialler) in self.met.values() {
            if now.since(*at) < MINUTE {
                *self.dials.entry(*dialler).or_default() += 1;
            }
        }
    }
}

impl Overlay {
    /// Notes that `member` is told of `peer` now. Whether it had not been.
    pub fn introduce(&mut self, now: Instant, member: MemberIndex, peer: MemberIndex) -> bool {
        let dialler = self.dialler(member, peer);
        let new = !self.has_met(member, peer);
        if new {
            self.acquaintances.met.insert((member, peer), (now, dialler));
            *self.acquaintances.dials.entry(dialler).or_default() += 1;
        }
        new
    }

    /// Notes that `member` is given a ticket for its places as they are.
    pub fn note_ticket(&mut self, member: MemberIndex) {
        let places = self.member(member).places.iter().flatten();
        let named = places.flat_map(|place| [place.parent, place.spare]).flatten();
        let mut named: Vec<_> = named.collect();
        named.sort_unstable();
        named.dedup();
        self.acquaintances.named.insert(member, named);
        let places = self.member_mut(member).places.iter_mut();
        places.flatten().for_each(Place::note_told);
    }

    /// Whom the newest ticket of `member` names, each once, but for those about whom something was wrong since.
    pub(super) fn named(&self, member: MemberIndex) -> &[MemberIndex] {
        let named = self.acquaintances.named.get(&member);
        named.map_or(&[][..], Vec::as_slice)
    }

    /// Whether the newest ticket of `member` names `peer`, about whom nothing was wrong since.
    pub(crate) fn is_named(&self, member: MemberIndex, peer: MemberIndex) -> bool {
        self.named(member).contains(&peer)
    }

    /// `member` is to be told of `peer` once more: something about it was wrong.
    pub fn estrange(&mut self, member: MemberIndex, peer: MemberIndex) {
        self.acquaintances.met.remove(&(member, peer));
        if let Some(named) = self.acquaintances.named.get_mut(&member) {
            named.retain(|other| *other != peer);
        }
    }

    /// `member` knows nobody any more: it has a new link, or is another run of the program.
    pub fn estrange_all(&mut self, member: MemberIndex) {
        self.acquaintances.met.retain(|(of, _), _| *of != member);
        self.acquaintances.named.remove(&member);
    }

    /// Whether `member` has been told of `peer`; everybody knows the source.
    pub(crate) fn has_met(&self, member: MemberIndex, peer: MemberIndex) -> bool {
        peer == MemberIndex::SOURCE || self.acquaintances.met.contains_key(&(member, peer))
    }

    /// Whether `child` and `parent` know each other, or whoever dials may still dial a new address: else the plan could not be
    /// followed.
    pub(crate) fn may_meet(&self, child: MemberIndex, parent: MemberIndex) -> bool {
        self.has_met(child, parent) || self.dials_of(child, parent) < PLANNED
    }

    /// Likewise where all of a minute's dials may be planned.
    pub(crate) fn may_yet_meet(&self, child: MemberIndex, parent: MemberIndex) -> bool {
        self.has_met(child, parent) || self.dials_of(child, parent) < NEW_ADDRESSES_A_MINUTE as u32
    }

    /// How many new addresses a member may still be given to dial within this minute.
    #[cfg(test)]
    pub(super) fn dials_left(&self, member: MemberIndex) -> u32 {
        let dials = self.acquaintances.dials.get(&member).copied().unwrap_or(0);
        (NEW_ADDRESSES_A_MINUTE as u32).saturating_sub(dials)
    }

    /// How many new addresses whoever dials of the two was given within the last minute.
    fn dials_of(&self, child: MemberIndex, parent: MemberIndex) -> u32 {
        let dialler = self.dialler(child, parent);
        self.acquaintances.dials.get(&dialler).copied().unwrap_or(0)
    }

    fn dialler(&self, child: MemberIndex, parent: MemberIndex) -> MemberIndex {
        match self.link_between(child, parent) {
            Some(Dials::Parent) => parent,
            _ => child,
        }
    }
}
