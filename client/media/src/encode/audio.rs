//! Sound to AAC.

use super::coder::{Coder, Medium};
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

/// An opened encoder.
pub(crate) struct Audio(Coder<Sound>);

/// What is made of the sound, and how its decoder is set up.
struct Sound {
    settings: Settings,
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
        Ok(Self(Coder::new(Sound { settings, setup }, encoder)))
    }

    /// The track that it makes.
    pub(crate) fn track(&self) -> Track {
        let Sound { settings, setup } = &self.0.medium;
        Track {
            codec: Codec::Aac,
            kind: Kind::Audio {
                sample_rate: settings.sample_rate,
                channels: settings.channels,
            },
            setup: setup.clone(),
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
        self.0.frame(form, frame, out)
    }

    /// Codes what is held back; nothing may follow.
    pub(crate) fn finish(&mut self, out: &mut Vec<Coded>) -> Result<(), Error> {
        self.0.finish(out)
    }
}

impl Medium for Sound {
    type Form = Form;

    const ENCODING: &'static str = "encoding sound";

    fn graph(&self, form: &Form) -> Result<Graph, Error> {
        graph(&self.settings, form)
    }

    fn clock(&self) -> ff::Rational {
        ff::Rational(1, self.settings.sample_rate as i32)
    }

    fn coded(&self, packet: &ff::Packet) -> Option<Coded> {
        let pts = packet.pts()?.rescale(self.clock(), CLOCK);
        Some(Coded {
            pts,
            dts: pts,
            duration: FRAME * 90_000 / self.settings.sample_rate,
            keyframe: true,
            data: Bytes::copy_from_slice(packet.data()?),
        })
    }
}

fn open(settings: &Settings, codec: ff::Codec) -> Result<ff::codec::encoder::Encoder, ff::Error> {
    let mut context = ff::codec::Context::new_with_codec(codec);
    sys::global_header(&mut context);
    let mut encoder = context.encoder().audio()?;
    encoder.set_rate(settings.sample_rate as i32);
    encoder.set_channel_layout(ff::ChannelLayout::default(i32::from(settings.channels)));
    encoder.set_format(ff::format::Sample::F32(ff::format::sample::Type::Planar));
    encoder.set_bit_rate(settings.rate.as_bps() as usize);
    encoder.set_time_base((1, settings.sample_rate as i32));
    Ok(encoder.open_as(codec)?.0.0)
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
