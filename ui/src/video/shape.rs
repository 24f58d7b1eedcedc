//! What the shader has to know of a picture: how its planes are stored, and how colour is made from them.

use banyan::player::{Matrix, Picture, Planes, Range, Sampling};
use eframe::wgpu::TextureFormat;

/// Numbers in the shader's `Picture`.
pub(super) const NUMBERS: usize = 7 * 4;

type Four = [f32; 4];

/// The shader's `Picture`, in its order.
pub(super) fn numbers(picture: &Picture) -> [f32; NUMBERS] {
    let [red, green, blue] = colours(picture.matrix, picture.range, picture.sampling.bits);
    let luma = pick(picture.sampling, 0);
    let second = match picture.planes {
        Planes::Three(_) => luma,
        Planes::Two(_) => pick(picture.sampling, 1),
    };
    let rows = [red, green, blue, luma, luma, second, chroma_shift(picture)];
    let mut numbers = [0.0; NUMBERS];
    numbers.copy_from_slice(rows.as_flattened());
    numbers
}

/// A plane's texture: a sample of two bytes is two values, which the shader puts together. Filtering is as exact for that
/// as for a format of 16 bits, which not every graphics card filters.
pub(super) fn format(picture: &Picture, plane: usize) -> TextureFormat {
    let together = match picture.planes {
        Planes::Two(_) if plane == 1 => 2,
        _ => 1,
    };
    match together * picture.sampling.bytes() {
        1 => TextureFormat::R8Unorm,
        2 => TextureFormat::Rg8Unorm,
        _ => TextureFormat::Rgba8Unorm,
    }
}

/// Where the `index`th sample of a texel is, and what turns it into 0 to 1.
fn pick(sampling: Sampling, index: usize) -> Four {
    let mut pick = [0.0; 4];
    if sampling.bytes() == 1 {
        pick[index] = 1.0;
        return pick;
    }
    let most = f32::from(u16::MAX >> (16 - sampling.bits)) * f32::from(1_u16 << sampling.shift);
    pick[2 * index] = 255.0 / most;
    pick[2 * index + 1] = 255.0 * 256.0 / most;
    pick
}

/// Chroma samples of half the width stand at every other luma sample, not between two (ITU-T H.264, figure 6-1).
fn chroma_shift(picture: &Picture) -> Four {
    let chroma = &picture.planes.as_slice()[1];
    let is_half = chroma.width < picture.width;
    let shift = if is_half { 0.25 / chroma.width as f32 } else { 0.0 };
    [shift, 0.0, 0.0, 0.0]
}

/// What red, green and blue take of luma and the two differences (each 0 to 1, as coded), and what is added (ITU-T H.273,
/// 8.3).
fn colours(matrix: Matrix, range: Range, bits: u8) -> [Four; 3] {
    let (red, blue) = match matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
    };
    let green = 1.0 - red - blue;
    // Of the highest code: steps of luma, of chroma, black, and no colour.
    let step = f32::from(1_u16 << (bits - 8));
    let most = 256.0 * step - 1.0;
    let (luma, chroma, black) = match range {
        Range::Limited => (most / (219.0 * step), most / (224.0 * step), 16.0 / 219.0),
        Range::Full => (1.0, 1.0, 0.0),
    };
    let grey = 128.0 * step / most * chroma;
    let row = |of_blue: f32, of_red: f32| {
        let added = -black - grey * (of_blue + of_red);
        [luma, chroma * of_blue, chroma * of_red, added]
    };
    let (of_blue, of_red) = (2.0 * (1.0 - blue), 2.0 * (1.0 - red));
    [
        row(0.0, of_red),
        row(-of_blue * blue / green, -of_red * red / green),
        row(of_blue, 0.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red, green and blue of 255 for these codes.
    fn rgb(matrix: Matrix, range: Range, bits: u8, yuv: [u16; 3]) -> [i32; 3] {
        let most = f32::from(u16::MAX >> (16 - bits));
        let [y, u, v] = yuv.map(|code| f32::from(code) / most);
        let value = |row: Four| row[0] * y + row[1] * u + row[2] * v + row[3];
        colours(matrix, range, bits).map(|row| (255.0 * value(row).clamp(0.0, 1.0)).round() as i32)
    }

    #[test]
    fn the_colours_of_test_cards_come_out() {
        let (limited, full) = (Range::Limited, Range::Full);
        assert_eq!(rgb(Matrix::Bt709, limited, 8, [16, 128, 128]), [0, 0, 0]);
        assert_eq!(rgb(Matrix::Bt709, limited, 8, [235, 128, 128]), [255, 255, 255]);
        assert_eq!(rgb(Matrix::Bt709, limited, 8, [63, 102, 240]), [255, 1, 0]);
        assert_eq!(rgb(Matrix::Bt601, limited, 8, [81, 90, 240]), [254, 0, 0]);
        assert_eq!(rgb(Matrix::Bt601, limited, 8, [41, 240, 110]), [0, 0, 255]);
        assert_eq!(rgb(Matrix::Bt601, full, 8, [76, 85, 255]), [254, 0, 0]);
        assert_eq!(rgb(Matrix::Bt709, limited, 10, [940, 512, 512]), [255, 255, 255]);
        assert_eq!(rgb(Matrix::Bt2020, limited, 10, [64, 512, 512]), [0, 0, 0]);
    }

    #[test]
    fn two_bytes_make_one_sample() {
        for sampling in [Sampling { bits: 10, shift: 0 }, Sampling { bits: 10, shift: 6 }] {
            let [low, high] = (1023_u16 << sampling.shift)
                .to_le_bytes()
                .map(|byte| f32::from(byte) / 255.0);
            let first = pick(sampling, 0);
            assert!((low * first[0] + high * first[1] - 1.0).abs() < 1e-5);
            assert_eq!(pick(sampling, 1)[2..], first[..2]);
        }
    }
}
