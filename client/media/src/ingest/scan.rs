//! A quick look ahead into a file: how far its keyframes are apart, and what rate it needs.

use super::select::Selection;
use banyan_protocol::units::Bitrate;
use ffmpeg_next as ff;
use ffmpeg_next::Rescale as _;
use ffmpeg_next::format::context;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Units of the media clock in a second.
const HZ: i64 = 90_000;

/// Keyframes are judged over the first 10 s.
const KEYFRAMES_OVER: i64 = 10 * HZ;

/// The rate is judged over the first minute, as far as that can be read in [`TIME_MAX`].
const RATE_OVER: i64 = 60 * HZ;

/// How long a look ahead may take, beyond what the keyframes need.
const TIME_MAX: Duration = Duration::from_millis(300);

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// The longest time without a keyframe, in 1/90,000 s.
    pub(crate) keyframes_apart: i64,
    /// The rate of the worst 3 s.
    pub(crate) rate: Bitrate,
}

/// Reads ahead in an input opened for that. Packets of the streams in `selection` count.
pub(crate) fn scan(input: &mut context::Input, selection: &Selection) -> Seen {
    let start = Instant::now();
    let mut keyframes = Keyframes::default();
    let mut meter = Meter::default();
    let mut packet = ff::Packet::empty();
    let mut first = None;
    while packet.read(input).is_ok() {
        let Some(dts) = time(&packet, selection) else {
            continue;
        };
        let at = dts - *first.get_or_insert(dts);
        meter.add(dts, packet.size());
        if packet.stream() == selection.video.index && at <= KEYFRAMES_OVER {
            keyframes.frame(at, packet.is_key());
        }
        let enough = at > KEYFRAMES_OVER && start.elapsed() > TIME_MAX;
        if enough || at > RATE_OVER {
            break;
        }
    }
    Seen {
        keyframes_apart: keyframes.worst(),
        rate: meter.estimate().unwrap_or(Bitrate::ZERO),
    }
}

/// When a selected packet is decoded, on the input's own clock in 1/90,000 s.
fn time(packet: &ff::Packet, selection: &Selection) -> Option<i64> {
    let selected = [Some(&selection.video), selection.audio.as_ref()];
    let stream = selected
        .into_iter()
        .flatten()
        .find(|stream| stream.index == packet.stream())?;
    let time = packet.dts().or_else(|| packet.pts())?;
    Some(time.rescale(stream.time_base, crate::encode::CLOCK))
}

/// How far keyframes are apart.
#[derive(Default)]
pub(crate) struct Keyframes {
    last: Option<i64>,
    newest: i64,
    worst: i64,
}

impl Keyframes {
    /// A frame is decoded at `dts`.
    pub(crate) fn frame(&mut self, dts: i64, keyframe: bool) {
        self.newest = dts;
        let last = *self.last.get_or_insert(dts);
        self.worst = self.worst.max(dts - last);
        if keyframe {
            self.last = Some(dts);
        }
    }

    /// The longest time without one, up to now.
    pub(crate) fn worst(&self) -> i64 {
        self.worst
    }

    /// How long the last one is ago.
    pub(crate) fn since_last(&self) -> i64 {
        self.last.map_or(0, |last| self.newest - last)
    }
}

/// The rate over the last 3 s, and the greatest such rate.
#[derive(Default)]
pub(crate) struct Meter {
    window: VecDeque<(i64, usize)>,
    bytes: usize,
    whole: bool,
    worst: Bitrate,
}

/// Over how much the rate is measured.
const WINDOW: i64 = 3 * HZ;

impl Meter {
    /// A packet of `bytes`, decoded at `dts`.
    pub(crate) fn add(&mut self, dts: i64, bytes: usize) {
        self.window.push_back((dts, bytes));
        self.bytes += bytes;
        while let Some(&(oldest, size)) = self.window.front() {
            if dts - oldest < WINDOW {
                break;
            }
            self.whole = true;
            self.bytes -= size;
            self.window.pop_front();
        }
        if self.whole {
            self.worst = self.worst.max(self.rate_over(WINDOW));
        }
    }

    /// The greatest rate of 3 s; `None` until so much has been seen. A shorter time says little: it may hold a keyframe
    /// more than its share.
    pub(crate) fn worst(&self) -> Option<Bitrate> {
        self.whole.then_some(self.worst)
    }

    /// Like [`worst`](Self::worst), or the rate of what there is, as long as it is half a second.
    pub(crate) fn estimate(&self) -> Option<Bitrate> {
        self.worst().or_else(|| {
            let (first, last) = (self.window.front()?.0, self.window.back()?.0);
            (last - first >= HZ / 2).then(|| self.rate_over(last - first))
        })
    }

    /// Forgets the greatest rate, not the window.
    pub(crate) fn forget_worst(&mut self) {
        self.worst = Bitrate::ZERO;
    }

    fn rate_over(&self, ticks: i64) -> Bitrate {
        Bitrate((self.bytes as u64 * 8).saturating_mul(HZ as u64) / ticks.max(1) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_three_seconds_count() {
        let mut meter = Meter::default();
        for tick in 0..100 {
            let bytes = if (40..70).contains(&tick) { 25_000 } else { 12_500 };
            meter.add(tick * HZ / 10, bytes);
        }
        assert_eq!(meter.worst(), Some(Bitrate::from_kbps(2000)));
    }

    #[test]
    fn what_was_hardly_seen_has_no_rate() {
        let mut meter = Meter::default();
        assert_eq!((meter.worst(), meter.estimate()), (None, None));
        (0..5).for_each(|tick| meter.add(tick * HZ / 10, 12_500));
        assert_eq!((meter.worst(), meter.estimate()), (None, None));
        meter.add(HZ, 12_500);
        assert_eq!(
            (meter.worst(), meter.estimate()),
            (None, Some(Bitrate::from_kbps(600)))
        );
    }

    #[test]
    fn keyframes_are_counted_to_the_last_frame() {
        let mut keyframes = Keyframes::default();
        for second in 0..9 {
            keyframes.frame(second * HZ, second == 0 || second == 2);
        }
        assert_eq!(keyframes.worst(), 6 * HZ);
        assert_eq!(keyframes.since_last(), 6 * HZ);
    }
}
