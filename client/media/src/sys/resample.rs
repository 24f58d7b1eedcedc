//! Sound at a device's rate.

use super::checked;
use ffmpeg_next as ff;
use ffmpeg_next::ffi;
use std::ptr;

/// Channels of what comes out.
const CHANNELS: i32 = 2;

/// Makes interleaved stereo at one rate from frames of one form.
pub(crate) struct Resampler {
    raw: *mut ffi::SwrContext,
    rate: i32,
}

// SAFETY: the context is a heap allocation that no thread owns, and is used through `&mut` only.
unsafe impl Send for Resampler {}

impl Resampler {
    /// For frames such as this one, to `rate` samples a second. Always resamples, so that it can be stretched.
    pub(crate) fn new(frame: &ff::frame::Audio, rate: u32) -> Result<Self, ff::Error> {
        // SAFETY: each step is checked before the next; `Drop` frees the context; the stereo layout is plain data.
        unsafe {
            let from = &*frame.as_ptr();
            let mut layout = from.ch_layout;
            let mut stereo: ffi::AVChannelLayout = std::mem::zeroed();
            ffi::av_channel_layout_default(&raw mut stereo, CHANNELS);
            let mut this = Self {
                raw: ptr::null_mut(),
                rate: rate as i32,
            };
            checked(ffi::swr_alloc_set_opts2(
                &raw mut this.raw,
                &raw mut stereo,
                ffi::AVSampleFormat::AV_SAMPLE_FMT_FLT,
                this.rate,
                &raw mut layout,
                frame.format().into(),
                from.sample_rate,
                0,
                ptr::null_mut(),
            ))?;
            let flags = i64::from(ffi::SWR_FLAG_RESAMPLE);
            checked(ffi::av_opt_set_int(this.raw.cast(), c"flags".as_ptr(), flags, 0))?;
            checked(ffi::swr_init(this.raw))?;
            Ok(this)
        }
    }

    /// Plays the next second faster by this share.
    pub(crate) fn stretch(&mut self, share: f32) -> Result<(), ff::Error> {
        let fewer = (-share * self.rate as f32) as i32;
        // SAFETY: the context is alive and initialised with resampling on.
        unsafe { checked(ffi::swr_set_compensation(self.raw, fewer, self.rate)) }.map(drop)
    }

    /// What went in and did not come out yet, in 1/90,000 s.
    pub(crate) fn held(&self) -> i64 {
        // SAFETY: the context is alive; asking changes nothing.
        unsafe { ffi::swr_get_delay(self.raw, 90_000) }
    }

    /// Takes a frame in; appends what comes out, left and right in turn.
    pub(crate) fn convert(&mut self, frame: &ff::frame::Audio, out: &mut Vec<f32>) -> Result<(), ff::Error> {
        // SAFETY: the frame has the form that the context was made for, as its owner sees to; the room is as many samples
        // as FFmpeg says it may write, and what it says it wrote is kept.
        unsafe {
            let from = &*frame.as_ptr();
            let room = checked(ffi::swr_get_out_samples(self.raw, from.nb_samples))?;
            let before = out.len();
            out.resize(before + (room * CHANNELS) as usize, 0.0);
            let mut to = out.as_mut_ptr().add(before).cast::<u8>();
            let input = from.extended_data.cast::<*const u8>();
            let made = ffi::swr_convert(self.raw, &raw mut to, room, input, from.nb_samples);
            out.truncate(before + (made.max(0) * CHANNELS) as usize);
            checked(made).map(drop)
        }
    }
}

impl Drop for Resampler {
    fn drop(&mut self) {
        // SAFETY: the context is ours, and not used again.
        unsafe { ffi::swr_free(&raw mut self.raw) }
    }
}
