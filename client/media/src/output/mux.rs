//! A muxer of FFmpeg that writes into memory, so that the writers behind it fail with their own errors.

use crate::encode::CLOCK;
use crate::error::Error;
use crate::sys;
use banyan_protocol::media::{Packet, Track};
use ffmpeg_next as ff;
use ffmpeg_next::format::context;
use std::sync::{Arc, Mutex};

/// A muxer and what it has written.
pub(crate) struct Muxer {
    output: context::Output,
    written: Written,
    last_dts: Vec<i64>,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().expect("no holder panics"))
    }
}

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut written = self.0.lock().expect("no holder panics");
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Muxer {
    /// Opens FFmpeg's muxer `format`, with its options, and writes the header.
    pub(crate) fn new(format: &str, options: &[(&str, &str)], tracks: &[Track]) -> Result<Self, Error> {
        sys::init();
        let failed = Error::during("opening the muxer");
        let written = Written::default();
        let io = context::StreamIo::from_write(written.clone()).map_err(&failed)?;
        let mut output = ff::format::output_to_stream(io, None, Some(format)).map_err(&failed)?;
        for track in tracks {
            sys::add_stream(&mut output, sys::parameters(track)).map_err(&failed)?;
        }
        let mut dictionary = ff::Dictionary::new();
        for (key, value) in options {
            dictionary.set(key, value);
        }
        output.write_header_with(dictionary).map_err(&failed)?;
        Ok(Self {
            output,
            written,
            last_dts: vec![i64::MIN; tracks.len()],
        })
    }

    /// Muxes a packet; one of a track that was not announced is left out.
    pub(crate) fn packet(&mut self, packet: &Packet) -> Result<(), Error> {
        let index = usize::from(packet.track);
        let Some(stream) = self.output.stream(index) else {
            return Ok(());
        };
        let unit = stream.time_base();
        let mut coded = ff::Packet::copy(&packet.data);
        coded.set_stream(index);
        coded.set_pts(Some(packet.pts));
        coded.set_dts(Some(packet.dts));
        coded.set_duration(i64::from(packet.duration));
        coded.rescale_ts(CLOCK, unit);
        self.keep_growing(index, &mut coded);
        if packet.keyframe {
            coded.set_flags(ff::packet::Flags::KEY);
        }
        coded
            .write(&mut self.output)
            .map(drop)
            .map_err(Error::during("muxing"))
    }

    /// Muxers refuse times that don't grow, and rounding to their unit can make them so. A packet without a duration is
    /// taken to last as long as the one before.
    fn keep_growing(&mut self, index: usize, coded: &mut ff::Packet) {
        let last = self.last_dts[index];
        let dts = coded.dts().unwrap_or(0).max(last.saturating_add(1));
        let duration = match coded.duration() {
            known if known > 0 => known,
            _ if last == i64::MIN => 0,
            _ => dts - last,
        };
        coded.set_dts(Some(dts));
        coded.set_pts(coded.pts().map(|pts| pts.max(dts)));
        coded.set_duration(duration);
        self.last_dts[index] = dts;
    }

    /// Takes what was written since the last time, all of it.
    pub(crate) fn take(&mut self) -> Result<Vec<u8>, Error> {
        sys::flush(&mut self.output).map_err(Error::during("muxing"))?;
        Ok(self.written.take())
    }

    /// Ends the stream, and takes what is left.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.output.write_trailer().map_err(Error::during("muxing"))?;
        Ok(self.written.take())
    }
}
