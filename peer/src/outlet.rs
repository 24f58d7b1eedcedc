//! What goes to the program around the driver. It never holds up the driver: what is not fetched in time is dropped here,
//! in a way that the media side can play over.

use banyan_protocol::event::Event;
use banyan_protocol::io::{CloudOrder, Ended, Play};
use std::collections::VecDeque;
use tokio::sync::mpsc::{Permit, Sender, error::SendError};

/// Plays that wait here at most. A viewer that begins hands over all since a keyframe at once, up to four seconds and
/// over 400 packets, on a machine that may be busy with other things for longer than that: this is over a minute of 60
/// pictures and 50 pieces of sound a second. When plays overflow, all that wait are replaced by a [`Play::Gap`], and
/// packets up to the next keyframe are dropped.
const PLAYS_MAX: usize = 8192;

/// Bytes of packets that wait at most: over a minute of 8 Mbit/s. What a program keeps for a slow disk comes on top.
const PLAYS_BYTES_MAX: usize = 64 << 20;

/// Events that wait here at most: minutes of measurements. When they overflow, the oldest is dropped.
const EVENTS_MAX: usize = 256;

/// Something for the program around the driver.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Hand this to the outputs, now.
    Play(Play),
    /// Tell the person, or the program that reads `--json`.
    Event(Event),
    /// Ask the cloud provider. Never dropped, but for measurements that newer ones replace.
    Cloud(CloudOrder),
    /// The machine has ended, its links are closed, and nothing more comes.
    Ended(Ended),
}

/// The plays that wait.
#[derive(Debug, Default)]
struct Plays {
    waiting: VecDeque<Play>,
    /// Of the packets in `waiting`.
    bytes: usize,
    /// Whether the tracks last announced have a picture: then only its keyframes are places to begin.
    has_video: Vec<bool>,
    /// Packets are dropped until one of these begins.
    is_skipping: bool,
}

impl Plays {
    fn push(&mut self, play: Play) {
        match &play {
            Play::Tracks { tracks, .. } => {
                self.has_video = tracks
                    .iter()
                    .map(banyan_protocol::media::Track::is_video)
                    .collect();
            }
            Play::Packet(packet) if self.is_skipping => {
                self.is_skipping = !(packet.keyframe && self.may_begin(packet.track));
                if self.is_skipping {
                    return;
                }
            }
            Play::Packet(_) | Play::Gap => {}
        }
        self.bytes += size(&play);
        self.waiting.push_back(play);
        if self.waiting.len() > PLAYS_MAX || self.bytes > PLAYS_BYTES_MAX {
            self.overflow();
        }
    }

    fn pop(&mut self) -> Option<Play> {
        let play = self.waiting.pop_front()?;
        self.bytes -= size(&play);
        Some(play)
    }

    fn may_begin(&self, track: u8) -> bool {
        let is_video = self.has_video.get(usize::from(track)) == Some(&true);
        is_video || !self.has_video.contains(&true)
    }

    /// Drops what waits, but for the tracks that are now in force.
    fn overflow(&mut self) {
        tracing::warn!("the output is too slow; leaving a gap");
        let tracks = self
            .waiting
            .iter()
            .rposition(|play| matches!(play, Play::Tracks { .. }));
        let tracks = tracks.and_then(|index| self.waiting.remove(index));
        self.waiting.clear();
        self.bytes = 0;
        self.waiting.extend(tracks);
        self.waiting.push_back(Play::Gap);
        self.is_skipping = true;
    }
}

fn size(play: &Play) -> usize {
    match play {
        Play::Packet(packet) => packet.data.len(),
        Play::Tracks { .. } | Play::Gap => 0,
    }
}

/// The driver's end of the channel to the program.
#[derive(Debug)]
pub(crate) struct Outlet {
    to: Sender<Outgoing>,
    plays: Plays,
    events: VecDeque<Event>,
    /// A few for each relay, of which the machine keeps a few.
    orders: VecDeque<CloudOrder>,
}

impl Outlet {
    pub(crate) fn new(to: Sender<Outgoing>) -> Self {
        Self {
            to,
            plays: Plays::default(),
            events: VecDeque::new(),
            orders: VecDeque::new(),
        }
    }

    pub(crate) fn play(&mut self, play: Play) {
        self.plays.push(play);
    }

    pub(crate) fn event(&mut self, event: Event) {
        if self.events.len() == EVENTS_MAX {
            tracing::warn!("nobody reads the events; dropping the oldest");
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(crate) fn cloud(&mut self, order: CloudOrder) {
        if let CloudOrder::Used { relay, .. } = order {
            self.orders
                .retain(|other| !matches!(other, CloudOrder::Used { relay: same, .. } if *same == relay));
        }
        self.orders.push_back(order);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plays.waiting.is_empty() && self.events.is_empty() && self.orders.is_empty()
    }

    /// Passes on what it can without waiting.
    pub(crate) fn pump(&mut self) {
        while !self.is_empty() {
            match self.to.clone().try_reserve() {
                Ok(permit) => self.pass(permit),
                Err(_) => return,
            }
        }
    }

    /// Waits until the program takes something; for ever if it has gone.
    pub(crate) async fn ready(&self) {
        if self.to.reserve().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Passes on all that waits, and how the machine ended. A program that has gone doesn't mind.
    pub(crate) async fn finish(mut self, ended: Ended) {
        let _ = self.drain(ended).await;
    }

    async fn drain(&mut self, ended: Ended) -> Result<(), SendError<()>> {
        let to = self.to.clone();
        while !self.is_empty() {
            let permit = to.reserve().await?;
            self.pass(permit);
        }
        to.reserve().await?.send(Outgoing::Ended(ended));
        Ok(())
    }

    fn pass(&mut self, permit: Permit<'_, Outgoing>) {
        if let Some(order) = self.orders.pop_front() {
            permit.send(Outgoing::Cloud(order));
        } else if let Some(play) = self.plays.pop() {
            permit.send(Outgoing::Play(play));
        } else if let Some(event) = self.events.pop_front() {
            permit.send(Outgoing::Event(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::media::{Codec, Kind, Packet, TierId, Track};
    use bytes::Bytes;

    fn packet(track: u8, keyframe: bool, pts: i64) -> Play {
        Play::Packet(Packet {
            track,
            pts,
            dts: pts,
            duration: 0,
            keyframe,
            data: Bytes::new(),
        })
    }

    fn tracks() -> Play {
        let video = Kind::Video {
            width: 2,
            height: 2,
            frames_per_1000s: 25_000,
        };
        let audio = Kind::Audio {
            sample_rate: 48_000,
            channels: 2,
        };
        let track = |codec, kind| Track {
            codec,
            kind,
            setup: Bytes::new(),
        };
        Play::Tracks {
            tier: TierId(1),
            tracks: [track(Codec::H264, video), track(Codec::Aac, audio)].into(),
        }
    }

    #[test]
    fn an_output_that_is_too_slow_gets_a_gap_and_a_keyframe() {
        let mut plays = Plays::default();
        plays.push(tracks());
        (0..PLAYS_MAX as i64).for_each(|pts| plays.push(packet(0, false, pts)));
        plays.push(packet(1, true, 10_000));
        plays.push(packet(0, false, 10_001));
        plays.push(packet(0, true, 10_002));
        plays.push(packet(1, true, 10_003));
        let left: Vec<Play> = plays.waiting.into();
        assert!(matches!(
            &left[..],
            [Play::Tracks { .. }, Play::Gap, Play::Packet(key), Play::Packet(next)]
                if key.pts == 10_002 && next.pts == 10_003
        ));
    }

    #[test]
    fn large_packets_count_by_their_bytes_and_each_overflow_ends_at_a_keyframe() {
        let mut plays = Plays::default();
        plays.push(tracks());
        let large = |keyframe, pts| match packet(0, keyframe, pts) {
            Play::Packet(packet) => Play::Packet(Packet {
                data: Bytes::from_static(&[0; 1 << 20]),
                ..packet
            }),
            other => other,
        };
        for second in 0..3 {
            plays.push(large(true, second * 100));
            (1..100).for_each(|frame| plays.push(large(false, second * 100 + frame)));
            assert!(plays.bytes <= PLAYS_BYTES_MAX && plays.is_skipping);
            assert_eq!(plays.waiting.len(), 2, "the tracks and a gap");
        }
        plays.push(large(true, 300));
        assert!(!plays.is_skipping);
        while plays.pop().is_some() {}
        assert_eq!(plays.bytes, 0);
    }

    #[test]
    fn what_is_fetched_in_time_is_whole() {
        let (to, mut from) = tokio::sync::mpsc::channel(2);
        let mut outlet = Outlet::new(to);
        for pts in 0..5 {
            outlet.play(packet(0, true, pts));
        }
        outlet.event(Event::Stall);
        let mut got = Vec::new();
        while !outlet.is_empty() {
            outlet.pump();
            while let Ok(outgoing) = from.try_recv() {
                got.push(outgoing);
            }
        }
        assert_eq!(got.len(), 6);
        assert!(matches!(got[5], Outgoing::Event(Event::Stall)));
    }
}
