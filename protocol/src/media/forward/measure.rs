//! What the uplink carries in fact, where that is less than it is said to: found out by what the transport takes.
//!
//! Transports share an uplink that is too small among all children alike, and lose at random. So it must not come to that: as soon
//! as most children take what they are sent too slowly, what they took together is all that there is, and no more is sent than that.
//! From then on the schedule serves by class again, and seats that do not fit are taken back, the worst class first.

use super::Forwarder;
use super::children::bits;
use crate::io::{Lane, LinkId, Outbox, Output};
use crate::media::TierId;
use crate::media::schedule::wire;
use crate::media::store::stripe_at;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;

/// What children took is measured over so long: longer than a machine with much to do lets a program wait, and a third of the second and a half that a
/// viewer's buffer leaves.
const WINDOW: Duration = Duration::from_millis(500);

/// What the transport has taken already when an uplink is found too small is on its way by then, and round trips say so.
const SETTLES: Duration = Duration::from_secs(2);

/// So many hundredths of what went through are sent from then on: queues on the way run empty.
const USED_PERCENT: u64 = 95;

/// After so long more is tried, and so many hundredths of it; after each try that failed, twice as long.
const TRIED_AFTER: Duration = Duration::from_secs(15);
const TRIED_PERCENT: u64 = 105;
const TRIED_AFTER_MAX: Duration = Duration::from_secs(240);

/// Nothing is tried while less than so many hundredths are in use: that would prove nothing.
const IN_USE_PERCENT: u64 = 85;

/// What is known of an uplink besides what was said of it.
#[derive(Debug)]
pub(super) struct Measure {
    /// What was said of it: the most that it carries.
    said: Option<Bitrate>,
    /// What it was found to carry, where that is less.
    found: Option<Bitrate>,
    /// What was sent without harm before more was tried.
    good: Option<Bitrate>,
    /// Wire bytes that the transport has taken.
    taken: u64,
    /// Since when most children take slowly what they are sent, and what had been taken then.
    strained: Option<(Instant, u64)>,
    /// What is found is not looked at before.
    settled: Instant,
    /// When more is tried, and how long after the last time.
    try_at: Instant,
    try_after: Duration,
}

impl Measure {
    pub(super) fn new(said: Option<Bitrate>) -> Self {
        Self {
            said,
            found: None,
            good: None,
            taken: 0,
            strained: None,
            settled: Instant::ZERO,
            try_at: Instant::ZERO,
            try_after: TRIED_AFTER,
        }
    }

    /// What may be sent.
    fn uplink(&self) -> Option<Bitrate> {
        self.found.or(self.said)
    }

    /// Looks whether most children are `strained`, whose slots cost `used` together. Whether what may be sent is another now.
    fn look(&mut self, now: Instant, strained: bool, used: Bitrate) -> bool {
        if now < self.settled {
            return false;
        }
        if !strained {
            self.strained = None;
            let in_use = |found: &Bitrate| used >= found.percent(IN_USE_PERCENT);
            return self.found.as_ref().is_some_and(in_use) && now >= self.try_at && self.try_more(now);
        }
        let (since, before) = *self.strained.get_or_insert((now, self.taken));
        if now.since(since) < WINDOW {
            return false;
        }
        let went = Bitrate::of(self.taken - before, now.since(since)).percent(USED_PERCENT);
        self.strained = None;
        self.settled = now + SETTLES;
        self.note(now, went)
    }

    fn note(&mut self, now: Instant, went: Bitrate) -> bool {
        if self.found.is_some() {
            self.try_after = (self.try_after * 2).min(TRIED_AFTER_MAX);
        }
        self.try_at = now + self.try_after;
        // A try that fails says that it was too much, and nothing worse of what was well before.
        let carries = self.good.take().unwrap_or(went);
        let less = self.uplink().is_none_or(|uplink| carries < uplink);
        if less {
            self.found = Some(carries);
        }
        less
    }

    fn try_more(&mut self, now: Instant) -> bool {
        self.try_at = now + self.try_after;
        self.good = self.found;
        let more = self.found.map(|found| found.percent(TRIED_PERCENT));
        self.found = more.filter(|more| self.said.is_none_or(|said| *more < said));
        true
    }
}

impl Forwarder {
    /// From now on it is found out what the uplink carries.
    pub fn measure_uplink(&mut self) {
        self.measure = Some(Box::new(Measure::new(self.uplink)));
    }

    /// What the uplink was found to carry, where that is less than what it is said to.
    pub fn found_uplink(&self) -> Option<Bitrate> {
        self.measure.as_ref().and_then(|measure| measure.found)
    }

    /// The uplink is said to be another.
    pub(super) fn note_said(&mut self, uplink: Option<Bitrate>) {
        if let Some(measure) = &mut self.measure {
            **measure = Measure::new(uplink);
        }
    }

    /// The transport has taken so many bytes of frames.
    pub(super) fn note_taken(&mut self, bytes: u64) {
        if let Some(measure) = &mut self.measure {
            measure.taken += wire::wire_bytes(bytes);
        }
    }

    /// Finds out whether the uplink carries what it should, and sends less if it does not.
    pub(super) fn look_at_uplink(&mut self, now: Instant) {
        let strained = self.measure.is_some() && self.schedule.is_strained(now);
        let used = self.children.used();
        let Some(measure) = &mut self.measure else { return };
        if measure.look(now, strained, used) {
            self.uplink = measure.uplink();
            self.schedule.set_uplink(now, self.uplink);
            self.recheck = true;
        }
    }

    /// What the transport still has for children that have lost all seats of a tier is given up: it would be in the way of those who
    /// have kept theirs.
    pub(super) fn give_up_lanes(&mut self, shed: BTreeSet<(u32, TierId)>, out: &mut Outbox) {
        for (index, tier) in shed {
            let child = self.children.get_mut(index);
            if bits(child.stripes).any(|slot| stripe_at(slot).tier == tier) {
                continue;
            }
            child.layouts[usize::from(tier.0)] = 0;
            reset(child.link, tier, out);
        }
    }
}

fn reset(link: LinkId, tier: TierId, out: &mut Outbox) {
    let lane = Lane::Data(tier);
    out.push(Output::Reset { link, lane });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    /// Looks every 10 ms while `kbps` are taken; when what may be sent became another.
    fn looks(measure: &mut Measure, from: u64, until: u64, kbps: u64, strained: bool) -> Option<u64> {
        let mut changed = None;
        for ms in (from..until).step_by(10) {
            measure.taken += Bitrate::from_kbps(kbps).bytes_in(Duration::from_millis(10));
            if measure.look(at(ms), strained, Bitrate::from_kbps(kbps)) {
                changed.get_or_insert(ms);
            }
        }
        changed
    }

    #[test]
    fn what_children_take_slowly_is_all_that_there_is() {
        let mut measure = Measure::new(Some(Bitrate::from_kbps(30_000)));
        assert_eq!(looks(&mut measure, 0, 5_000, 20_000, false), None);
        assert_eq!(measure.uplink(), Some(Bitrate::from_kbps(30_000)));
        assert_eq!(looks(&mut measure, 5_000, 5_800, 10_000, true), Some(5_500));
        let found = measure.found.unwrap().as_bps();
        assert!((9_200_000..=9_600_000).contains(&found), "{found}");
    }

    #[test]
    fn more_is_tried_by_and_by_and_ever_later_if_it_fails() {
        let mut measure = Measure::new(Some(Bitrate::from_kbps(30_000)));
        looks(&mut measure, 0, 510, 10_000, true);
        assert_eq!(
            looks(&mut measure, 1_550, 20_000, 5_000, false),
            None,
            "it is not used"
        );
        assert_eq!(looks(&mut measure, 20_000, 21_000, 9_000, false), Some(20_000));
        looks(&mut measure, 22_000, 22_550, 9_000, true);
        assert_eq!(looks(&mut measure, 23_550, 60_000, 9_000, false), Some(52_500));
    }

    #[test]
    fn after_a_try_that_fails_as_much_is_sent_as_before_it() {
        let mut measure = Measure::new(Some(Bitrate::from_kbps(30_000)));
        looks(&mut measure, 0, 510, 10_000, true);
        let before = measure.uplink();
        assert_eq!(looks(&mut measure, 2_550, 16_000, 9_000, false), Some(15_500));
        assert!(measure.uplink() > before);
        assert_eq!(looks(&mut measure, 16_000, 16_550, 6_000, true), Some(16_500));
        assert_eq!(
            measure.uplink(),
            before,
            "little goes through while seats are taken back"
        );
        assert_eq!(looks(&mut measure, 16_550, 19_100, 6_000, true), Some(19_000));
        assert!(measure.uplink() < before, "it is less in fact");
    }

    #[test]
    fn what_was_said_is_reached_again_and_not_passed() {
        let said = Some(Bitrate::from_kbps(10_000));
        let mut measure = Measure::new(said);
        looks(&mut measure, 0, 510, 9_500, true);
        assert!(measure.uplink() < said);
        looks(&mut measure, 1_550, 60_000, 9_000, false);
        assert_eq!((measure.uplink(), measure.found), (said, None));
    }
}
