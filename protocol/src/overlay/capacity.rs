//! Uplink, granted as it is proven: a newcomer starts with one copy's worth at most, is given twice as much every second
//! that its children are in time and it is used, and half when they are late.

use crate::overlay::Overlay;
use crate::overlay::member::{Member, MemberIndex};
use crate::overlay::reach::Reach;
use crate::overlay::stripes::{StripeIndex, Stripes};
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

/// After lateness, an uplink whose cap is known is not raised again for so long: longer than a moment's congestion.
const CALM_AFTER_LATE: Duration = Duration::from_secs(5);

/// The same for an uplink of which nobody knows how much it carries: trying costs somebody late chunks each time.
const CALM_UNKNOWN: Duration = Duration::from_secs(30);

/// What a newcomer is granted before anything is proven: its cap, but one copy at most; two slots if it names no cap, for many a
/// line carries less than a copy.
pub fn first_grant(cap: Option<Bitrate>, stripes: &Stripes) -> Bitrate {
    cap.unwrap_or(stripes.top_slot() * 2).min(stripes.top_copy())
}

/// Twice as much, within the cap; at least a slot more, so that a grant of nothing can grow. Where an uplink without
/// a cap has once proved too weak, a slot or a tenth more than what was left then.
fn raised(member: &Member, slot: Bitrate) -> Bitrate {
    let more = if member.late.is_some() && member.cap.is_none() {
        member.granted.percent(110).max(member.granted + slot)
    } else {
        (member.granted * 2).max(slot)
    };
    member.cap.map_or(more, |cap| more.min(cap))
}

impl Overlay {
    /// Raises the grants of those who use most of what they have, and were in time. `wanted`: somebody waits for room, so
    /// that whatever is left of a grant does not count. Call once a second.
    pub fn raise_grants(&mut self, now: Instant, wanted: bool) {
        let slot = self.stripes.top_slot();
        for index in self.present().collect::<alloc::vec::Vec<_>>() {
            let member = self.member(index);
            let wait = if member.cap.is_some() {
                CALM_AFTER_LATE
            } else {
                CALM_UNKNOWN
            };
            let calm = member.late.is_none_or(|late| now.since(late) > wait);
            let well_used = member.used * 4 >= member.granted * 3 && member.is_interior();
            let tried = wanted && member.free() < slot && member.is_interior();
            let recovers = member.late.is_some() && member.cap.is_some();
            if member.is_active() && calm && (well_used || tried || recovers) {
                let raised = raised(member, slot);
                let member = self.member_mut(index);
                member.granted = raised.max(member.granted);
                member.late = member
                    .late
                    .filter(|_| member.cap != Some(member.granted))
                    .map(|_| now);
            }
        }
    }

    /// A member's children get their chunks too late while it sends at `sending`: it is granted less than it has in use,
    /// half at least, and no more than it sends if that is all it can. Returns whether it has more children now than that.
    pub fn cut_grant(&mut self, now: Instant, index: MemberIndex, sending: Bitrate) -> bool {
        let slot = self.stripes.top_slot();
        let member = self.member_mut(index);
        let half = Bitrate(member.used.0 / 2);
        let proven = if member.cap.is_none() {
            sending.percent(90)
        } else {
            member.used
        };
        member.late = Some(now);
        member.granted = proven
            .min(member.used.percent(85))
            .max(half)
            .max(slot)
            .min(member.granted);
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
