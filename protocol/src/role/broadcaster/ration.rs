//! Everybody has what there is: members are served, orphans seated, quality is taken where there is too little and given back as
//! soon as there is enough.
//!
//! The rule: nobody lacks the full stream while there is measured room for it, but for [`CALM`] after the last loss, and for
//! [`CALM_MAX`] after the first one. And nobody sees nothing while somebody has the full stream.

use super::Broadcaster;
use crate::media::TierId;
use crate::overlay::Overlay;
use crate::overlay::capacity::Room;
use crate::overlay::member::{Kind, MemberIndex};
use crate::overlay::stripes::StripeIndex;
use crate::role::config::WhenFull;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// After somebody lost quality, it is given back to nobody for so long: the orphans of a failure are heard of one by one, and
/// what is free belongs to the next of them.
const CALM: Duration = Duration::from_millis(750);

/// However much goes wrong, it is given back after so long.
const CALM_MAX: Duration = Duration::from_secs(3);

/// Who lost quality has it given back after so long at the earliest: what it missed meanwhile is lost to it, and the lower tier, once it
/// shows that, leads over the hole.
const FALLS_FOR: Duration = Duration::from_secs(2);

/// An orphan waits so long for a seat that somebody else is about to leave, before quality is taken from anybody. Its buffer
/// covers that.
const SEAT_PATIENCE: Duration = Duration::from_millis(1250);

/// A newcomer for whom uplink may yet prove itself sees nothing for so long at most, before quality is taken from somebody.
const HUNGER: Duration = Duration::from_secs(3);

/// So many give quality up for one at most. If that doesn't help, it isn't uplink that is missing.
const VICTIMS_MAX: usize = 3;

/// Why a member has less than the full stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It came when there was no room.
    Joined,
    /// It lost a parent.
    Lost,
}

impl Broadcaster {
    /// Gives a member what there is room for.
    pub(super) fn serve(&mut self, now: Instant, member: MemberIndex) {
        match (self.overlay.member(member).kind, self.overlay.stripes().top()) {
            (Kind::Viewer, Some(top)) => self.serve_up_to(now, member, top),
            (Kind::Relay { .. }, Some(_)) => {
                self.overlay.seat_relay(now, member);
            }
            _ => {}
        }
    }

    fn serve_up_to(&mut self, now: Instant, member: MemberIndex, tier: TierId) {
        let full = self.overlay.serve(now, member, tier) && self.overlay.stripes().top() == Some(tier);
        if full {
            self.short.remove(&member);
            self.decided.remove(&member);
        } else {
            self.short.entry(member).or_insert(Cause::Joined);
        }
        if self.overlay.member(member).tier.is_some() {
            self.newly_served.insert(member);
        } else {
            // Whatever was decided, it was not that this one sees nothing.
            self.decided.remove(&member);
        }
    }

    /// Finds new seats for orphans, at the cost of those with lesser claims.
    pub(super) fn reseat(&mut self, now: Instant, orphans: Vec<(MemberIndex, StripeIndex)>) {
        let left = self.overlay.reseat(now, orphans);
        self.make_room(now, left);
    }

    /// Tries once more for those who wait for a seat to be left.
    pub(super) fn seat_awaiting(&mut self, now: Instant) {
        let mut left = Vec::new();
        for member in self.awaiting.keys().copied().collect::<Vec<_>>() {
            self.overlay.reseat_member(now, member);
            if self.overlay.is_seated(member) {
                self.awaiting.remove(&member);
            } else {
                left.push(member);
            }
        }
        self.make_room(now, left);
    }

    /// Seats those who found no seat, the best claim first: whoever has the least claim to the full stream gives it up, which may
    /// be the orphan itself.
    fn make_room(&mut self, now: Instant, mut left: Vec<MemberIndex>) {
        // Relays are looked after by themselves: nobody gives anything up for them.
        left.retain(|member| self.overlay.member(*member).is_viewer());
        let mut degraded: Vec<(MemberIndex, MemberIndex)> = Vec::new();
        while let Some(member) = left
            .iter()
            .copied()
            .max_by_key(|member| self.overlay.claim(*member))
        {
            left.retain(|other| *other != member);
            self.overlay.reseat_member(now, member);
            if self.overlay.is_seated(member) || self.may_wait(now, member) {
                continue;
            }
            let victims = degraded.iter().filter(|(_, by)| *by == member).count();
            let (victim, orphans) = match victims {
                0..VICTIMS_MAX => self.give_way(now, member),
                _ => (member, self.degrade(now, member)),
            };
            left.extend(orphans);
            degraded.push((victim, member));
            if victim != member {
                left.push(member);
            }
        }
        self.serve_degraded(now, degraded.into_iter().map(|(victim, _)| victim).collect());
    }

    /// Whether an orphan may wait a little longer for a seat that is about to be left, or for as long as it takes where nobody's giving up
    /// anything would help it.
    fn may_wait(&mut self, now: Instant, member: MemberIndex) -> bool {
        if self.overlay.lacks_introductions(member) {
            self.awaiting.entry(member).or_insert(now);
            return true;
        }
        let since = self.awaiting.get(&member).copied();
        let patient = since.is_none_or(|since| now.since(since) < SEAT_PATIENCE);
        if patient && self.overlay.seat_is_due(now, member, SEAT_PATIENCE) {
            self.awaiting.entry(member).or_insert(now);
            return true;
        }
        self.awaiting.remove(&member);
        false
    }

    /// Somebody gives up what it shows, so that an orphan finds a seat: of those with a lesser claim whose seats are of use to it the least; the
    /// orphan itself, if there is nobody. Whoever would see nothing goes before everybody who sees more than that. Returns who it is, and
    /// those who found no seat because of that.
    fn give_way(&mut self, now: Instant, orphan: MemberIndex) -> (MemberIndex, Vec<MemberIndex>) {
        let full = self.overlay.member(orphan).tier == self.overlay.stripes().top();
        let claim = self.overlay.claim(orphan);
        let yields = |overlay: &Overlay, other: MemberIndex| {
            other != orphan && (!full || overlay.claim(other) < claim)
        };
        if self.overlay.is_out_of_reach(orphan) {
            // Only what the source gives up is of use then.
            if let Some((victim, orphans)) = self.overlay.free_the_source(now, yields) {
                self.note_degraded(now, victim);
                return (victim, self.overlay.reseat(now, orphans));
            }
        }
        let helps = |other| yields(&self.overlay, other) && self.overlay.would_help(other, orphan);
        let victim = self.overlay.weakest_full(helps).unwrap_or(orphan);
        (victim, self.degrade(now, victim))
    }

    /// Takes what it shows from a member. Returns those who found no seat because of that.
    fn degrade(&mut self, now: Instant, member: MemberIndex) -> Vec<MemberIndex> {
        self.note_degraded(now, member);
        let orphans = self.overlay.degrade(now, member);
        self.overlay.reseat(now, orphans)
    }

    fn note_degraded(&mut self, now: Instant, member: MemberIndex) {
        let first = self.degraded.map_or(
            now,
            |(first, last)| if now.since(last) < CALM { first } else { now },
        );
        self.degraded = Some((first, now));
        self.falling.insert(member, now);
        self.short.entry(member).or_insert(Cause::Lost);
    }

    /// Those who lost what they had see something else: the lowest tier, for more is given by claim.
    fn serve_degraded(&mut self, now: Instant, degraded: Vec<MemberIndex>) {
        for member in degraded {
            self.feed(now, member);
        }
    }

    /// Gives the full stream to those who lack it, as soon as there is room: the best claim first.
    pub(super) fn promote(&mut self, now: Instant) {
        let calm = self
            .degraded
            .is_none_or(|(first, last)| now.since(last) >= CALM || now.since(first) >= CALM_MAX);
        if calm {
            self.promote_all(now);
        }
    }

    /// Likewise, calm or not.
    pub(super) fn promote_all(&mut self, now: Instant) {
        self.falling.retain(|_, since| now.since(*since) < FALLS_FOR);
        let mut waiting: Vec<MemberIndex> = self.short.keys().copied().collect();
        waiting.retain(|member| {
            let waits = self.joining.contains_key(member) || self.falling.contains_key(member);
            !waits && self.overlay.member(*member).is_active()
        });
        waiting.sort_by_key(|member| core::cmp::Reverse(self.overlay.claim(*member)));
        for member in waiting {
            self.serve(now, member);
        }
    }

    /// Nobody sees nothing while others have the full stream, unless newcomers are refused; a newcomer waits a little where uplink may
    /// yet prove itself.
    pub(super) fn feed_hungry(&mut self, now: Instant) {
        let Room { free, unproven, .. } = self.overlay.room();
        let hope = free + unproven > 0;
        let hungry = |(member, cause): &(&MemberIndex, &Cause)| {
            let info = self.overlay.member(**member);
            let waits = hope && now.since(info.joined) < HUNGER;
            let refused = self.config.when_full == WhenFull::Refuse && **cause == Cause::Joined;
            info.tier.is_none()
                && info.is_active()
                && !waits
                && !refused
                && !self.joining.contains_key(*member)
        };
        let hungry: Vec<MemberIndex> = self
            .short
            .iter()
            .filter(hungry)
            .map(|(member, _)| *member)
            .collect();
        for member in hungry {
            self.feed(now, member);
        }
    }

    /// Gives a member that sees nothing the lowest tier, at the cost of those who have the full stream. Whether it sees something
    /// then.
    pub(super) fn feed(&mut self, now: Instant, member: MemberIndex) -> bool {
        let lowest = self.overlay.stripes().tiers().next();
        let Some(lowest) = lowest.filter(|lowest| Some(*lowest) != self.overlay.stripes().top()) else {
            return self.overlay.member(member).tier.is_some();
        };
        // Many of one network may be one person with many keys: nobody gives anything up for them.
        let is_one_of_many = self.overlay.is_crowded(&self.overlay.member(member).prefix);
        let in_vain = self.overlay.lacks_introductions(member);
        self.serve_at_the_cost_of(now, member, lowest, |_, _| !is_one_of_many && !in_vain);
        self.overlay.member(member).tier.is_some()
    }

    /// Gives a member `tier`, or a better one if it has that. Where there is no room, those who `yield` give the full stream up
    /// one after the other, the least claim first.
    pub(super) fn serve_at_the_cost_of(
        &mut self,
        now: Instant,
        member: MemberIndex,
        tier: TierId,
        yields: impl Fn(&Overlay, MemberIndex) -> bool,
    ) {
        let (mut degraded, mut left) = (Vec::new(), Vec::new());
        loop {
            if self.overlay.member(member).tier.is_none_or(|has| has < tier) {
                self.serve_up_to(now, member, tier);
            }
            let content = self.overlay.member(member).tier.is_some_and(|has| has >= tier);
            let fits = |overlay: &Overlay, other: MemberIndex| other != member && yields(overlay, other);
            let enough = content || degraded.len() == VICTIMS_MAX;
            if enough {
                break;
            }
            if !self.overlay.is_within_reach(tier) {
                // Only what the source gives up is of use then.
                let Some((victim, orphans)) = self.overlay.free_the_source(now, fits) else {
                    break;
                };
                self.note_degraded(now, victim);
                left.extend(self.overlay.reseat(now, orphans));
                degraded.push(victim);
                continue;
            }
            let weakest = self.overlay.weakest_full(|other| fits(&self.overlay, other));
            let Some(victim) = weakest else {
                break;
            };
            left.extend(self.degrade(now, victim));
            degraded.push(victim);
        }
        self.make_room(now, left);
        self.serve_degraded(now, degraded);
    }
}
