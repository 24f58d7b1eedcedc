//! What touches FFmpeg in Banyan: any input to the packets of a channel's tiers, and what a viewer plays to MPEG-TS and HLS, or to
//! pictures and sound.
//!
//! FFmpeg's types stay inside: what goes in and out are the types of [`banyan_protocol::media`] and
//! [`banyan_protocol::io`]. Everything here blocks and runs on threads of its own; nothing needs an async runtime.
//!
//! # The one form of a packet
//! Whatever the input, video is a byte stream (Annex B): [`Track::setup`](banyan_protocol::media::Track::setup) holds
//! the parameter sets with start codes, and every keyframe begins with them. Sound is AAC as raw access units, `setup`
//! is the AudioSpecificConfig. Times are 90 kHz; per track `dts` grows strictly and `pts` is never before it, over loops
//! and reconnects too.

pub mod decode;
mod encode;
mod error;
pub mod ingest;
pub mod output;
mod sys;

pub use error::Error;
