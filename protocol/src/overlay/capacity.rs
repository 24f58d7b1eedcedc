//! Uplink, granted as it is proven: a newcomer starts with one copy's worth at most, is given twice as much every second
//! that its children are in time and it is used, and half when they are late.

use crate::overlay::Overlay;
use crate::overlay::member::{Member, MemberIndex};
use crate::overlay::reach::Reach;
use crate::overlay::stripes::StripeIndex;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;

/// How much room there is, in slots of the full stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Slots that all proven uplinks give.
    pub total: u64,
    /// Slots in use.
    pub used: u64,
    /// Slots that could still be given.
    pub free: u64,
    /// Slots that caps promise beyond what is proven.
    pub unproven: u64,
}

/// After lateness, uplink is not raised again for so long: shorter than the coordinator's patience with a shortage,
/// longer than a moment's congestion.
const CALM_AFTER_LATE: Duration = Duration::from_secs(10);

/// What a newcomer is granted before anything is proven: its cap, but one copy at most.
pub fn first_grant(cap: Option<Bitrate>, copy: Bitrate) -> Bitrate {
    cap.map_or(copy, |cap| cap.min(copy))
}

/// Twice as much, within the cap; at least a slot more, so that a grant of nothing can grow.
fn raised(member: &Member, slot: Bitrate) -> Bitrate {
    let twice = (member.granted * 2).max(slot);
    member.cap.map_or(twice, |cap| twice.min(cap))
}

impl Overlay {
    /// Raises the grants of those who use at least half of what they have, and were in time. `wanted`: somebody waits for
    /// room, so that the unproven uplink of those is tried that would otherwise not need it. Call once a second.
    pub fn raise_grants(&mut self, now: Instant, wanted: bool) {
        let slot = self.stripes.top_slot();
        for index in self.present().collect::<alloc::vec::Vec<_>>() {
            let member = self.member(index);
            let calm = member.late.is_none_or(|late| now.since(late) > CALM_AFTER_LATE);
            let half_used = member.used * 2 >= member.granted && member.is_interior();
            let tried = wanted && member.free() < slot && member.is_interior();
            if member.is_active() && calm && (half_used || tried) {
                let raised = raised(member, slot);
                self.member_mut(index).granted = raised.max(self.member(index).granted);
            }
        }
    }

    /// A member's children get their chunks too late: it is granted half. Returns whether it has more children now than
    /// it is granted.
    pub fn halve_grant(&mut self, now: Instant, index: MemberIndex) -> bool {
        let slot = self.stripes.top_slot();
        let member = self.member_mut(index);
        member.late = Some(now);
        member.granted = Bitrate(member.granted.0 / 2).max(slot.min(member.granted));
        member.used > member.granted
    }

    /// Slots of the full stream, as proven.
    pub fn room(&self) -> Room {
        let slot = self.stripes.top_slot();
        let mut room = Room::default();
        for index in self.present() {
            let member = self.member(index);
            if !self.counts(index) {
                continue;
            }
            let total = member.granted.slots(slot);
            let free = self.free_for(index, StripeIndex::NONE).slots(slot);
            room.total += total;
            room.free += free.min(total);
            room.unproven += member.cap.map_or(0, |cap| cap.slots(slot)).saturating_sub(total);
        }
        room.used = room.total - room.free;
        room
    }

    /// Whether a member's uplink counts: somebody can be fed by it.
    fn counts(&self, index: MemberIndex) -> bool {
        let member = self.member(index);
        let reachable = member.reach == Reach::Open || member.is_interior();
        index == MemberIndex::SOURCE || (member.is_active() && !member.relay_only && reachable)
    }
}
