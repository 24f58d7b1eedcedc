//! Packets of a picture track to pictures.

use super::picture::{Matrix, Picture, Plane, Planes, Range, Sampling};
use super::shared;
use crate::encode::CLOCK;
use crate::error::Error;
use crate::sys::{self, hardware};
use banyan_protocol::media::{Packet, Track};
use ff::format::Pixel;
use ffmpeg_next as ff;

/// Threads of a software decoder: enough for 2160p30, and the other cores stay with the peers.
const THREADS: usize = 2;

/// The largest picture, 8K: a few of them are as much memory as a broadcaster may make a viewer use.
const PIXELS_MAX: i64 = 8192 * 4320;

/// A decoder of one track: in hardware where that can be had, else in software.
pub struct Video {
    track: Track,
    decoder: ff::decoder::Video,
    /// What decodes, unless it is software.
    hardware: Option<&'static str>,
    /// It was promised and has shown nothing yet.
    is_unproven: bool,
    /// What was lost, or not there at the start: nothing can be shown before a keyframe.
    needs_keyframe: bool,
    broken: u64,
}

impl Video {
    /// Opens a decoder.
    ///
    /// # Errors
    /// If this FFmpeg has none for the track's codec, or it doesn't open.
    pub fn open(track: &Track) -> Result<Self, Error> {
        sys::init();
        let (decoder, hardware) = match open(track, true) {
            Err(Error::Codec { .. }) => open(track, false)?,
            opened => opened?,
        };
        match hardware {
            Some(hardware) => tracing::debug!(hardware, "decoding pictures"),
            None => tracing::debug!("decoding pictures in software: no hardware here does"),
        }
        Ok(Self {
            track: track.clone(),
            decoder,
            hardware,
            is_unproven: hardware.is_some(),
            needs_keyframe: true,
            broken: 0,
        })
    }

    /// Decodes a packet; appends the pictures that are ready, in the order in which they are shown.
    ///
    /// # Errors
    /// If its pictures are of a kind that cannot be drawn. A broken packet is no error: it and what depends on it are
    /// left out.
    pub fn packet(&mut self, packet: &Packet, out: &mut Vec<Picture>) -> Result<(), Error> {
        if self.needs_keyframe && !packet.keyframe {
            return Ok(());
        }
        self.needs_keyframe = false;
        let mut coded = ff::Packet::copy(&packet.data);
        coded.set_pts(Some(packet.pts));
        coded.set_dts(Some(packet.dts));
        if self.decoder.send_packet(&coded).is_err() {
            self.give_up();
        }
        self.drain(out)
    }

    /// Hands over the pictures that are held back. What follows begins with a keyframe.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub fn finish(&mut self, out: &mut Vec<Picture>) -> Result<(), Error> {
        // One that was told so before has nothing left.
        let _ = self.decoder.send_eof();
        let drained = self.drain(out);
        self.reset();
        drained
    }

    /// Forgets what is held back. What follows begins with a keyframe.
    pub fn reset(&mut self) {
        self.decoder.flush();
        self.needs_keyframe = true;
    }

    /// The hardware that decodes, or is about to; `None`: software does.
    pub fn hardware(&self) -> Option<&'static str> {
        self.hardware
    }

    /// How often something broken was come upon.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    fn drain(&mut self, out: &mut Vec<Picture>) -> Result<(), Error> {
        loop {
            let mut frame = ff::frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) if frame.is_corrupt() || frame.has_decode_errors() => self.give_up(),
                Ok(()) => self.take(frame, out)?,
                Err(ff::Error::Other { .. } | ff::Error::Eof) => return Ok(()),
                Err(_) => {
                    self.give_up();
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self, frame: ff::frame::Video, out: &mut Vec<Picture>) -> Result<(), Error> {
        out.extend(picture(frame)?);
        self.is_unproven = false;
        Ok(())
    }

    /// What follows is made from something broken, up to the next keyframe. Hardware that promised and shows nothing is
    /// given up for good.
    fn give_up(&mut self) {
        self.broken += 1;
        self.reset();
        if std::mem::take(&mut self.is_unproven)
            && let Ok((decoder, _)) = open(&self.track, false)
        {
            let hardware = self.hardware.take();
            tracing::debug!(hardware, "shows nothing: decoding in software");
            self.decoder = decoder;
        }
    }
}

/// A decoder for a track, and the hardware that it may use.
fn open(track: &Track, try_hardware: bool) -> Result<(ff::decoder::Video, Option<&'static str>), Error> {
    let failed = Error::during("opening the video decoder");
    let id = sys::codec_id(track.codec);
    let codec = ff::decoder::find(id).ok_or_else(|| Error::Missing {
        what: format!("{} decoder", id.name()),
    })?;
    let mut context = ff::codec::Context::from_parameters(sys::parameters(track)).map_err(&failed)?;
    sys::limit_pixels(&mut context, PIXELS_MAX);
    let hardware = try_hardware
        .then(|| hardware::attach(&mut context, codec))
        .flatten();
    context.set_threading(ff::threading::Config {
        kind: ff::threading::Type::Frame,
        count: if hardware.is_some() { 1 } else { THREADS },
        ..Default::default()
    });
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(CLOCK);
    let opened = decoder
        .open_as(codec)
        .and_then(|it| it.video())
        .map_err(&failed)?;
    Ok((opened, hardware))
}

/// A frame as a picture; nothing if it has no time.
fn picture(frame: ff::frame::Video) -> Result<Option<Picture>, Error> {
    let frame = hardware::fetched(frame).map_err(Error::during("fetching a picture from the decoder"))?;
    let Some(pts) = frame.timestamp() else {
        return Ok(None);
    };
    let (width, height) = (frame.width(), frame.height());
    let (matrix, range, aspect) = (matrix(&frame), range(&frame), aspect(&frame));
    let (sampling, planes) = planes(frame)?;
    Ok(Some(Picture {
        pts,
        width,
        height,
        aspect,
        planes,
        sampling,
        matrix,
        range,
    }))
}

fn planes(frame: ff::frame::Video) -> Result<(Sampling, Planes), Error> {
    let format = frame.format();
    let (sampling, count) = layout(format).ok_or_else(|| Error::Undrawable {
        format: format!("{format:?}").to_lowercase(),
    })?;
    let size = |index| (frame.plane_width(index), frame.plane_height(index));
    let sizes = [size(0), size(1)];
    let frame = shared::Frame::new(frame);
    let plane = |index: usize| {
        let (width, height) = sizes[index.min(1)];
        let (data, stride) = frame.plane(index);
        Plane {
            data,
            stride,
            width,
            height,
        }
    };
    let planes = match count {
        2 => Planes::Two([plane(0), plane(1)]),
        _ => Planes::Three([plane(0), plane(1), plane(2)]),
    };
    Ok((sampling, planes))
}

/// How samples are stored, and in how many planes; nothing for what is not drawn.
fn layout(format: Pixel) -> Option<(Sampling, usize)> {
    let planar = |bits| Some((Sampling { bits, shift: 0 }, 3));
    match format {
        Pixel::YUV420P | Pixel::YUVJ420P | Pixel::YUV422P | Pixel::YUVJ422P => planar(8),
        Pixel::YUV444P | Pixel::YUVJ444P => planar(8),
        Pixel::YUV420P10LE | Pixel::YUV422P10LE | Pixel::YUV444P10LE => planar(10),
        Pixel::YUV420P12LE | Pixel::YUV422P12LE | Pixel::YUV444P12LE => planar(12),
        Pixel::NV12 => Some((Sampling::BYTE, 2)),
        Pixel::P010LE => Some((Sampling { bits: 10, shift: 6 }, 2)),
        _ => None,
    }
}

fn matrix(frame: &ff::frame::Video) -> Matrix {
    use ff::color::Space;
    match frame.color_space() {
        Space::BT709 => Matrix::Bt709,
        Space::BT470BG | Space::SMPTE170M | Space::FCC => Matrix::Bt601,
        Space::BT2020NCL | Space::BT2020CL => Matrix::Bt2020,
        _ => Matrix::usual(frame.height()),
    }
}

fn range(frame: &ff::frame::Video) -> Range {
    let is_full = matches!(
        frame.format(),
        Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P
    );
    if is_full || frame.color_range() == ff::color::Range::JPEG {
        Range::Full
    } else {
        Range::Limited
    }
}

fn aspect(frame: &ff::frame::Video) -> f32 {
    let pixel = frame.aspect_ratio();
    let pixel = if pixel.0 > 0 && pixel.1 > 0 {
        pixel.0 as f32 / pixel.1 as f32
    } else {
        1.0
    };
    pixel * frame.width() as f32 / frame.height() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{self, IngestEvent, Options};
    use banyan_protocol::io::TierSetup;
    use bytes::Bytes;

    /// A track of pictures, and the packets of its first second.
    fn stream() -> (Track, Vec<Packet>) {
        let input = ingest::open("test:?size=320x240&rate=10&gop=500ms", Options::default()).unwrap();
        let (mut top, mut packets) = (None::<TierSetup>, Vec::new());
        while packets.len() < 10 {
            match input.events().recv().unwrap() {
                IngestEvent::Tiers(tiers) => top = tiers.into_iter().next_back(),
                IngestEvent::Packet { tier, packet } => {
                    let wanted = top.as_ref().is_some_and(|top| top.tier == tier) && packet.track == 0;
                    packets.extend(wanted.then_some(packet));
                }
                _ => {}
            }
        }
        (top.unwrap().tracks.swap_remove(0), packets)
    }

    /// As if a device had been promised that then decodes nothing.
    #[test]
    fn hardware_that_shows_nothing_is_given_up_for_software_that_shows_the_rest() {
        let (track, packets) = stream();
        let mut video = Video::open(&track).unwrap();
        (video.hardware, video.is_unproven) = (Some("vaapi"), true);
        let mut shown = Vec::new();
        let broken = Packet {
            data: Bytes::from_static(&[0xff; 64]),
            ..packets[0].clone()
        };
        // A decoder with threads says what was wrong with a packet when others have followed.
        for packet in [&broken].into_iter().chain(&packets) {
            video.packet(packet, &mut shown).unwrap();
        }
        video.finish(&mut shown).unwrap();
        assert_eq!((video.hardware(), video.broken()), (None, 1));
        assert!(!shown.is_empty());
    }

    /// A device that decoded once may fail at a broken packet as software does: it stays.
    #[test]
    fn hardware_that_has_shown_something_is_kept() {
        let (track, packets) = stream();
        let mut video = Video::open(&track).unwrap();
        (video.hardware, video.is_unproven) = (Some("vaapi"), true);
        let mut shown = Vec::new();
        for packet in &packets {
            video.packet(packet, &mut shown).unwrap();
        }
        assert!(!shown.is_empty());
        video.give_up();
        assert_eq!(video.hardware(), Some("vaapi"));
    }
}
