//! What a viewer plays, as files and streams that any player reads.
//!
//! A writer takes [`Play`](banyan_protocol::io::Play) items in order, on whatever thread calls it.

mod codecs;
mod hls;
mod mpegts;
mod mux;

pub use hls::HlsSegmenter;
pub use mpegts::TsWriter;

/// Why an output ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the writer behind it said, untouched: a full disk, a closed pipe.
    #[error(transparent)]
    Write(#[from] std::io::Error),
    /// FFmpeg cannot mux what came.
    #[error(transparent)]
    Mux(#[from] crate::Error),
}
