//! What pictures and sound have in common: filters that are made anew when the frames change, and the encoder behind them.

use super::Coded;
use super::graph::Graph;
use crate::error::Error;
use ffmpeg_next as ff;
use ffmpeg_next::Rescale as _;

/// What pictures and sound do each in their way.
pub(super) trait Medium {
    /// What the filters depend on.
    type Form: PartialEq;

    /// What is being done when the encoder fails.
    const ENCODING: &'static str;

    /// The filters for frames of a form.
    fn graph(&self, form: &Self::Form) -> Result<Graph, Error>;

    /// The encoder's unit of time.
    fn clock(&self) -> ff::Rational;

    /// What the encoder made, as a coded frame.
    fn coded(&self, packet: &ff::Packet) -> Option<Coded>;
}

/// An opened encoder, and the filters before it, which are made when the first frame shows what it is.
pub(super) struct Coder<M: Medium> {
    pub(super) medium: M,
    encoder: ff::codec::encoder::Encoder,
    filters: Option<(M::Form, Graph)>,
}

impl<M: Medium> Coder<M> {
    /// Without filters yet.
    pub(super) fn new(medium: M, encoder: ff::codec::encoder::Encoder) -> Self {
        Self {
            medium,
            encoder,
            filters: None,
        }
    }

    /// The form that the filters were made for.
    pub(super) fn form(&self) -> Option<&M::Form> {
        self.filters.as_ref().map(|(form, _)| form)
    }

    /// Codes a frame of a form; appends what is ready to `out`.
    pub(super) fn frame(
        &mut self,
        form: M::Form,
        frame: &ff::Frame,
        out: &mut Vec<Coded>,
    ) -> Result<(), Error> {
        if self.form() != Some(&form) {
            self.finish_filters(out)?;
            let graph = self.medium.graph(&form)?;
            self.filters = Some((form, graph));
        }
        let (_, filters) = self.filters.as_mut().expect("made above");
        filters.push(frame)?;
        self.drain_filters(out)
    }

    /// Codes what is held back; nothing may follow.
    pub(super) fn finish(&mut self, out: &mut Vec<Coded>) -> Result<(), Error> {
        self.finish_filters(out)?;
        self.encoder.send_eof().map_err(Error::during(M::ENCODING))?;
        self.drain_encoder(out);
        Ok(())
    }

    fn finish_filters(&mut self, out: &mut Vec<Coded>) -> Result<(), Error> {
        if let Some((_, filters)) = &mut self.filters {
            filters.finish()?;
            self.drain_filters(out)?;
        }
        Ok(())
    }

    fn drain_filters(&mut self, out: &mut Vec<Coded>) -> Result<(), Error> {
        // FFmpeg has one kind of frame; whether it is a picture is what the filters put in.
        let mut frame = ff::frame::Video::empty();
        while let Some((_, filters)) = &mut self.filters {
            if !filters.pull(&mut frame) {
                break;
            }
            let unit = filters.time_base();
            let pts = frame.pts().map(|pts| pts.rescale(unit, self.medium.clock()));
            frame.set_pts(pts);
            // Which pictures are keyframes is the encoder's choice, not the input's.
            frame.set_kind(ff::picture::Type::None);
            self.encoder
                .send_frame(&frame)
                .map_err(Error::during(M::ENCODING))?;
            self.drain_encoder(out);
        }
        Ok(())
    }

    fn drain_encoder(&mut self, out: &mut Vec<Coded>) {
        let mut packet = ff::Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            out.extend(self.medium.coded(&packet));
        }
    }
}
