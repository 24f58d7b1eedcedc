//! One stream, any number of readers: each begins at the newest keyframe, and one that is too slow falls out.

use banyan_protocol::io::Play;
use banyan_protocol::media::Packet;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::broadcast;

/// What a reader may be behind: about half a minute of a stream with sound.
const BEHIND_MAX: usize = 2048;

/// What is kept since the newest keyframe; with more between two keyframes a reader begins at the next.
const KEPT_MAX: usize = 32 << 20;

/// Hands what is played to its readers.
#[derive(Debug)]
pub(crate) struct Hub {
    recent: Mutex<Recent>,
}

/// What a new reader begins with: the tracks, and all since the newest keyframe.
#[derive(Debug)]
struct Recent {
    /// `None` when the stream has ended.
    live: Option<broadcast::Sender<Play>>,
    tracks: Option<Play>,
    has_video: bool,
    since_keyframe: Vec<Play>,
    bytes: usize,
}

/// What one reader gets.
#[derive(Debug)]
pub(crate) struct Reader {
    first: std::vec::IntoIter<Play>,
    live: broadcast::Receiver<Play>,
}

/// Why a reader gets no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The stream has ended.
    Ended,
    /// It read too slowly.
    TooSlow,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            recent: Mutex::new(Recent {
                live: Some(broadcast::Sender::new(BEHIND_MAX)),
                tracks: None,
                has_video: false,
                since_keyframe: Vec::new(),
                bytes: 0,
            }),
        }
    }

    /// Hands on what is played now. Never waits.
    pub(crate) fn play(&self, play: Play) {
        let mut recent = self.recent();
        recent.keep(&play);
        // Under the lock, so that a new reader misses nothing and gets nothing twice.
        if let Some(live) = &recent.live {
            // No reader is no error.
            let _ = live.send(play);
        }
    }

    /// The stream has ended: readers get what is left, and no more.
    pub(crate) fn end(&self) {
        self.recent().live = None;
    }

    /// A reader that begins at the newest keyframe; `None` when the stream has ended.
    pub(crate) fn read(&self) -> Option<Reader> {
        let recent = self.recent();
        let first: Vec<Play> = recent
            .tracks
            .iter()
            .chain(&recent.since_keyframe)
            .cloned()
            .collect();
        Some(Reader {
            live: recent.live.as_ref()?.subscribe(),
            first: first.into_iter(),
        })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().expect("nobody panics while keeping a frame")
    }
}

impl Recent {
    fn keep(&mut self, play: &Play) {
        match play {
            Play::Tracks { tracks, .. } => {
                self.forget();
                self.has_video = tracks.iter().any(|track| track.is_video());
                self.tracks = Some(play.clone());
            }
            Play::Gap => self.forget(),
            Play::Packet(packet) => self.keep_packet(packet, play),
        }
    }

    fn keep_packet(&mut self, packet: &Packet, play: &Play) {
        if self.may_begin_with(packet) {
            self.forget();
        } else if self.since_keyframe.is_empty() {
            return;
        }
        self.bytes += packet.data.len();
        self.since_keyframe.push(play.clone());
        if self.bytes > KEPT_MAX {
            self.forget();
        }
    }

    /// Sound is a keyframe throughout, but begins a stream without picture only.
    fn may_begin_with(&self, packet: &Packet) -> bool {
        let Some(Play::Tracks { tracks, .. }) = &self.tracks else {
            return false;
        };
        let track = tracks.get(usize::from(packet.track));
        packet.keyframe && track.is_some_and(|track| track.is_video() == self.has_video)
    }

    fn forget(&mut self) {
        self.since_keyframe.clear();
        self.bytes = 0;
    }
}

impl Reader {
    /// What is played next.
    ///
    /// # Errors
    /// When there is no more for this reader.
    pub(crate) async fn next(&mut self) -> Result<Play, Over> {
        if let Some(play) = self.first.next() {
            return Ok(play);
        }
        self.live.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Closed => Over::Ended,
            broadcast::error::RecvError::Lagged(_) => Over::TooSlow,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::{frame, sound, tracks};

    async fn times(reader: &mut Reader, count: usize) -> Vec<i64> {
        let mut times = Vec::new();
        for _ in 0..count {
            if let Play::Packet(packet) = reader.next().await.unwrap() {
                times.push(packet.dts);
            }
        }
        times
    }

    #[tokio::test]
    async fn a_reader_begins_at_the_newest_keyframe() {
        let hub = Hub::new();
        hub.play(tracks());
        hub.play(sound(0));
        hub.play(frame(1, true));
        hub.play(frame(2, false));
        hub.play(frame(3, true));
        hub.play(sound(4));
        let mut reader = hub.read().unwrap();
        hub.play(frame(5, false));
        assert!(matches!(reader.next().await, Ok(Play::Tracks { .. })));
        assert_eq!(times(&mut reader, 3).await, [3, 4, 5]);
    }

    #[tokio::test]
    async fn after_a_gap_a_reader_begins_with_what_comes() {
        let hub = Hub::new();
        hub.play(tracks());
        hub.play(frame(1, true));
        hub.play(Play::Gap);
        let mut reader = hub.read().unwrap();
        hub.play(frame(9, true));
        assert!(matches!(reader.next().await, Ok(Play::Tracks { .. })));
        assert_eq!(times(&mut reader, 1).await, [9]);
    }

    #[tokio::test]
    async fn a_slow_reader_falls_out_and_the_others_go_on() {
        let hub = Hub::new();
        let mut slow = hub.read().unwrap();
        for dts in 0..=BEHIND_MAX as i64 {
            hub.play(frame(dts, false));
        }
        assert_eq!(slow.next().await.unwrap_err(), Over::TooSlow);
        let mut quick = hub.read().unwrap();
        hub.play(frame(7, true));
        assert!(quick.next().await.is_ok());
        hub.end();
        assert!(hub.read().is_none());
        assert_eq!(quick.next().await.unwrap_err(), Over::Ended);
    }
}
