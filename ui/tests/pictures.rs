//! Pictures of every page and state, light, dark, narrow and scrolled to their ends, compared with those in `tests/snapshots`.
//! `UPDATE_SNAPSHOTS=true` takes them anew.

use banyan_tv::look;
use banyan_tv::model::{Model, samples};
use banyan_tv::pages;
use eframe::egui::{
    Color32, Event, Modifiers, MouseWheelSource, MouseWheelUnit, Theme, TouchPhase, Ui, Vec2,
};
use egui_kittest::{Harness, SnapshotResult, SnapshotResults};

const WIDE: Vec2 = Vec2::new(960.0, 640.0);
const NARROW: Vec2 = Vec2::new(400.0, 720.0);

/// Enough for everything to find its place, and to be scrolled to.
const STEPS: usize = 12;

/// Farther than any page goes.
const FAR_DOWN: Vec2 = Vec2::new(0.0, -100_000.0);

type Shown = Harness<'static, Model>;

fn window(model: &Model, theme: Theme, size: Vec2, scale: f32) -> Shown {
    let draw = |ui: &mut Ui, model: &mut Model| {
        let mut screen = |ui: &mut Ui, _| {
            let rect = ui.max_rect().shrink(24.0);
            ui.painter()
                .rect_filled(rect, 0.0, Color32::from_rgb(0x2b, 0x4a, 0x6b));
        };
        pages::show(ui, model, &mut screen, &mut Vec::new());
    };
    Harness::builder()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_theme(theme)
        .with_context_setup(look::dress)
        .wgpu()
        .build_ui_state(draw, model.clone())
}

fn picture(name: &str, model: &Model, theme: Theme, size: Vec2, scale: f32) -> SnapshotResult {
    let mut harness = window(model, theme, size, scale);
    harness.run_steps(4);
    harness.try_snapshot(name)
}

/// The window as it opens, and the wheel turned by so much over its middle.
fn scrolled(model: &Model, delta: Vec2) -> Shown {
    let mut harness = window(model, Theme::Dark, WIDE, 1.0);
    harness.run_steps(4);
    harness.hover_at((WIDE / 2.0).to_pos2());
    harness.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta,
        phase: TouchPhase::Move,
        source: MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(STEPS);
    harness.remove_cursor();
    harness.run_steps(4);
    harness
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

/// What has to be scrolled to, where there is more than the window shows.
#[test]
fn ends() {
    let mut results = SnapshotResults::new();
    for (name, model) in samples::states() {
        let mut end = scrolled(&model, FAR_DOWN);
        let is_taller = end.render() != scrolled(&model, Vec2::ZERO).render();
        if is_taller {
            results.add(end.try_snapshot(format!("{name}-end")));
        }
    }
}
