//! Decoding in hardware.

use super::checked;
use ffmpeg_next as ff;
use ffmpeg_next::ffi;
use std::ptr;

/// What is tried, in this order: Linux, macOS, Windows.
const DEVICES: [(ffi::AVHWDeviceType, &str); 3] = [
    (ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI, "vaapi"),
    (ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_VIDEOTOOLBOX, "videotoolbox"),
    (ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_D3D11VA, "d3d11va"),
];

/// Lets a decoder that is not opened yet use the first device that this machine has for its codec; gives the device's
/// name. A stream that the device cannot decode is decoded in software by the same decoder: FFmpeg sees to that.
pub(crate) fn attach(context: &mut ff::codec::Context, codec: ff::Codec) -> Option<&'static str> {
    let (device, name) = DEVICES
        .into_iter()
        .filter(|&(kind, _)| is_supported(codec, kind))
        .find_map(|(kind, name)| Some((open(kind)?, name)))?;
    // SAFETY: the context is alive and not opened yet, and owns the reference from now on.
    unsafe { (*context.as_mut_ptr()).hw_device_ctx = device }
    Some(name)
}

fn is_supported(codec: ff::Codec, kind: ffi::AVHWDeviceType) -> bool {
    let by_device = ffi::AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX as i32;
    (0..)
        // SAFETY: the codec is static, and so are its configurations; past the last one is null.
        .map_while(|index| unsafe { ffi::avcodec_get_hw_config(codec.as_ptr(), index).as_ref() })
        .any(|config| config.device_type == kind && config.methods & by_device != 0)
}

fn open(kind: ffi::AVHWDeviceType) -> Option<*mut ffi::AVBufferRef> {
    let mut device = ptr::null_mut();
    // SAFETY: what is made is ours; nothing is made if it fails.
    let made = unsafe { ffi::av_hwdevice_ctx_create(&raw mut device, kind, ptr::null(), ptr::null_mut(), 0) };
    (made >= 0).then_some(device)
}

/// A frame in this program's memory: one that a device holds is fetched, any other stays as it is.
pub(crate) fn fetched(frame: ff::frame::Video) -> Result<ff::frame::Video, ff::Error> {
    // SAFETY: both frames are alive; FFmpeg gives the new one memory of its own.
    unsafe {
        if (*frame.as_ptr()).hw_frames_ctx.is_null() {
            return Ok(frame);
        }
        let mut fetched = ff::frame::Video::empty();
        checked(ffi::av_hwframe_transfer_data(
            fetched.as_mut_ptr(),
            frame.as_ptr(),
            0,
        ))?;
        checked(ffi::av_frame_copy_props(fetched.as_mut_ptr(), frame.as_ptr()))?;
        Ok(fetched)
    }
}
