//! Who hangs where: members, trees, capacity, placement, admission and standing. The coordinator's part, and pure data:
//! nothing in here sends a message or knows a link.
//!
//! [`Overlay`] holds the members and their places in the trees. Its operations are split by concern: [`forest`] changes
//! single edges, [`placement`] chooses seats and spares, [`plan`] turns what happened (a join, a leave, a failure) into
//! edges, [`orphans`] finds new parents, [`capacity`] grants uplink as it is proven, [`admission`] runs the rounds of questions when it runs
//! out, [`standing`] weighs what members hold against each other, [`ration`] says who has the full stream then, [`exchange`] makes the most of full uplinks, [`relays`] places what sponsors lend, [`crowds`]
//! keeps many keys of one network from living on it, and [`nearness`] says where that is near to those whom it is for.

pub mod acquaintances;
pub mod admission;
pub mod capacity;
mod crowds;
mod displaced;
mod enlist;
pub mod exchange;
pub mod forest;
pub mod improve;
pub mod member;
pub mod nearness;
pub mod orphans;
pub mod placement;
pub mod plan;
pub mod ration;
pub mod reach;
pub mod recover;
mod relayout;
pub mod relays;
mod spares;
pub mod standing;
pub mod stripes;
mod takeover;

use crate::id::{PeerId, PeerTag};
use crate::overlay::acquaintances::Acquaintances;
use crate::overlay::member::{Member, MemberIndex};
use crate::overlay::reach::{BadPairs, Prefix};
use crate::overlay::standing::Standing;
use crate::overlay::stripes::{StripeIndex, Stripes};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The coordinator's picture of the channel: who is a member, and who hangs where in each stripe's tree.
#[derive(Debug)]
pub struct Overlay {
    stripes: Stripes,
    members: Vec<Member>,
    free_indices: Vec<MemberIndex>,
    by_id: BTreeMap<PeerId, MemberIndex>,
    bad_pairs: BadPairs,
    acquaintances: Acquaintances,
    standing: Standing,
    /// How many members there are of each network.
    networks: BTreeMap<Prefix, crowds::Network>,
    /// How many children of `parent` count on `spare`: a spare's reserve serves one failure at a time.
    spare_load: BTreeMap<(MemberIndex, MemberIndex), u32>,
    /// Members of whom children say that they have failed.
    suspects: BTreeSet<MemberIndex>,
    /// Members that are relays.
    relays: BTreeSet<MemberIndex>,
    /// Places that want a spare and may find one now.
    spareless: BTreeSet<(MemberIndex, StripeIndex)>,
    /// Members whose places changed since they were last told.
    changed: BTreeSet<MemberIndex>,
    /// Members for whom only a spare or the class is another one: that can wait for other news.
    changed_a_little: BTreeSet<MemberIndex>,
    /// Who lost its seat since the last newcomer began to take its own.
    displaced: Vec<displaced::Displaced>,
}

impl Overlay {
    /// An overlay of the source alone; its stripes come with [`set_stripes`](Self::set_stripes).
    pub fn new(source: Member) -> Self {
        let by_id = [(source.id, MemberIndex::SOURCE)].into();
        Self {
            stripes: Stripes::default(),
            members: alloc::vec![source],
            free_indices: Vec::new(),
            by_id,
            bad_pairs: BadPairs::default(),
            acquaintances: Acquaintances::default(),
            standing: Standing::default(),
            networks: BTreeMap::new(),
            spare_load: BTreeMap::new(),
            suspects: BTreeSet::new(),
            relays: BTreeSet::new(),
            spareless: BTreeSet::new(),
            changed: BTreeSet::new(),
            changed_a_little: BTreeSet::new(),
            displaced: Vec::new(),
        }
    }

    /// The member at `index`.
    ///
    /// # Panics
    /// If there was never one.
    pub fn member(&self, index: MemberIndex) -> &Member {
        &self.members[index.get()]
    }

    pub(crate) fn member_mut(&mut self, index: MemberIndex) -> &mut Member {
        &mut self.members[index.get()]
    }

    /// Where the member of that key is, if there is one.
    pub fn find(&self, id: &PeerId) -> Option<MemberIndex> {
        self.by_id.get(id).copied()
    }

    /// Whether another member's tag is this key's.
    pub fn is_tag_taken(&self, id: &PeerId) -> bool {
        let mut first = PeerId([0; PeerId::LEN]);
        first.0[..PeerTag::LEN].copy_from_slice(&id.tag().0);
        let after = self.by_id.range(first..).map(|(other, _)| other);
        let mut namesakes = after.take_while(|other| other.tag() == id.tag());
        namesakes.any(|other| other != id)
    }

    /// The stripes of all tiers.
    pub fn stripes(&self) -> &Stripes {
        &self.stripes
    }

    /// All who are here: the source first, then the others.
    pub fn present(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        let indices = (0..self.members.len()).map(|index| MemberIndex(index as u32));
        indices.filter(|index| self.member(*index).is_present())
    }

    /// All who are here but the source.
    pub fn others(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        self.present().skip(1)
    }

    /// How many are here but the source.
    pub fn other_count(&self) -> usize {
        self.by_id.len() - 1
    }

    /// The viewers who are here.
    pub fn viewers(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        self.others().filter(|index| self.member(*index).is_viewer())
    }

    /// How many viewers are here.
    pub fn viewer_count(&self) -> usize {
        self.viewers().count()
    }

    /// The members whose places changed since the last call, in order.
    pub fn take_changed(&mut self) -> BTreeSet<MemberIndex> {
        self.displaced.clear();
        self.changed_a_little
            .retain(|member| !self.changed.contains(member));
        core::mem::take(&mut self.changed)
    }

    /// The members of whom only what can wait has changed, in order.
    pub fn changed_a_little(&self) -> Vec<MemberIndex> {
        self.changed_a_little.difference(&self.changed).copied().collect()
    }

    /// A member has been told of what could have waited.
    pub fn forget_change(&mut self, member: MemberIndex) {
        self.changed_a_little.remove(&member);
    }

    /// What could wait has waited long enough: the next call of [`take_changed`](Self::take_changed) has it.
    pub fn change_all(&mut self) {
        self.changed.append(&mut self.changed_a_little);
    }

    pub(crate) fn touch(&mut self, index: MemberIndex) {
        if index != MemberIndex::SOURCE {
            self.changed.insert(index);
        }
    }

    pub(crate) fn touch_lightly(&mut self, index: MemberIndex) {
        if index != MemberIndex::SOURCE {
            self.changed_a_little.insert(index);
        }
    }

    /// Adds a member without a place.
    pub(crate) fn insert(&mut self, mut member: Member) -> MemberIndex {
        member.places.resize_with(self.stripes.len(), || None);
        let (id, is_relay) = (member.id, member.sponsor().is_some());
        self.join_network(member.prefix);
        let index = match self.free_indices.pop() {
            Some(index) => {
                self.members[index.get()] = member;
                index
            }
            None => {
                self.members.push(member);
                MemberIndex(self.members.len() as u32 - 1)
            }
        };
        let former = self.by_id.insert(id, index);
        assert!(former.is_none(), "a key is a member once");
        if is_relay {
            self.relays.insert(index);
        }
        index
    }

    /// Takes a member out that has neither places nor children any more.
    pub(crate) fn remove(&mut self, index: MemberIndex) {
        let member = self.member_mut(index);
        debug_assert!(
            member.places.iter().all(Option::is_none),
            "places are given up before"
        );
        member.state = member::State::Gone;
        let (id, prefix) = (member.id, member.prefix);
        self.leave_network(prefix);
        self.by_id.remove(&id);
        self.standing.forget(index);
        self.bad_pairs.forget(index);
        self.acquaintances.forget(index);
        self.suspects.remove(&index);
        self.relays.remove(&index);
        self.changed.remove(&index);
        self.changed_a_little.remove(&index);
        self.free_indices.push(index);
    }

    /// What is held against members.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(crate) fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    /// Panics if the trees contradict themselves.
    pub fn check_invariants(&self) {
        for index in self.present() {
            self.check_member(index);
        }
    }

    fn check_member(&self, index: MemberIndex) {
        let member = self.member(index);
        let mut used = crate::units::Bitrate::ZERO;
        for (stripe, place) in member.places_with_index() {
            used += self.stripes.slot(stripe) * place.children.len() as u64;
            for child in &place.children {
                let below = self.member(*child).place(stripe).expect("a child has a place");
                assert_eq!(below.parent, Some(index), "parent and child agree");
                assert!(below.rank > place.rank, "ranks grow away from the source");
            }
            if let Some(parent) = place.parent {
                let above = self.member(parent).place(stripe).expect("a parent has a place");
                assert!(above.children.contains(&index), "child and parent agree");
                let depth = if above.depth == forest::UNROOTED {
                    forest::UNROOTED
                } else {
                    above.depth + 1
                };
                assert_eq!(place.depth, depth, "depth is one more than the parent's");
            }
        }
        assert_eq!(used, member.used, "the budget counts every child");
    }
}

#[cfg(test)]
mod tests;
