//! Uplink, granted as it is proven: a newcomer starts with one copy's worth at most, is given twice as much every second
//! that its children are in time and it is used, or a slot or a tenth more if it names no cap, and half when they are late.

use crate::overlay::Overlay;
use crate::overlay::member::{Member, MemberIndex};
use crate::overlay::reach::Reach;
use crate::overlay::stripes::Stripes;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::vec::Vec;

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

/// Cuts within so long of what the last one delayed are in a row: each doubles the time until the next try, for seats that are given and
/// taken to and fro cost more than a few slots bring.
const CUTS_IN_A_ROW: Duration = Duration::from_secs(60);

/// That time is doubled so often at most.
const DOUBLED_MAX: u32 = 4;

/// The same for an uplink of which nobody knows how much it carries: trying costs somebody late chunks each time.
const CALM_UNKNOWN: Duration = Duration::from_secs(30);

/// What a newcomer is granted before anything is proven: its cap, but one copy at most; two slots if it names no cap, for many a
/// line carries less than a copy.
pub fn first_grant(cap: Option<Bitrate>, stripes: &Stripes) -> Bitrate {
    cap.unwrap_or(stripes.top_slot() * 2).min(stripes.top_copy())
}

/// Twice as much, within the cap; at least a slot more, so that a grant of nothing can grow. Where nobody knows how much it carries, a slot or a
/// tenth more: what is too much costs children late chunks, and twice as much is far too much.
fn raised(member: &Member, slot: Bitrate) -> Bitrate {
    let more = match member.cap {
        None => member.granted.percent(110).max(member.granted + slot),
        Some(_) => (member.granted * 2).max(slot),
    };
    member.limit().map_or(more, |limit| more.min(limit))
}

/// Whether a quarter of an uplink with a cap is in use: where somebody waits for room, that proves as much again and more, for what
/// is free may be where nobody can use it, and the member is held to be as strong as its grant.
fn is_stretched(member: &Member) -> bool {
    member.cap.is_some() && member.used * 4 >= member.granted
}

/// How long a member is left with what it was cut to.
fn calm_of(member: &Member) -> Duration {
    let again = member.cuts.map_or(0, |(_, cuts)| cuts.saturating_sub(1));
    let calm = member.cap.map_or(CALM_UNKNOWN, |_| CALM_AFTER_LATE);
    calm * (1 << again.min(DOUBLED_MAX))
}

impl Overlay {
    /// Raises the grants of those who use most of what they have, and were in time. `waiting`: so many wait for room, and then whatever is
    /// left of a grant does not count. Where the next viewer would have to wait for room, caps are gone up to before it comes; and only then is
    /// more tried of uplinks that name none, of those with the least first, and no more than is lacking: when a line turns out to be too weak,
    /// its children pay for it. Call once a second.
    pub fn raise_grants(&mut self, now: Instant, waiting: usize) {
        let slot = self.stripes.top_slot();
        let ample = 2 * self.stripes.top_len() as u64;
        let free = self.room().free;
        let needed = waiting > 0 || free < ample;
        let mut unknown = Vec::new();
        for index in self.present().collect::<Vec<_>>() {
            let member = self.member(index);
            let calm = member.late.is_none_or(|late| now.since(late) > calm_of(member));
            let well_used = member.used * 4 >= member.granted * 3 && member.is_interior();
            let tried = (waiting > 0 && member.free() < slot) || (needed && is_stretched(member));
            let recovers = member.late.is_some() && member.cap.is_some();
            if !member.is_active() || !calm || !(well_used || (tried && member.is_interior()) || recovers) {
                continue;
            }
            match member.cap {
                Some(_) => _ = self.raise_grant(now, index),
                None if needed => unknown.push(index),
                None => {}
            }
        }
        let mut lacking = slot * (waiting as u64 * ample / 2 + ample.saturating_sub(free));
        unknown.sort_by_key(|index| (self.member(*index).granted, *index));
        for index in unknown {
            if lacking == Bitrate::ZERO {
                break;
            }
            lacking = lacking.saturating_sub(self.raise_grant(now, index));
        }
    }

    /// By how much it is granted more.
    fn raise_grant(&mut self, now: Instant, index: MemberIndex) -> Bitrate {
        let slot = self.stripes.top_slot();
        let member = self.member_mut(index);
        let before = member.granted;
        member.granted = raised(member, slot).max(before);
        member.late = member
            .late
            .filter(|_| member.limit() != Some(member.granted))
            .map(|_| now);
        member.granted.saturating_sub(before)
    }

    /// A member's children get their chunks too late while it sends at `sending`: it is granted less than it has in use,
    /// half at least, the source each stripe once, and no more than it sends if that is all it can. Returns whether it has more children now than that.
    pub fn cut_grant(&mut self, now: Instant, index: MemberIndex, sending: Bitrate) -> bool {
        let least = match index {
            MemberIndex::SOURCE => self.stripes.all().map(|stripe| self.stripes.slot(stripe)).sum(),
            _ => self.stripes.top_slot(),
        };
        let member = self.member_mut(index);
        let half = Bitrate(member.used.0 / 2);
        let proven = if member.cap.is_none() && index != MemberIndex::SOURCE {
            sending.percent(90)
        } else {
            member.used
        };
        member.late = Some(now);
        let in_a_row = |at: Instant| now.since(at) < CUTS_IN_A_ROW + calm_of(member);
        let before = member.cuts.filter(|(at, _)| in_a_row(*at));
        member.cuts = Some((now, before.map_or(1, |(_, cuts)| cuts + 1)));
        member.granted = proven
            .min(member.used.percent(85))
            .max(half)
            .max(least)
            .min(member.granted);
        member.used > member.granted
    }

    /// A member says what it found its uplink to carry, if that is less than its cap: it is granted no more. Returns whether it has
    /// more children now than that.
    pub fn note_carries(&mut self, index: MemberIndex, carries: Option<Bitrate>) -> bool {
        let member = self.member_mut(index);
        member.carries = carries;
        member.granted = member
            .limit()
            .map_or(member.granted, |limit| limit.min(member.granted));
        member.used > member.granted
    }

    /// Slots of the full stream, as proven. Whoever shows less than that, and is sent none of it, has to be sent a stripe before it can pass
    /// one on: that takes one of the slots that come with it.
    pub fn room(&self) -> Room {
        let slot = self.stripes.top_slot();
        let mut room = Room::default();
        for index in self.present() {
            let member = self.member(index);
            if !self.counts(index) {
                continue;
            }
            let total = member.granted.slots(slot);
            let free = self.free_for_full(index).slots(slot);
            let enters = u64::from(self.shows_less(index) && !self.is_sent_top(index));
            room.total += total;
            room.used += total.saturating_sub(free);
            room.free += free.min(total).saturating_sub(enters);
            room.unproven += member.cap.map_or(0, |cap| cap.slots(slot)).saturating_sub(total);
        }
        room
    }

    fn shows_less(&self, index: MemberIndex) -> bool {
        let tier = self.member(index).tier;
        tier.is_some() && tier != self.stripes.top()
    }

    fn is_sent_top(&self, index: MemberIndex) -> bool {
        let top = self.stripes.top();
        let mut sent = self
            .stripes
            .all()
            .filter(|stripe| self.has_parent(index, *stripe));
        sent.any(|stripe| Some(self.stripes.id(stripe).tier) == top)
    }

    /// Whether a member's uplink counts: somebody can be fed by it.
    fn counts(&self, index: MemberIndex) -> bool {
        let member = self.member(index);
        if member.ends {
            return false;
        }
        let reachable = member.reach == Reach::Open || member.is_interior();
        index == MemberIndex::SOURCE || (member.is_active() && !member.relay_only && reachable)
    }
}
