//! Known planes, drawn by the shader, as pixels of a window.
#![allow(clippy::unwrap_used)]

use banyan::player::{Matrix, Picture, Plane, Planes, Range, Sampling};
use banyan_tv::video::{Screen, install};
use bytes::Bytes;
use eframe::egui::{LayerId, Ui, Vec2};
use eframe::egui_wgpu::RendererOptions;
use egui_kittest::Harness;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use std::sync::Arc;

/// How far each of red, green and blue may be from what the standard says, of 255.
const TOLERANCE: i32 = 2;

/// The side of the window, which is square: the picture, 16 to 9, is from row 35 to row 125.
const SIDE: f32 = 160.0;

const TEN: Sampling = Sampling { bits: 10, shift: 0 };
const TEN_HIGH: Sampling = Sampling { bits: 10, shift: 6 };

/// Rows of samples, each with bytes behind it that are no picture, as decoders make them.
fn plane<const N: usize>(
    (width, height): (u32, u32),
    sampling: Sampling,
    sample: impl Fn(u32, u32) -> [u16; N],
) -> Plane {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for value in sample(x, y) {
                let value = (value << sampling.shift).to_le_bytes();
                data.extend_from_slice(&value[..sampling.bytes()]);
            }
        }
        data.extend_from_slice(&[0x5a; 32]);
    }
    Plane {
        data: Bytes::from(data),
        stride: width as usize * N * sampling.bytes() + 32,
        width,
        height,
    }
}

/// A picture of one colour: luma, blue difference, red difference.
fn one_colour([y, u, v]: [u16; 3], sampling: Sampling, together: bool) -> Picture {
    let (whole, half) = ((64, 36), (32, 18));
    let luma = plane(whole, sampling, |_, _| [y]);
    let planes = match together {
        true => Planes::Two([luma, plane(half, sampling, |_, _| [u, v])]),
        false => {
            let [blue, red] = [u, v].map(|value| plane(half, sampling, |_, _| [value]));
            Planes::Three([luma, blue, red])
        }
    };
    Picture {
        pts: 0,
        width: 64,
        height: 36,
        aspect: 16.0 / 9.0,
        planes,
        sampling,
        matrix: Matrix::Bt709,
        range: Range::Limited,
    }
}

/// Shows pictures one after the other; gives what the window shows of the last at some places.
fn shown<const N: usize>(pictures: Vec<Picture>, places: [(u32, u32); N]) -> [[u8; 3]; N] {
    let state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
    install(&state);
    let screen = Screen::default();
    let steps = pictures.len();
    let mut coming = pictures.into_iter().map(Arc::new);
    let mut now = None;
    let mut harness = Harness::builder()
        .with_size(Vec2::splat(SIDE))
        .with_render_every_step(true)
        .with_render_cursor(false)
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui(move |ui: &mut Ui| {
            now = coming.next().or(now.take());
            let painter = ui.ctx().layer_painter(LayerId::background());
            screen.show(&painter, ui.ctx().content_rect(), now.as_ref());
        });
    harness.run_steps(steps);
    let image = harness.render().unwrap();
    places.map(|(x, y)| {
        let [red, green, blue, _] = image.get_pixel(x, y).0;
        [red, green, blue]
    })
}

fn assert_near(found: [u8; 3], expected: [u8; 3]) {
    let off = found
        .iter()
        .zip(expected)
        .map(|(&one, other)| i32::from(one) - i32::from(other));
    assert!(
        off.map(i32::abs).max() <= Some(TOLERANCE),
        "{found:?} instead of {expected:?}"
    );
}

#[test]
fn colours_are_the_standard_s_however_they_are_stored() {
    for (sampling, together) in [
        (Sampling::BYTE, false),
        (Sampling::BYTE, true),
        (TEN, false),
        (TEN_HIGH, true),
    ] {
        for (codes, expected) in [
            ([63, 102, 240], [255, 1, 0]),
            ([173, 42, 26], [0, 255, 1]),
            ([32, 240, 118], [1, 0, 255]),
            ([235, 128, 128], [255, 255, 255]),
            ([16, 128, 128], [0, 0, 0]),
            ([126, 128, 128], [128, 128, 128]),
        ] {
            let codes = codes.map(|code: u16| code << (sampling.bits - 8));
            let [found] = shown(vec![one_colour(codes, sampling, together)], [(80, 80)]);
            assert_near(found, expected);
        }
    }
}

#[test]
fn matrix_and_range_are_the_picture_s_own() {
    let red = |matrix, range, codes| Picture {
        matrix,
        range,
        ..one_colour(codes, Sampling::BYTE, false)
    };
    let limited = red(Matrix::Bt601, Range::Limited, [81, 90, 240]);
    assert_near(shown(vec![limited], [(80, 80)])[0], [254, 0, 0]);
    let full = red(Matrix::Bt601, Range::Full, [76, 85, 255]);
    assert_near(shown(vec![full], [(80, 80)])[0], [254, 0, 0]);
    let wide = red(Matrix::Bt2020, Range::Limited, [74, 97, 240]);
    assert_near(shown(vec![wide], [(80, 80)])[0], [255, 0, 0]);
}

#[test]
fn the_picture_is_whole_upright_and_between_black_bars() {
    let mut picture = one_colour([235, 128, 128], Sampling::BYTE, false);
    // White is the upper left quarter.
    let quarter = plane((64, 36), Sampling::BYTE, |x, y| {
        [if x < 32 && y < 18 { 235 } else { 16 }]
    });
    let grey = plane((32, 18), Sampling::BYTE, |_, _| [128]);
    picture.planes = Planes::Three([quarter, grey.clone(), grey]);
    let places = [(2, 37), (76, 76), (84, 76), (76, 84), (80, 30), (80, 130)];
    let [corner, middle, right, below, above_all, below_all] = shown(vec![picture], places);
    assert_near(corner, [255; 3]);
    assert_near(middle, [255; 3]);
    for black in [right, below, above_all, below_all] {
        assert_near(black, [0; 3]);
    }
}

#[test]
fn no_byte_behind_a_row_is_ever_seen() {
    let picture = one_colour([235, 128, 128], Sampling::BYTE, false);
    let edges = shown(vec![picture], [(0, 80), (159, 80), (80, 36), (80, 124)]);
    edges.into_iter().for_each(|edge| assert_near(edge, [255; 3]));
}

#[test]
fn textures_follow_when_size_and_storage_change() {
    let mut large = one_colour([63, 102, 240], TEN, false);
    large.planes = Planes::Three([
        plane((128, 72), TEN, |_, _| [252]),
        plane((64, 36), TEN, |_, _| [408]),
        plane((64, 36), TEN, |_, _| [960]),
    ]);
    (large.width, large.height) = (128, 72);
    let small = || one_colour([32, 240, 118], Sampling::BYTE, true);
    let [blue] = shown(vec![large.clone(), small()], [(80, 80)]);
    assert_near(blue, [1, 0, 255]);
    let [red] = shown(vec![small(), small(), large], [(80, 80)]);
    assert_near(red, [255, 1, 0]);
}
