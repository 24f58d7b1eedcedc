//! Packets of a sound track to samples as a device plays them.

use crate::encode::CLOCK;
use crate::error::Error;
use crate::sys;
use crate::sys::resample::Resampler;
use banyan_protocol::media::{Packet, Track};
use ffmpeg_next as ff;

/// Channels of all that comes out: left and right.
pub const CHANNELS: usize = 2;

/// The most that speed is changed to make up for clocks that drift apart: nobody hears a tenth of a semitone.
const STRETCH_MAX: f32 = 0.006;

/// A piece of sound.
#[derive(Clone, Debug)]
pub struct Samples {
    /// When its first sample is heard, in 1/90,000 s of the media clock.
    pub pts: i64,
    /// How much of the media clock it covers; not quite what its length says while speed is changed.
    pub ticks: i64,
    /// Left and right in turn, -1 to 1.
    pub data: Vec<f32>,
}

/// A decoder of one track.
pub struct Sound {
    decoder: ff::decoder::Audio,
    rate: u32,
    /// What the resampler was made for, and it.
    resampler: Option<(Form, Resampler)>,
    stretch: f32,
    broken: u64,
}

/// What a resampler depends on.
#[derive(Clone, PartialEq)]
struct Form {
    rate: u32,
    sample: ff::format::Sample,
    layout: String,
}

impl Sound {
    /// Opens a decoder whose samples come `rate` a second.
    ///
    /// # Errors
    /// If this FFmpeg has none for the track's codec, or it doesn't open.
    pub fn open(track: &Track, rate: u32) -> Result<Self, Error> {
        sys::init();
        let failed = Error::during("opening the sound decoder");
        let id = sys::codec_id(track.codec);
        let codec = ff::decoder::find(id).ok_or_else(|| Error::Missing {
            what: format!("{} decoder", id.name()),
        })?;
        let context = ff::codec::Context::from_parameters(sys::parameters(track)).map_err(&failed)?;
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(CLOCK);
        Ok(Self {
            decoder: decoder
                .open_as(codec)
                .and_then(|it| it.audio())
                .map_err(&failed)?,
            rate,
            resampler: None,
            stretch: 0.0,
            broken: 0,
        })
    }

    /// From now on plays faster by this share (slower, if negative), at most `STRETCH_MAX` either way.
    pub fn stretch(&mut self, share: f32) {
        self.stretch = share.clamp(-STRETCH_MAX, STRETCH_MAX);
    }

    /// Decodes a packet; appends what is ready. A broken packet is left out.
    ///
    /// # Errors
    /// If FFmpeg cannot resample what the decoder makes.
    pub fn packet(&mut self, packet: &Packet, out: &mut Vec<Samples>) -> Result<(), Error> {
        let mut coded = ff::Packet::copy(&packet.data);
        coded.set_pts(Some(packet.pts));
        coded.set_dts(Some(packet.dts));
        coded.set_duration(i64::from(packet.duration));
        if self.decoder.send_packet(&coded).is_err() {
            self.broken += 1;
            return Ok(());
        }
        let mut frame = ff::frame::Audio::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            out.extend(self.resample(&mut frame)?);
        }
        Ok(())
    }

    /// Forgets what is held back: what follows does not follow on what was.
    pub fn reset(&mut self) {
        self.decoder.flush();
        self.resampler = None;
    }

    /// How often something broken was come upon.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    fn resample(&mut self, frame: &mut ff::frame::Audio) -> Result<Option<Samples>, Error> {
        let failed = Error::during("resampling");
        let Some(pts) = frame.timestamp() else {
            return Ok(None);
        };
        sys::settle_channel_layout(frame);
        let form = Form {
            rate: frame.rate(),
            sample: frame.format(),
            layout: sys::channel_layout(frame),
        };
        if self.resampler.as_ref().is_none_or(|(of, _)| *of != form) {
            let resampler = Resampler::new(frame, self.rate).map_err(&failed)?;
            self.resampler = Some((form, resampler));
        }
        let (_, resampler) = self.resampler.as_mut().expect("made above");
        resampler.stretch(self.stretch).map_err(&failed)?;
        let before = resampler.held();
        let mut data = Vec::new();
        resampler.convert(frame, &mut data).map_err(&failed)?;
        let length = frame.samples() as i64 * i64::from(CLOCK.1) / i64::from(frame.rate().max(1));
        let ticks = length + before - resampler.held();
        Ok((!data.is_empty()).then_some(Samples {
            pts: pts - before,
            ticks,
            data,
        }))
    }
}
