//! The uplink's budget of wire bytes.

use super::tokens::Tokens;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;

/// The most that is sent at once, in time at the uplink's rate: so much the first router behind us must hold. Below
/// 10 ms timers would set the pace; home routers' queues hold several times as much.
pub(super) const BURST: Duration = Duration::from_millis(20);

/// What of the uplink is used, in hundredths: what is left lets the queue before a shaper of the same rate run dry.
const USED_PERCENT: u64 = 98;

/// How much more than what was seen on the wire may count as sent and still under way: what estimates are too high by
/// must not pay for acknowledgements for ever.
const AHEAD: Duration = Duration::from_millis(100);

/// The longest that unforeseen bytes on the wire hold sending up.
const DEBT_MAX: Duration = Duration::from_secs(1);

/// A token bucket of wire bytes at the uplink's rate. Without a rate it carries anything.
#[derive(Debug)]
pub struct Bucket {
    tokens: Option<Tokens>,
    /// Charged, and not yet seen on the wire.
    ahead: u64,
    seen: Option<u64>,
    /// What was seen on the wire and never charged, all of it.
    unforeseen: u64,
}

impl Bucket {
    /// A full one.
    pub fn new(uplink: Option<Bitrate>) -> Self {
        Self {
            tokens: uplink.map(|rate| Tokens::new(bytes_a_second(rate), BURST)),
            ahead: 0,
            seen: None,
            unforeseen: 0,
        }
    }

    /// Changes the rate.
    pub fn set_uplink(&mut self, now: Instant, uplink: Option<Bitrate>) {
        match (&mut self.tokens, uplink) {
            (Some(tokens), Some(rate)) => tokens.set_rate(now, bytes_a_second(rate)),
            (tokens, uplink) => *tokens = Self::new(uplink).tokens,
        }
    }

    /// Whether there is a rate at all.
    pub fn is_paced(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether `bytes` may be sent now. More than a whole burst may when the bucket is full: so in any time no more is
    /// sent than what comes in, and one burst, or one frame if that is more.
    pub fn carries(&mut self, now: Instant, bytes: u64) -> bool {
        let Some(tokens) = &mut self.tokens else {
            return true;
        };
        tokens.level(now) >= bytes.min(tokens.depth()) as i64 && tokens.rate() > 0
    }

    /// When `bytes` may be sent. Not before half a burst has come together, so that a full uplink is served in a hundred
    /// steps a second and not in thousands.
    pub fn carries_at(&self, now: Instant, bytes: u64) -> Instant {
        self.tokens.as_ref().map_or(now, |tokens| {
            let enough = bytes.max(tokens.depth() / 2).min(tokens.depth());
            tokens.when(now, enough)
        })
    }

    /// Wire bytes that nobody charged, since the start: what goes out beside chunks. Without a rate nobody counts.
    pub fn unforeseen(&self) -> u64 {
        self.unforeseen
    }

    /// Counts `bytes` as sent.
    pub fn charge(&mut self, now: Instant, bytes: u64) {
        if let Some(tokens) = &mut self.tokens {
            tokens.take(now, bytes);
            self.ahead += bytes;
        }
    }

    /// Takes in how many bytes really went over the wire since the start. What nobody charged (acknowledgements, control,
    /// retransmissions) is charged now.
    pub fn wire_sent(&mut self, now: Instant, total: u64) {
        let before = self.seen.replace(total).unwrap_or(total);
        let Some(tokens) = &mut self.tokens else { return };
        let sent = total.saturating_sub(before);
        let unforeseen = sent.saturating_sub(self.ahead);
        self.unforeseen += unforeseen;
        tokens.take(now, unforeseen);
        tokens.forgive_beyond(DEBT_MAX);
        let ahead_max = tokens.rate() * AHEAD.as_millis() as u64 / 1000;
        self.ahead = self.ahead.saturating_sub(sent).min(ahead_max);
    }
}

fn bytes_a_second(rate: Bitrate) -> u64 {
    rate.percent(USED_PERCENT).as_bps() / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    /// 1 Mbyte a second after the reserve, a burst of 20,000 bytes.
    fn bucket() -> Bucket {
        Bucket::new(Some(Bitrate(8_000_000 * 100 / 98 + 1)))
    }

    #[test]
    fn carries_its_rate_and_one_burst_in_any_time() {
        let mut bucket = bucket();
        let mut sent: alloc::vec::Vec<(u64, u64)> = alloc::vec::Vec::new();
        for ms in 0..2000 {
            let size = [1_200, 9_000, 25_000][ms as usize % 3];
            while bucket.carries(at(ms), size) {
                bucket.charge(at(ms), size);
                sent.push((ms, size));
            }
        }
        for from in 0..sent.len() {
            let mut bytes = 0;
            for (ms, size) in &sent[from..] {
                bytes += size;
                assert!(
                    bytes <= (ms - sent[from].0) * 1000 + 25_000 + 1,
                    "from {from} to {ms} ms"
                );
            }
        }
        let total: u64 = sent.iter().map(|(_, size)| size).sum();
        assert!(total > 1_950_000, "the rate is used: {total}");
    }

    #[test]
    fn what_nobody_charged_is_paid_when_it_is_seen() {
        let mut bucket = bucket();
        bucket.wire_sent(at(0), 500);
        bucket.charge(at(0), 10_000);
        bucket.wire_sent(at(0), 500 + 10_000);
        assert!(bucket.carries(at(0), 10_000));
        assert_eq!(bucket.unforeseen(), 0);
        bucket.wire_sent(at(0), 500 + 10_000 + 4_000);
        assert_eq!(bucket.unforeseen(), 4_000);
        assert!(!bucket.carries(at(0), 6_001));
        assert!(bucket.carries(at(0), 6_000));
        assert_eq!(bucket.carries_at(at(0), 9_000), at(4));
    }

    #[test]
    fn a_high_estimate_does_not_pay_for_ever() {
        let mut bucket = bucket();
        bucket.wire_sent(at(0), 0);
        for second in 0..60 {
            bucket.charge(at(second * 1000), 500_000);
            bucket.wire_sent(at(second * 1000 + 900), second * 400_000);
        }
        assert!(bucket.ahead <= 100_000);
    }

    #[test]
    fn without_a_rate_it_carries_anything_and_with_zero_nothing() {
        let mut free = Bucket::new(None);
        free.charge(at(0), u64::MAX);
        assert!(free.carries(at(0), u64::MAX));
        assert!(!Bucket::new(Some(Bitrate::ZERO)).carries(at(9), 1));
        free.set_uplink(at(0), Some(Bitrate::ZERO));
        assert!(!free.carries(at(9), 1));
    }
}
