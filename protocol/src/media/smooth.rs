//! Smoothing: bursts of media leave as blocks of at most 1.1 times the tier's rate, one a tick.
//!
//! A keyframe makes a slice of 100 ms about five times the mean, and store-and-forward turns that into seconds over a
//! few hops. So what is pushed waits here, at most about a second.

use super::block::{Block, BodyHead};
use super::record::{HEAD_MAX, Head};
use super::{Packet, Track};
use crate::limits::RECORD_MAX;
use crate::time::{ChannelTime, Duration, TICK};
use crate::units::Bitrate;
use crate::wire::chunk::{Flags, PAYLOAD_MAX};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// Hundredths of a tier's mean rate that a tick may carry: enough to work off a keyframe before the next one comes,
/// little enough that slots need hardly be larger than the rate.
const PEAK_PERCENT: u64 = 110;

/// Ticks in which what waits must be gone: beyond a second the delay would eat the viewers' buffer, so the rate gives.
const DRAIN_TICKS: u64 = 10;

/// Ticks of history that [`Smoother::needed_rate`] looks at: two of the longest keyframe intervals that are copied.
const HISTORY_TICKS: usize = 80;

/// Ticks of the largest blocks that may wait. More means that the input outruns even those; packets are dropped then.
const QUEUE_TICKS: usize = 30;

/// The least that a tick may carry, so that a record's head always fits.
const BUDGET_MIN: usize = 1024;

/// A record that waits, or what is left of it.
#[derive(Debug)]
struct Queued {
    /// Empty once it has been sent.
    head: Vec<u8>,
    data: Bytes,
    captured: ChannelTime,
    keyframe: bool,
    discontinuity: bool,
}

impl Queued {
    fn len(&self) -> usize {
        self.head.len() + self.data.len()
    }
}

/// Turns the packets of one tier into its blocks.
#[derive(Debug)]
pub struct Smoother {
    rate: Bitrate,
    stripes: u8,
    picture: Option<u8>,
    queue: VecDeque<Queued>,
    queued: usize,
    /// Bytes pushed in each of the last ticks, the present one last.
    history: VecDeque<usize>,
    discontinuity: bool,
    /// After a drop: what cannot be decoded without it is not sent either.
    needs_keyframe: bool,
    dropped: u64,
}

impl Smoother {
    /// For a tier of this mean rate, these tracks, and this many data stripes.
    pub fn new(rate: Bitrate, tracks: &[Track], stripes: u8) -> Self {
        Self {
            rate,
            stripes,
            picture: picture_of(tracks),
            queue: VecDeque::new(),
            queued: 0,
            history: VecDeque::from([0]),
            discontinuity: false,
            needs_keyframe: false,
            dropped: 0,
        }
    }

    /// The tier's rate or number of stripes changes with the next block; what waits is kept.
    pub fn set_rate(&mut self, rate: Bitrate, stripes: u8) {
        self.rate = rate;
        self.stripes = stripes;
    }

    /// The input's set-up changes with the next block: what waits is of the old one and is given up, and the media clock
    /// jumps. Packets of the new tracks may be pushed from now on.
    pub fn restart(&mut self, tracks: &[Track]) {
        self.picture = picture_of(tracks);
        self.queue.clear();
        self.queued = 0;
        self.needs_keyframe = true;
        self.discontinuity();
    }

    /// The media clock jumps before the next packet.
    pub fn discontinuity(&mut self) {
        self.discontinuity = true;
    }

    /// Takes in a packet that was captured at `now`. One larger than [`RECORD_MAX`], or beyond what may wait, is dropped,
    /// and with it all up to the next keyframe.
    pub fn push(&mut self, now: ChannelTime, packet: &Packet) {
        let starts = self.is_start(packet);
        if packet.data.len() > RECORD_MAX || self.queued > self.block_max() * QUEUE_TICKS {
            self.needs_keyframe = true;
            self.discontinuity = true;
        } else if starts {
            self.needs_keyframe = false;
        }
        if self.needs_keyframe {
            self.dropped += 1;
            return;
        }
        let discontinuity = core::mem::take(&mut self.discontinuity);
        self.enqueue(Queued {
            head: Head::of(packet, discontinuity).to_bytes(),
            data: packet.data.clone(),
            captured: now,
            keyframe: starts,
            discontinuity,
        });
    }

    /// The block of this tick, also if there is nothing to send. Call it once a tick.
    pub fn cut(&mut self, now: ChannelTime, number: u64) -> Block {
        self.next_tick();
        let captured = self.queue.front().map_or(now, |first| first.captured);
        let mut head = BodyHead::default();
        let mut flags = Flags::default();
        let mut room = self.budget();
        let mut body = BytesMut::with_capacity(room.min(self.queued + BodyHead::LEN));
        body.put_bytes(0, BodyHead::LEN);
        room -= BodyHead::LEN;
        while let Some(next) = self.queue.front_mut() {
            if !next.head.is_empty() {
                if room < HEAD_MAX {
                    break;
                }
                flags = flags.with(note(next, body.len() as u32, &mut head));
            }
            if room == 0 {
                break;
            }
            let moved = send(next, room, &mut body);
            room -= moved;
            self.queued -= moved;
            if next.len() == 0 {
                self.queue.pop_front();
            }
        }
        body[..BodyHead::LEN].copy_from_slice(&head.to_bytes());
        let body = if body.len() == BodyHead::LEN {
            Bytes::new()
        } else {
            body.freeze()
        };
        Block {
            number,
            captured,
            flags,
            body,
        }
    }

    /// Whether the next block will be one that playing may begin at.
    pub fn is_keyframe_next(&self) -> bool {
        let mut room = self.budget() - BodyHead::LEN;
        for queued in &self.queue {
            let begins = !queued.head.is_empty();
            if begins && room < HEAD_MAX {
                return false;
            }
            if begins && queued.keyframe {
                return true;
            }
            room = room.saturating_sub(queued.len());
        }
        false
    }

    /// How long what waits would take at 1.1 times the rate.
    pub fn backlog(&self) -> Duration {
        self.rate.percent(PEAK_PERCENT).time_for(self.queued as u64)
    }

    /// The least rate at which nothing of the last 8 s would have waited for more than a second. A tier whose rate is
    /// below it exceeds its rate, and wants a new layout.
    pub fn needed_rate(&self) -> Bitrate {
        let mut worst = Bitrate::ZERO;
        for start in 0..self.history.len() {
            let mut bytes = 0;
            for (ticks, pushed) in (1..).zip(self.history.range(start..)) {
                bytes += *pushed as u64;
                worst = worst.max(Bitrate::of(bytes, TICK * (ticks + DRAIN_TICKS as u32)));
            }
        }
        Bitrate((u128::from(worst.0) * 100).div_ceil(PEAK_PERCENT.into()) as u64)
    }

    /// Packets that were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_start(&self, packet: &Packet) -> bool {
        match self.picture {
            Some(picture) => packet.keyframe && packet.track == picture,
            None => true,
        }
    }

    fn enqueue(&mut self, queued: Queued) {
        self.queued += queued.len();
        *self.history.back_mut().expect("there is a present tick") += queued.len();
        self.queue.push_back(queued);
    }

    fn next_tick(&mut self) {
        if self.history.len() == HISTORY_TICKS {
            self.history.pop_front();
        }
        self.history.push_back(0);
    }

    /// Bytes that the next block's body may have: 1.1 times the rate, or what drains the queue in a second.
    fn budget(&self) -> usize {
        let smooth = self.rate.percent(PEAK_PERCENT).bytes_in(TICK) as usize;
        let drain = self.queued / DRAIN_TICKS as usize;
        smooth.max(drain).clamp(BUDGET_MIN, self.block_max())
    }

    fn block_max(&self) -> usize {
        usize::from(self.stripes) * PAYLOAD_MAX
    }
}

fn picture_of(tracks: &[Track]) -> Option<u8> {
    tracks.iter().position(Track::is_video).map(|index| index as u8)
}

/// Notes in the body's head that a record begins at `at`, and says which flags that gives the block.
fn note(record: &Queued, at: u32, head: &mut BodyHead) -> Flags {
    head.first_record.get_or_insert(at);
    let mut flags = Flags::default();
    if record.keyframe {
        head.first_keyframe.get_or_insert(at);
        flags = flags.with(Flags::KEYFRAME);
    }
    if record.discontinuity {
        flags = flags.with(Flags::DISCONTINUITY);
    }
    flags
}

/// Moves as much of `record` into `body` as `room` allows, its head at once.
fn send(record: &mut Queued, room: usize, body: &mut BytesMut) -> usize {
    let head = core::mem::take(&mut record.head);
    body.extend_from_slice(&head);
    let data = record.data.split_to(record.data.len().min(room - head.len()));
    body.extend_from_slice(&data);
    head.len() + data.len()
}

#[cfg(test)]
mod tests;
