//! The few calls of FFmpeg that `ffmpeg-next` has no safe form of. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

pub(crate) mod hardware;
pub(crate) mod resample;

use banyan_protocol::media::{Codec, Kind, Track};
use ffmpeg_next as ff;
use ffmpeg_next::codec::Parameters;
use ffmpeg_next::codec::packet::{Mut as _, Ref as _};
use ffmpeg_next::ffi;
use ffmpeg_next::format::context;
use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Once;

/// Prepares FFmpeg, once; keeps it from writing to standard error, as what matters comes back as errors.
pub(crate) fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ff::init().expect("registering FFmpeg's formats and devices cannot fail");
        ff::util::log::set_level(ff::util::log::Level::Quiet);
    });
}

/// How an input is opened.
pub(crate) struct Opening<'a> {
    /// What FFmpeg is given as URL.
    pub(crate) url: &'a str,
    /// The demuxer's name, where it cannot be guessed.
    pub(crate) format: Option<&'a str>,
    /// Options of demuxer and protocol.
    pub(crate) options: ff::Dictionary<'a>,
}

/// Opens an input and finds its streams. `interrupt` is polled while FFmpeg waits; it gives up when that says true.
pub(crate) fn open(
    opening: Opening<'_>,
    interrupt: impl FnMut() -> bool + Send + 'static,
) -> Result<context::Input, ff::Error> {
    let url = CString::new(opening.url).map_err(|_| ff::Error::InvalidData)?;
    let format = demuxer(opening.format)?;
    let interrupt = ff::util::interrupt::new(Box::new(interrupt));
    // SAFETY: the context is freed by FFmpeg if opening fails, by us if finding streams fails, else by its owner, which
    // keeps the interrupt's closure for as long.
    unsafe {
        let mut raw = ffi::avformat_alloc_context();
        if raw.is_null() {
            return Err(ff::Error::Other {
                errno: ff::error::ENOMEM,
            });
        }
        (*raw).interrupt_callback = interrupt.interrupt;
        let mut options = opening.options.disown();
        let opened = ffi::avformat_open_input(&raw mut raw, url.as_ptr(), format, &raw mut options);
        drop(ff::Dictionary::own(options));
        checked(opened)?;
        let input = context::Input::wrap_with_interrupt(raw, interrupt.guard);
        checked(ffi::avformat_find_stream_info(raw, ptr::null_mut()))?;
        Ok(input)
    }
}

fn demuxer(name: Option<&str>) -> Result<*const ffi::AVInputFormat, ff::Error> {
    let Some(name) = name else {
        return Ok(ptr::null());
    };
    let name = CString::new(name).map_err(|_| ff::Error::InvalidData)?;
    // SAFETY: the name is a C string for the length of the call; the answer is static.
    let format = unsafe { ffi::av_find_input_format(name.as_ptr()) };
    if format.is_null() {
        return Err(ff::Error::DemuxerNotFound);
    }
    Ok(format)
}

fn checked(code: i32) -> Result<i32, ff::Error> {
    if code < 0 {
        return Err(ff::Error::from(code));
    }
    Ok(code)
}

/// What a stream is, as far as the container and the first packets tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Width of a pixel to its height, 1 if unknown.
    pub(crate) pixel_aspect: (u32, u32),
    pub(crate) sample_rate: u32,
    pub(crate) channels: u8,
    /// Bits a second, 0 if unknown.
    pub(crate) bit_rate: u64,
    /// Pictures that are decoded before the first is shown.
    pub(crate) held_back: u8,
}

/// Reads the shape out of codec parameters.
pub(crate) fn shape(parameters: &Parameters) -> Shape {
    // SAFETY: the parameters are alive, and these are plain fields.
    let raw = unsafe { &*parameters.as_ptr() };
    let aspect = raw.sample_aspect_ratio;
    let known = aspect.num > 0 && aspect.den > 0;
    Shape {
        width: raw.width.max(0) as u32,
        height: raw.height.max(0) as u32,
        pixel_aspect: if known {
            (aspect.num as u32, aspect.den as u32)
        } else {
            (1, 1)
        },
        sample_rate: raw.sample_rate.max(0) as u32,
        channels: raw.ch_layout.nb_channels.clamp(0, 255) as u8,
        bit_rate: raw.bit_rate.max(0) as u64,
        held_back: raw.video_delay.clamp(0, 16) as u8,
    }
}

/// The codec's set-up as the container has it; empty if it has none.
pub(crate) fn extradata(parameters: &Parameters) -> &[u8] {
    // SAFETY: FFmpeg keeps pointer and size in step, and the parameters are borrowed for as long as the slice.
    unsafe {
        let raw = &*parameters.as_ptr();
        bytes(raw.extradata, raw.extradata_size)
    }
}

/// The set-up that an opened encoder made.
pub(crate) fn encoder_extradata(encoder: &ff::codec::Context) -> &[u8] {
    // SAFETY: as in `extradata`.
    unsafe {
        let raw = &*encoder.as_ptr();
        bytes(raw.extradata, raw.extradata_size)
    }
}

unsafe fn bytes<'a>(data: *const u8, size: i32) -> &'a [u8] {
    if data.is_null() || size <= 0 {
        return &[];
    }
    // SAFETY: the caller vouches for pointer and size.
    unsafe { std::slice::from_raw_parts(data, size as usize) }
}

/// A name such as `stereo` for the channels of a decoded frame; the usual layout if the decoder doesn't know.
pub(crate) fn channel_layout(frame: &ff::frame::Audio) -> String {
    let mut name = [0; 128];
    // SAFETY: the frame is alive; the buffer's size is passed and FFmpeg ends what it writes with a zero.
    unsafe {
        let layout = &(*frame.as_ptr()).ch_layout;
        let mut usual: ffi::AVChannelLayout = std::mem::zeroed();
        ffi::av_channel_layout_default(&raw mut usual, layout.nb_channels);
        let unknown = layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC;
        let told = if unknown { &raw const usual } else { layout };
        ffi::av_channel_layout_describe(told, name.as_mut_ptr(), name.len());
        CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()
    }
}

/// Gives a frame without channel layout the usual one, so that a filter graph takes it.
pub(crate) fn settle_channel_layout(frame: &mut ff::frame::Audio) {
    // SAFETY: the frame is alive and ours; the layout made is plain data without anything to free.
    unsafe {
        let layout = &raw mut (*frame.as_mut_ptr()).ch_layout;
        if (*layout).order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            let channels = (*layout).nb_channels;
            ffi::av_channel_layout_default(layout, channels);
        }
    }
}

/// Tells an encoder to put its set-up beside the packets instead of into them.
pub(crate) fn global_header(encoder: &mut ff::codec::Context) {
    // SAFETY: the context is alive and not opened yet.
    unsafe { (*encoder.as_mut_ptr()).flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32 }
}

/// Sets a rate-control buffer in bits.
pub(crate) fn rate_buffer(encoder: &mut ff::codec::Context, bits: u64) {
    // SAFETY: the context is alive and not opened yet.
    unsafe { (*encoder.as_mut_ptr()).rc_buffer_size = bits.min(i32::MAX as u64) as i32 }
}

/// Lets a decoder refuse pictures of more pixels.
pub(crate) fn limit_pixels(decoder: &mut ff::codec::Context, most: i64) {
    // SAFETY: the context is alive and not opened yet.
    unsafe { (*decoder.as_mut_ptr()).max_pixels = most }
}

/// Codec parameters for a muxer or a decoder.
pub(crate) fn parameters(track: &Track) -> Parameters {
    let mut parameters = Parameters::new();
    // SAFETY: the parameters are alive and ours; the set-up is copied into memory of FFmpeg's own, with the padding that
    // it asks for, and freed with them.
    unsafe {
        let raw = &mut *parameters.as_mut_ptr();
        raw.codec_id = codec_id(track.codec).into();
        match track.kind {
            Kind::Video { width, height, .. } => {
                raw.codec_type = ffi::AVMediaType::AVMEDIA_TYPE_VIDEO;
                raw.width = width as i32;
                raw.height = height as i32;
                if track.codec == Codec::H265 {
                    // In MP4, Apple's players know H.265 by this name only.
                    raw.codec_tag = u32::from_le_bytes(*b"hvc1");
                }
            }
            Kind::Audio {
                sample_rate,
                channels,
            } => {
                raw.codec_type = ffi::AVMediaType::AVMEDIA_TYPE_AUDIO;
                raw.sample_rate = sample_rate as i32;
                raw.frame_size = 1024;
                ffi::av_channel_layout_default(&raw mut raw.ch_layout, i32::from(channels));
            }
        }
        let padded = track.setup.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
        raw.extradata = ffi::av_mallocz(padded).cast();
        assert!(!raw.extradata.is_null(), "out of memory");
        ptr::copy_nonoverlapping(track.setup.as_ptr(), raw.extradata, track.setup.len());
        raw.extradata_size = track.setup.len() as i32;
    }
    parameters
}

/// FFmpeg's name of a codec.
pub(crate) fn codec_id(codec: Codec) -> ff::codec::Id {
    match codec {
        Codec::H264 => ff::codec::Id::H264,
        Codec::H265 => ff::codec::Id::HEVC,
        Codec::Aac => ff::codec::Id::AAC,
    }
}

/// Adds a stream with these parameters to a muxer.
pub(crate) fn add_stream(output: &mut context::Output, parameters: Parameters) -> Result<(), ff::Error> {
    let mut stream = output.add_stream(ff::encoder::find(ff::codec::Id::None))?;
    stream.set_parameters(parameters);
    stream.set_time_base(ff::Rational(1, 90_000));
    Ok(())
}

/// Lets a muxer write what it holds, and empties its buffer into the stream behind it.
pub(crate) fn flush(output: &mut context::Output) -> Result<(), ff::Error> {
    // SAFETY: the context is alive; a null packet asks the muxer to flush.
    unsafe {
        checked(ffi::av_write_frame(output.as_mut_ptr(), ptr::null_mut()))?;
        ffi::avio_flush((*output.as_mut_ptr()).pb);
    }
    Ok(())
}

/// Lets the demuxer throw away all streams but these.
pub(crate) fn discard_others(input: &mut context::Input, keep: &[usize]) {
    // SAFETY: the context is alive, and holds `nb_streams` pointers to streams.
    unsafe {
        let raw = &*input.as_mut_ptr();
        for index in (0..raw.nb_streams as usize).filter(|index| !keep.contains(index)) {
            (**raw.streams.add(index)).discard = ffi::AVDiscard::AVDISCARD_ALL;
        }
    }
}

/// A bitstream filter: rewrites packets without decoding them.
pub(crate) struct BitstreamFilter {
    raw: *mut ffi::AVBSFContext,
}

// SAFETY: the context is a heap allocation that no thread owns, and is used through `&mut` only.
unsafe impl Send for BitstreamFilter {}

impl BitstreamFilter {
    /// The filter `name`, for packets of `parameters` timed in 1/90,000 s.
    pub(crate) fn new(name: &CStr, parameters: &Parameters) -> Result<Self, ff::Error> {
        // SAFETY: each step is checked before the next; `Drop` frees the context.
        unsafe {
            let filter = ffi::av_bsf_get_by_name(name.as_ptr());
            if filter.is_null() {
                return Err(ff::Error::BsfNotFound);
            }
            let mut raw = ptr::null_mut();
            checked(ffi::av_bsf_alloc(filter, &raw mut raw))?;
            let this = Self { raw };
            checked(ffi::avcodec_parameters_copy((*raw).par_in, parameters.as_ptr()))?;
            (*raw).time_base_in = ffi::AVRational { num: 1, den: 90_000 };
            checked(ffi::av_bsf_init(raw))?;
            Ok(this)
        }
    }

    /// The set-up of what comes out; empty if it is not known yet.
    pub(crate) fn setup(&self) -> &[u8] {
        // SAFETY: as in `extradata`.
        unsafe {
            let raw = &*(*self.raw).par_out;
            bytes(raw.extradata, raw.extradata_size)
        }
    }

    /// Passes a packet through. These filters give one packet for one.
    pub(crate) fn filter(&mut self, mut packet: ff::Packet) -> Result<ff::Packet, ff::Error> {
        // SAFETY: both contexts are alive; the packet's content moves into the filter and back.
        unsafe {
            checked(ffi::av_bsf_send_packet(self.raw, packet.as_mut_ptr()))?;
            checked(ffi::av_bsf_receive_packet(self.raw, packet.as_mut_ptr()))?;
        }
        Ok(packet)
    }
}

impl Drop for BitstreamFilter {
    fn drop(&mut self) {
        // SAFETY: the context is ours, and not used again.
        unsafe { ffi::av_bsf_free(&raw mut self.raw) }
    }
}

/// A new set-up that travels with a packet, if one does.
pub(crate) fn new_setup(packet: &ff::Packet) -> Option<Vec<u8>> {
    let mut size = 0;
    // SAFETY: the packet is alive; FFmpeg answers null or `size` readable bytes.
    unsafe {
        let data = ffi::av_packet_get_side_data(
            packet.as_ptr(),
            ffi::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA,
            &raw mut size,
        );
        (!data.is_null()).then(|| std::slice::from_raw_parts(data, size).to_vec())
    }
}

/// Puts a frame into a filter graph, which shares its data; the frame stays as it is.
pub(crate) fn push_frame(source: &mut ff::filter::Context, frame: &ff::Frame) -> Result<(), ff::Error> {
    // SAFETY: both are alive; FFmpeg takes a reference of its own to the frame's data.
    unsafe {
        checked(ffi::av_buffersrc_write_frame(source.as_mut_ptr(), frame.as_ptr()))?;
    }
    Ok(())
}
