//! When a parent has been silent for too long.

use crate::time::{Duration, Instant, TICK};

/// The least silence beyond the time when a chunk or mark was expected. Two ticks would do in a quiet network; a third is
/// for parents on busy computers, which now and then get no processor for 200 ms. The buffer hides it.
const SILENCE_MIN: Duration = Duration::from_millis(300);

/// The most that lateness in the past may lengthen the wait: with one tick and the answer of the spare, a repair is over
/// within 700 ms of the last chunk.
const LATENESS_MAX: Duration = Duration::from_millis(400);

/// What a chunk's measured lateness fades by until the next: half in 30 s of ticks. Never so much that what came makes silence a failure
/// earlier than it was.
const FADING: u32 = 432;

/// How fast the least transit time is forgotten, a chunk: when the path has become longer for good, it is the new normal
/// after some tens of seconds.
const CREEP_US: i64 = 1000;

/// Watches what comes from one parent for one stripe (`docs/protocol.md` §6.4): silent is who sends neither chunk nor mark
/// for max(3 ticks, 4 × jitter, 1.5 × round-trip time) beyond the next tick.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    heard: Instant,
    /// Least of arrival less block number in ticks, microseconds; none before the first chunk.
    transit: Option<i64>,
    /// How late chunks come at worst, fading.
    lateness: Duration,
}

impl Watch {
    /// From `now` on.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            transit: None,
            lateness: Duration::ZERO,
        }
    }

    /// A chunk came.
    pub(super) fn chunk(&mut self, now: Instant, block: u64) {
        let passed = now.since(self.heard);
        self.heard = self.heard.max(now);
        let transit = now.as_micros() as i64 - (block as i64).wrapping_mul(TICK.as_micros() as i64);
        let least = self
            .transit
            .map_or(transit, |least| (least + CREEP_US).min(transit));
        let late = Duration::from_micros((transit - least).max(0) as u64);
        self.transit = Some(least);
        let fades = (self.lateness / FADING).min(passed * 2 / 5);
        self.lateness = late.max(self.lateness - fades);
    }

    /// A mark came.
    pub(super) fn mark(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
    }

    /// When it last heard anything.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// When silence becomes a failure, on a link of that round-trip time.
    pub(super) fn deadline(&self, round_trip: Duration) -> Instant {
        // Four times the mean deviation, for what networks do, is about two and a half times the worst of the last minute.
        let jitter = (self.lateness * 5 / 2).min(LATENESS_MAX);
        self.heard + TICK + SILENCE_MIN.max(jitter).max(round_trip * 3 / 2)
    }

    /// We ourselves were not running for so long: that is not the parent's fault.
    pub(super) fn forgive(&mut self, now: Instant, gap: Duration) {
        self.heard = (self.heard + gap).min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    fn after(lateness: impl Fn(u64) -> u64, blocks: u64) -> Watch {
        let mut watch = Watch::new(ms(0));
        for block in 0..blocks {
            watch.chunk(ms(block * 100 + lateness(block)), block);
        }
        watch
    }

    #[test]
    fn a_punctual_parent_is_silent_after_four_ticks() {
        let watch = after(|_| 7, 100);
        assert_eq!(watch.deadline(Duration::from_millis(40)), ms(9907 + 400));
        assert_eq!(watch.deadline(Duration::from_millis(400)), ms(9907 + 700));
    }

    #[test]
    fn marks_count_as_life() {
        let mut watch = after(|_| 0, 100);
        watch.mark(ms(10_100));
        assert_eq!(watch.heard(), ms(10_100));
    }

    #[test]
    fn retransmissions_lengthen_the_wait_and_are_forgotten() {
        let late = |block: u64| if block % 40 == 39 { 150 } else { 0 };
        let watch = after(late, 81);
        let wait = watch.deadline(Duration::ZERO) - watch.heard();
        assert!(wait > Duration::from_millis(440), "{wait:?}");
        let watch = after(|block| if block == 39 { 150 } else { 0 }, 1500);
        assert_eq!(
            watch.deadline(Duration::ZERO) - watch.heard(),
            Duration::from_millis(400)
        );
    }

    #[test]
    fn no_lateness_makes_a_repair_slower_than_half_a_second() {
        let watch = after(|block| block % 7 * 90, 200);
        assert_eq!(
            watch.deadline(Duration::ZERO) - watch.heard(),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn what_comes_never_brings_the_deadline_nearer() {
        let mut watch = after(|block| block % 7 * 20, 200);
        for block in 200..300 {
            let deadline = watch.deadline(Duration::ZERO);
            watch.chunk(Instant::from_micros(20_120_000 + block), block);
            assert!(watch.deadline(Duration::ZERO) >= deadline, "at block {block}");
        }
    }

    #[test]
    fn a_backlog_sent_at_once_is_not_lateness() {
        let mut watch = Watch::new(ms(5000));
        for block in 30..50 {
            watch.chunk(ms(5000), block);
        }
        assert_eq!(watch.deadline(Duration::ZERO), ms(5400));
    }

    #[test]
    fn what_we_missed_ourselves_is_forgiven() {
        let mut watch = after(|_| 0, 10);
        watch.forgive(ms(1500), Duration::from_millis(500));
        assert_eq!(watch.deadline(Duration::ZERO), ms(1400 + 400));
        watch.forgive(ms(1500), Duration::from_millis(500));
        assert_eq!(watch.heard(), ms(1500), "never later than now");
    }
}
