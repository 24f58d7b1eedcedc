//! Sound to AAC.

use super::graph::Graph;
use super::{CLOCK, Coded};
use crate::error::Error;
use crate::sys;
use banyan_protocol::media::{Codec, Kind, Track};
use banyan_protocol::units::Bitrate;
use bytes::Bytes;
use ffmpeg_next as ff;
use ffmpeg_next::Rescale as _;

/// What to make of the sound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Samples a second of one channel.
    pub(crate) sample_rate: u32,
    /// One or two.
    pub(crate) channels: u8,
    /// Mean rate.
    pub(crate) rate: Bitrate,
}

/// An opened encoder, and the filters before it, which are made when the first frame shows what it is.
pub(crate) struct Audio {
    settings: Settings,
    encoder: ff::codec::encoder::audio::Encoder,
    filters: Option<(Form, Graph)>,
    setup: Bytes,
}

/// What filters depend on.
#[derive(Clone, PartialEq)]
struct Form {
    sample_rate: u32,
    sample: ff::format::Sample,
    layout: String,
}

/// Samples in a frame of AAC.
const FRAME: u32 = 1024;

impl Audio {
    /// Opens FFmpeg's AAC encoder.
    pub(crate) fn open(settings: Settings) -> Result<Self, Error> {
        let codec = ff::encoder::find(ff::codec::Id::AAC).ok_or_else(|| Error::Missing {
            what: "AAC encoder".into(),
        })?;
        let encoder = open(&settings, codec).map_err(Error::during("opening the AAC encoder"))?;
        let setup = Bytes::copy_from_slice(sys::encoder_extradata(&encoder));
        Ok(Self {
            settings,
            encoder,
            filters: None,
            setup,
        })
    }

    /// The track that it makes.
    pub(crate) fn track(&self) -> Track {
        Track {
            codec: Codec::Aac,
            kind: Kind::Audio {
                sample_rate: self.settings.sample_rate,
                channels: self.settings.channels,
            },
            setup: self.setup.clone(),
        }
    }

    /// Codes a frame whose time is in units of the media clock; appends what is ready to `out`.
    pub(crate) fn frame(&mut self, frame: &mut ff::frame::Audio, out: &mut Vec<Coded>) -> Result<(), Error> {
        sys::settle_channel_layout(frame);
        let form = Form {
            sample_rate: frame.rate(),
            sample: frame.format(),
            layout: sys::channel_layout(frame),
        };
        if self.filters.as_ref().map(|(form, _)| form) != Some(&form) {
            self.finish_filters(out)?;
            let graph = graph(&self.settings, &form)?;
            self.filters = Some((form, graph));
        }
        let (_, filters) = self.filters.as_mut().expect("made above");
        filters.push(frame)?;
        self.drain_filters(out)
    }

    /// Codes what is held back; nothing may follow.
    pub(crate) fn finish(&mut self, out: &mut Vec<Coded>) -> Result<(), Error> {
        self.finish_filters(out)?;
        self.encoder.send_eof().map_err(Error::during("encoding sound"))?;
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
        let mut frame = ff::frame::Audio::empty();
        while let Some((_, filters)) = &mut self.filters {
            if !filters.pull(&mut frame) {
                break;
            }
            let unit = filters.time_base();
            let samples = ff::Rational(1, self.settings.sample_rate as i32);
            let pts = frame.pts().map(|pts| pts.rescale(unit, samples));
            frame.set_pts(pts);
            self.encoder
                .send_frame(&frame)
                .map_err(Error::during("encoding sound"))?;
            self.drain_encoder(out);
        }
        Ok(())
    }

    fn drain_encoder(&mut self, out: &mut Vec<Coded>) {
        let mut packet = ff::Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            if let Some(coded) = self.coded(&packet) {
                out.push(coded);
            }
        }
    }

    fn coded(&self, packet: &ff::Packet) -> Option<Coded> {
        let samples = ff::Rational(1, self.settings.sample_rate as i32);
        let pts = packet.pts()?.rescale(samples, CLOCK);
        Some(Coded {
            pts,
            dts: pts,
            duration: FRAME * 90_000 / self.settings.sample_rate,
            keyframe: true,
            data: Bytes::copy_from_slice(packet.data()?),
        })
    }
}

fn open(settings: &Settings, codec: ff::Codec) -> Result<ff::codec::encoder::audio::Encoder, ff::Error> {
    let mut context = ff::codec::Context::new_with_codec(codec);
    sys::global_header(&mut context);
    let mut encoder = context.encoder().audio()?;
    encoder.set_rate(settings.sample_rate as i32);
    encoder.set_channel_layout(ff::ChannelLayout::default(i32::from(settings.channels)));
    encoder.set_format(ff::format::Sample::F32(ff::format::sample::Type::Planar));
    encoder.set_bit_rate(settings.rate.as_bps() as usize);
    encoder.set_time_base((1, settings.sample_rate as i32));
    encoder.open_as(codec)
}

/// Gaps and jumps of more than 30 ms are filled with silence or cut, so that the sound stays in step with the picture.
fn graph(settings: &Settings, form: &Form) -> Result<Graph, Error> {
    let source = format!(
        "time_base=1/90000:sample_rate={}:sample_fmt={}:channel_layout={}",
        form.sample_rate,
        form.sample.name(),
        form.layout,
    );
    let layout = if settings.channels == 1 { "mono" } else { "stereo" };
    let chain = format!(
        "aresample={}:async=1:min_hard_comp=0.03,aformat=sample_fmts=fltp:channel_layouts={layout},\
         asetnsamples=n={FRAME}:p=0",
        settings.sample_rate,
    );
    Graph::new("abuffer", &source, &chain, "abuffersink")
}
