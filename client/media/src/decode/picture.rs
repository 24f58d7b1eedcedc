//! A decoded picture, in the planes that the decoder made.

use bytes::Bytes;
use std::fmt;

/// A picture as the decoder left it: nothing was converted or copied. Cloning shares the planes.
#[derive(Clone, Debug)]
pub struct Picture {
    /// When it is shown, in 1/90,000 s of the media clock.
    pub pts: i64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Width of the whole picture to its height on a screen with square pixels; above zero.
    pub aspect: f32,
    /// Its samples.
    pub planes: Planes,
    /// How a sample is stored.
    pub sampling: Sampling,
    /// How colour was made from red, green and blue.
    pub matrix: Matrix,
    /// Which values black and white have.
    pub range: Range,
}

/// Luma and chroma; chroma planes may be smaller.
#[derive(Clone, Debug)]
pub enum Planes {
    /// Luma, blue difference, red difference.
    Three([Plane; 3]),
    /// Luma, and both differences side by side (NV12 and its like).
    Two([Plane; 2]),
}

/// Rows of samples.
#[derive(Clone)]
pub struct Plane {
    /// The rows; at least `stride * (height - 1)` bytes and one row.
    pub data: Bytes,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Samples across; of both differences one pair counts as one.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// How a sample is stored: in one byte, or in two with the low one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Bits that count, 8 to 16.
    pub bits: u8,
    /// Bits below them that are zero.
    pub shift: u8,
}

/// How luma and chroma were made from red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

/// Which values black and white have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 16 and 235 of 255, as on television.
    Limited,
    /// 0 and 255.
    Full,
}

impl Sampling {
    /// One byte a sample.
    pub const BYTE: Self = Self { bits: 8, shift: 0 };

    /// Bytes a sample takes.
    pub fn bytes(self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }
}

impl Planes {
    /// Luma first.
    pub fn as_slice(&self) -> &[Plane] {
        match self {
            Self::Three(planes) => planes,
            Self::Two(planes) => planes,
        }
    }
}

impl Matrix {
    /// What a picture of this height is when its stream doesn't say, as other players take it.
    pub(super) fn usual(height: u32) -> Self {
        if height >= 720 { Self::Bt709 } else { Self::Bt601 }
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}×{} in rows of {} bytes",
            self.width, self.height, self.stride
        )
    }
}
