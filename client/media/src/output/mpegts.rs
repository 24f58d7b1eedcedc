//! MPEG-TS, for files, pipes and HTTP.

use super::Error;
use super::mux::Muxer;
use banyan_protocol::io::Play;
use banyan_protocol::media::Track;
use std::io::Write;
use std::sync::Arc;

/// Writes what is played as one MPEG transport stream. Every packet is written out at once.
///
/// When tracks change, or something is missing, the stream goes on with new tables and the discontinuity indicator set.
pub struct TsWriter<W> {
    writer: W,
    muxer: Option<Muxer>,
    tracks: Arc<[Track]>,
    tables: u8,
}

impl<W: Write> TsWriter<W> {
    /// A stream that goes to `writer`; nothing is written yet.
    pub fn new(writer: W) -> Self {
        Self {
            writer,
            muxer: None,
            tracks: Arc::new([]),
            tables: 0,
        }
    }

    /// Takes in the next thing that is played.
    ///
    /// Fails with what the writer said, untouched, or if FFmpeg cannot mux it; nothing may follow then.
    pub fn play(&mut self, play: &Play) -> Result<(), Error> {
        match play {
            Play::Tracks { tracks, .. } => self.tracks(tracks),
            Play::Gap => self.renew(),
            Play::Packet(packet) => {
                if let Some(muxer) = &mut self.muxer {
                    muxer.packet(packet)?;
                }
                self.write_out()
            }
        }
    }

    /// The writer behind it.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Ends the stream, and gives the writer back.
    pub fn finish(mut self) -> Result<W, Error> {
        self.end_muxer()?;
        self.writer.flush()?;
        Ok(self.writer)
    }

    fn tracks(&mut self, tracks: &Arc<[Track]>) -> Result<(), Error> {
        if *tracks == self.tracks {
            return Ok(());
        }
        self.tracks = Arc::clone(tracks);
        self.tables = (self.tables + 1) % 32;
        self.renew()
    }

    /// Begins with new tables. The muxer writes them with the first packet.
    fn renew(&mut self) -> Result<(), Error> {
        let goes_on = self.muxer.is_some();
        self.end_muxer()?;
        let version = self.tables.to_string();
        let flags = if goes_on {
            "initial_discontinuity"
        } else {
            "resend_headers"
        };
        let options = [
            ("mpegts_copyts", "1"),
            ("pes_payload_size", "0"),
            ("tables_version", &version),
            ("mpegts_flags", flags),
        ];
        if !self.tracks.is_empty() {
            self.muxer = Some(Muxer::new("mpegts", &options, &self.tracks)?);
        }
        Ok(())
    }

    fn end_muxer(&mut self) -> Result<(), Error> {
        if let Some(muxer) = self.muxer.take() {
            self.writer.write_all(&muxer.finish()?)?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), Error> {
        if let Some(muxer) = &mut self.muxer {
            let written = muxer.take()?;
            if !written.is_empty() {
                self.writer.write_all(&written)?;
                self.writer.flush()?;
            }
        }
        Ok(())
    }
}
