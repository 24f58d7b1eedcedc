//! Pictures to H.264.

use super::coder::{Coder, Medium};
use super::graph::Graph;
use super::{CLOCK, Coded};
use crate::error::Error;
use crate::sys;
use banyan_protocol::media::{Codec, Kind, Track};
use banyan_protocol::units::Bitrate;
use bytes::Bytes;
use ffmpeg_next as ff;

/// What to make of the pictures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Pixels across, even. Pixels are square.
    pub(crate) width: u32,
    /// Pixels down, even.
    pub(crate) height: u32,
    /// Frames in a thousand seconds, after leaving out.
    pub(crate) frames_per_1000s: u32,
    /// Only every n-th frame is coded.
    pub(crate) every: u32,
    /// Mean and greatest rate.
    pub(crate) rate: Bitrate,
    /// From keyframe to keyframe, in frames.
    pub(crate) keyframe_every: u32,
}

/// An opened encoder.
pub(crate) struct Video(Coder<Picture>);

/// What is made of the pictures, and how their decoder is set up.
struct Picture {
    settings: Settings,
    setup: Bytes,
}

/// What filters depend on.
#[derive(Clone, Copy, PartialEq)]
struct Form {
    width: u32,
    height: u32,
    /// Width of a pixel to its height.
    aspect: (u32, u32),
    pixel: ff::format::Pixel,
    interlaced: bool,
}

/// How long the rate control may save up: a keyframe is at most this much of the rate.
const RATE_BUFFER_MS: u64 = 700;

impl Video {
    /// Opens the best encoder that this FFmpeg has: x264, else whatever makes H.264.
    pub(crate) fn open(settings: Settings) -> Result<Self, Error> {
        let codec = ff::encoder::find_by_name("libx264")
            .or_else(|| ff::encoder::find(ff::codec::Id::H264))
            .ok_or_else(|| Error::Missing {
                what: "H.264 encoder".into(),
            })?;
        let encoder = open(&settings, codec).map_err(Error::during("opening the video encoder"))?;
        let setup = Bytes::copy_from_slice(sys::encoder_extradata(&encoder));
        Ok(Self(Coder::new(Picture { settings, setup }, encoder)))
    }

    /// The track that it makes.
    pub(crate) fn track(&self) -> Track {
        let Picture { settings, setup } = &self.0.medium;
        Track {
            codec: Codec::H264,
            kind: Kind::Video {
                width: settings.width,
                height: settings.height,
                frames_per_1000s: settings.frames_per_1000s,
            },
            setup: setup.clone(),
        }
    }

    /// Codes a frame whose time is in units of the media clock; appends what is ready to `out`.
    pub(crate) fn frame(&mut self, frame: &ff::frame::Video, out: &mut Vec<Coded>) -> Result<(), Error> {
        let form = form(frame, self.0.form());
        self.0.frame(form, frame, out)
    }

    /// Codes what is held back; nothing may follow.
    pub(crate) fn finish(&mut self, out: &mut Vec<Coded>) -> Result<(), Error> {
        self.0.finish(out)
    }
}

impl Medium for Picture {
    type Form = Form;

    const ENCODING: &'static str = "encoding video";

    fn graph(&self, form: &Form) -> Result<Graph, Error> {
        graph(&self.settings, *form)
    }

    fn clock(&self) -> ff::Rational {
        CLOCK
    }

    fn coded(&self, packet: &ff::Packet) -> Option<Coded> {
        let pts = packet.pts()?;
        let data = packet.data()?;
        let keyframe = packet.is_key();
        Some(Coded {
            pts,
            dts: packet.dts().unwrap_or(pts),
            duration: (90_000_000 / u64::from(self.settings.frames_per_1000s.max(1))) as u32,
            keyframe,
            data: if keyframe {
                crate::ingest::annexb::with_setup(Codec::H264, data, &self.setup)
            } else {
                Bytes::copy_from_slice(data)
            },
        })
    }
}

fn open(settings: &Settings, codec: ff::Codec) -> Result<ff::codec::encoder::Encoder, ff::Error> {
    let mut context = ff::codec::Context::new_with_codec(codec);
    sys::global_header(&mut context);
    let buffer = settings.rate.as_bps() * RATE_BUFFER_MS / 1000;
    sys::rate_buffer(&mut context, buffer);
    context.set_threading(ff::threading::Config::count(2));
    let mut encoder = context.encoder().video()?;
    encoder.set_width(settings.width);
    encoder.set_height(settings.height);
    encoder.set_format(ff::format::Pixel::YUV420P);
    encoder.set_aspect_ratio((1, 1));
    encoder.set_time_base(CLOCK);
    encoder.set_frame_rate(Some((settings.frames_per_1000s as i32, 1000)));
    encoder.set_bit_rate(settings.rate.as_bps() as usize);
    encoder.set_max_bit_rate(settings.rate.as_bps() as usize);
    encoder.set_gop(settings.keyframe_every);
    encoder.set_max_b_frames(0);
    Ok(encoder.open_with(options(codec.name()))?.0.0)
}

/// Live settings: no frame waits for a later one, so that the tiers of one input stay in step.
fn options(encoder: &str) -> ff::Dictionary<'static> {
    let mut options = ff::Dictionary::new();
    if encoder == "libx264" {
        options.set("preset", "veryfast");
        options.set("tune", "zerolatency");
        options.set("profile", "main");
    }
    options
}

/// What a frame is. Once interlaced, always treated so: the filter looks at each frame's flag, and films in between
/// would only make the filters anew.
fn form(frame: &ff::frame::Video, before: Option<&Form>) -> Form {
    let aspect = frame.aspect_ratio();
    let known = aspect.numerator() > 0 && aspect.denominator() > 0;
    Form {
        width: frame.width(),
        height: frame.height(),
        aspect: if known {
            (aspect.numerator() as u32, aspect.denominator() as u32)
        } else {
            (1, 1)
        },
        pixel: frame.format(),
        interlaced: frame.is_interlaced() || before.is_some_and(|form| form.interlaced),
    }
}

fn graph(settings: &Settings, form: Form) -> Result<Graph, Error> {
    let pixel = form.pixel.descriptor().map_or("yuv420p", |it| it.name());
    let source = format!(
        "video_size={}x{}:pix_fmt={pixel}:time_base=1/90000:pixel_aspect={}/{}",
        form.width, form.height, form.aspect.0, form.aspect.1,
    );
    Graph::new("buffer", &source, &chain(settings, form), "buffersink")
}

fn chain(settings: &Settings, form: Form) -> String {
    let mut chain = String::new();
    if form.interlaced {
        chain += "yadif=mode=send_frame:deint=interlaced,";
    }
    if settings.every > 1 {
        chain += &format!("framestep={},", settings.every);
    }
    let (width, height) = fitted(settings, form);
    chain += &format!("scale={width}:{height}:flags=bilinear,");
    if (width, height) != (settings.width, settings.height) {
        chain += &format!("pad={}:{}:-1:-1,", settings.width, settings.height);
    }
    chain + "setsar=1,format=yuv420p"
}

/// The size at which a picture fits into the encoder's; smaller one way if its shape has changed since that was chosen.
fn fitted(settings: &Settings, form: Form) -> (u32, u32) {
    let shape = f64::from(form.width) * f64::from(form.aspect.0)
        / (f64::from(form.height) * f64::from(form.aspect.1));
    let (width, height) = (f64::from(settings.width), f64::from(settings.height));
    let even = |side: f64| ((side / 2.0).round() as u32 * 2).max(2);
    // Rounding to even sizes is no change of shape.
    if (shape * height - width).abs() <= width * 0.02 {
        (settings.width, settings.height)
    } else if shape * height < width {
        (even(shape * height), settings.height)
    } else {
        (settings.width, even(width / shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_shape() {
        let settings = Settings {
            width: 640,
            height: 360,
            frames_per_1000s: 25_000,
            every: 1,
            rate: Bitrate::from_kbps(420),
            keyframe_every: 25,
        };
        let form = |width, height, aspect| Form {
            width,
            height,
            aspect,
            pixel: ff::format::Pixel::YUV420P,
            interlaced: false,
        };
        assert_eq!(fitted(&settings, form(1280, 720, (1, 1))), (640, 360));
        assert_eq!(fitted(&settings, form(720, 576, (64, 45))), (640, 360));
        assert_eq!(fitted(&settings, form(720, 576, (16, 15))), (480, 360));
        assert_eq!(fitted(&settings, form(1280, 544, (1, 1))), (640, 272));
    }
}
