//! `/live.m3u8`: one segmenter for all clients, fed from the hub.

use crate::output::hub::{Over, Reader};
use banyan_media::output::HlsSegmenter;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard};

/// The newest segments.
#[derive(Clone)]
pub(super) struct Hls(Arc<Mutex<HlsSegmenter>>);

/// A file that the playlist names.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) kind: String,
    pub(super) data: Bytes,
}

impl Hls {
    /// Segments what `reader` gets, until it gets no more.
    pub(super) fn start(mut reader: Reader) -> Self {
        let hls = Self(Arc::new(Mutex::new(HlsSegmenter::new())));
        let segmenter = hls.clone();
        tokio::spawn(async move {
            let over = loop {
                match reader.next().await {
                    Ok(play) => {
                        if let Err(error) = segmenter.lock().play(&play) {
                            tracing::warn!(%error, "no more HLS: it cannot be muxed");
                            return;
                        }
                    }
                    Err(over) => break over,
                }
            };
            match over {
                Over::TooSlow => tracing::warn!("no more HLS: this machine is too slow"),
                Over::Ended => {
                    if let Err(error) = segmenter.lock().finish() {
                        tracing::warn!(%error, "the last HLS segment cannot be muxed");
                    }
                }
            }
        });
        hls
    }

    /// The playlist, once it has a segment.
    pub(super) fn playlist(&self) -> Option<String> {
        let segmenter = self.lock();
        segmenter.is_ready().then(|| segmenter.playlist())
    }

    /// What the playlist names `name`.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        let segmenter = self.lock();
        Some(Part {
            data: segmenter.file(name)?,
            kind: format!("video/mp4; codecs=\"{}\"", segmenter.codecs()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HlsSegmenter> {
        self.0.lock().expect("nobody panics while muxing")
    }
}
