//! Pictures of every page and state, light, dark and narrow, compared with those in `tests/snapshots`.
//! `UPDATE_SNAPSHOTS=true` takes them anew.

use banyan_tv::look;
use banyan_tv::model::{Model, samples};
use banyan_tv::pages;
use eframe::egui::{Color32, Theme, Ui, Vec2};
use egui_kittest::{Harness, SnapshotResults};

const WIDE: Vec2 = Vec2::new(960.0, 640.0);
const NARROW: Vec2 = Vec2::new(400.0, 720.0);

fn picture(name: &str, model: &Model, theme: Theme, size: Vec2, scale: f32) -> egui_kittest::SnapshotResult {
    let draw = |ui: &mut Ui, model: &mut Model| {
        let mut screen = |ui: &mut Ui, _| {
            let rect = ui.max_rect().shrink(24.0);
            ui.painter()
                .rect_filled(rect, 0.0, Color32::from_rgb(0x2b, 0x4a, 0x6b));
        };
        pages::show(ui, model, &mut screen, &mut Vec::new());
    };
    let mut harness = Harness::builder()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_theme(theme)
        .with_context_setup(look::dress)
        .wgpu()
        .build_ui_state(draw, model.clone());
    harness.run_steps(4);
    harness.try_snapshot(name)
}

fn all(theme: Theme, size: Vec2, scale: f32, suffix: &str) {
    let mut results = SnapshotResults::new();
    for (name, model) in samples::states() {
        results.add(picture(&format!("{name}-{suffix}"), &model, theme, size, scale));
    }
}

#[test]
fn dark() {
    all(Theme::Dark, WIDE, 1.0, "dark");
}

#[test]
fn light() {
    all(Theme::Light, WIDE, 1.0, "light");
}

#[test]
fn narrow() {
    all(Theme::Dark, NARROW, 1.0, "narrow");
}

/// The same window with everything twice as large.
#[test]
fn doubled() {
    all(Theme::Dark, WIDE / 2.0, 2.0, "doubled");
}
