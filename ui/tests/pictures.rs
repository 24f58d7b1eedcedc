//! Pictures of every page and state, light, dark and narrow, compared with those in `tests/snapshots`.
//! `UPDATE_SNAPSHOTS=true` takes them anew.

use banyan_cloud::failure::Why;
use banyan_tv::look;
use banyan_tv::model::{Account, Model, Page, Source, samples};
use banyan_tv::pages;
use eframe::egui::{Color32, Theme, Ui, Vec2};
use egui_kittest::{Harness, SnapshotResults};

const WIDE: Vec2 = Vec2::new(960.0, 640.0);
const NARROW: Vec2 = Vec2::new(400.0, 720.0);

/// A page in a state, by the name of its picture.
fn states() -> Vec<(&'static str, Model)> {
    let on = |page: Page, model: Model| Model { page, ..model };
    vec![
        ("home-empty", samples::empty()),
        ("home-known", samples::known()),
        ("watch-live", samples::watch()),
        ("watch-degraded", samples::degraded_model()),
        ("watch-stalled", samples::stalled_model()),
        ("watch-failed", samples::failed()),
        ("watch-sponsoring", samples::sponsor_watching()),
        ("sponsor-asked", samples::asked()),
        ("sponsor-leaving", samples::leaving()),
        ("broadcast-form", on(Page::Broadcast, samples::known())),
        ("broadcast-srt", samples::form_of(Source::Obs)),
        ("broadcast-tuner", samples::form_of(Source::Tuner)),
        ("broadcast-preview", samples::previewing(None)),
        (
            "broadcast-preview-busy",
            samples::previewing(Some(
                "/dev/video0 is in use by another program; end that one, or choose another camera",
            )),
        ),
        ("broadcast-live", samples::on_air()),
        ("network-empty", on(Page::Network, samples::empty())),
        ("network-live", on(Page::Network, samples::on_air())),
        ("relays-empty", on(Page::Relays, samples::empty())),
        ("relays-running", samples::sponsoring()),
        ("relays-failed", samples::relays_failed()),
        ("settings", on(Page::Settings, samples::known())),
        ("account-unknown", samples::setting_up(Account::Unknown)),
        (
            "account-not-set-up",
            samples::setting_up(samples::account(Some(Why::NoCredentials))),
        ),
        (
            "account-expired",
            samples::setting_up(samples::account(Some(Why::Expired))),
        ),
        (
            "account-not-allowed",
            samples::setting_up(samples::account(Some(Why::Unauthorized))),
        ),
        ("account-ready", samples::setting_up(samples::account(None))),
        ("messages", samples::with_messages()),
    ]
}

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
    for (name, model) in states() {
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
