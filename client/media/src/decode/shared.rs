//! A decoded frame whose planes are shared.

use bytes::Bytes;
use ffmpeg_next as ff;
use std::sync::Arc;

/// A frame that nobody changes any more.
#[derive(Clone)]
pub(super) struct Frame(Arc<ff::frame::Video>);

/// One of its planes, which keeps the frame alive.
struct Plane {
    frame: Frame,
    index: usize,
}

impl AsRef<[u8]> for Plane {
    fn as_ref(&self) -> &[u8] {
        self.frame.0.data(self.index)
    }
}

impl Frame {
    pub(super) fn new(frame: ff::frame::Video) -> Self {
        Self(Arc::new(frame))
    }

    /// The rows of a plane, and how many bytes one is from the next. Nothing is copied.
    pub(super) fn plane(&self, index: usize) -> (Bytes, usize) {
        let stride = self.0.stride(index);
        let frame = self.clone();
        (Bytes::from_owner(Plane { frame, index }), stride)
    }
}
