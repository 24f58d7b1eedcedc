//! What pages do: found by what a screen reader would read, clicked, and looked at what comes of it.

mod access;
mod account;
mod broadcasting;
mod sponsoring;
mod watching;

use banyan_tv::look;
use banyan_tv::model::{Command, Gravity, Look, Model, Page, SponsorWish, samples};
use banyan_tv::pages;
use eframe::egui::{Key, Role, Ui, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

/// A window on a model, and what came of it.
struct Shown {
    model: Model,
    commands: Vec<Command>,
}

fn show(model: Model) -> Harness<'static, Shown> {
    show_in(model, Vec2::new(960.0, 900.0))
}

/// In a window of this size.
fn show_in(model: Model, size: Vec2) -> Harness<'static, Shown> {
    let draw = |ui: &mut Ui, shown: &mut Shown| {
        pages::show(ui, &mut shown.model, &mut |_: &mut Ui, _| {}, &mut shown.commands);
    };
    let shown = Shown {
        model,
        commands: Vec::new(),
    };
    let mut harness = Harness::builder()
        .with_size(size)
        .with_context_setup(look::dress)
        .build_ui_state(draw, shown);
    harness.run_steps(3);
    harness
}

fn click(harness: &mut Harness<'_, Shown>, label: &str) {
    harness.get_by_role_and_label(Role::Button, label).click();
    harness.run_steps(3);
}

fn on(page: Page, model: Model) -> Model {
    Model { page, ..model }
}

#[test]
fn what_is_wrong_is_said_where_it_is_seen_and_put_away() {
    for trouble in [
        "There is no sound device; the picture plays without sound.",
        "tv.json is damaged; it was set aside, and the usual settings are used.",
    ] {
        let mut model = samples::watch();
        model.say(Gravity::Warning, trouble);
        let mut harness = show(model);
        assert!(harness.query_by_label(trouble).is_some());
        click(&mut harness, &format!("Dismiss: {trouble}"));
        assert!(harness.query_by_label(trouble).is_none());
    }
}

#[test]
fn questions_are_asked_in_full_screen_too() {
    let mut model = samples::asked();
    model.full_screen = true;
    let mut harness = show(model);
    click(&mut harness, "Not now");
    assert_eq!(harness.state().commands.len(), 1);
}

#[test]
fn a_changed_setting_is_kept() {
    let mut harness = show(on(Page::Settings, samples::empty()));
    harness
        .get_by_label("Show my address to relays and the broadcaster only")
        .click();
    harness.run_steps(3);
    let [Command::Keep(settings)] = &harness.state().commands[..] else {
        panic!("{:?}", harness.state().commands);
    };
    assert!(settings.relay_only);
}

#[test]
fn every_setting_is_kept_as_it_is_chosen() {
    let mut harness = show(on(Page::Settings, samples::empty()));
    for (name, text) in [
        ("Name", "Ada"),
        ("Uplink that may be given, in Mbit/s (empty: measured)", "8"),
    ] {
        harness.get_by_role_and_label(Role::TextInput, name).focus();
        harness.run_steps(2);
        harness
            .get_by_role_and_label(Role::TextInput, name)
            .type_text(text);
        harness.run_steps(2);
    }
    harness.get_by_role_and_label(Role::Button, "Dark").focus();
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(2);
    harness
        .get_by_label("I may be asked to sponsor a relay when a channel needs one")
        .click();
    harness.run_steps(2);
    for slider in ["Play this far behind capture", "Size"] {
        harness.get_by_role_and_label(Role::Slider, slider).focus();
        harness.run_steps(2);
        harness.key_press(Key::ArrowRight);
        harness.run_steps(2);
    }
    let kept = harness.state().commands.iter().rev();
    let kept = kept.filter_map(|command| match command {
        Command::Keep(settings) => Some(settings),
        _ => None,
    });
    let kept = kept.into_iter().next().unwrap();
    assert_eq!((kept.name.as_str(), kept.uplink_mbps.as_str()), ("Ada", "8"));
    assert_eq!((kept.look, kept.sponsor), (Look::Dark, SponsorWish::Never));
    assert!(kept.buffer_s > 2.0 && kept.scale > 1.0, "{kept:?}");
    assert_eq!(**kept, harness.state().model.settings);
}

#[test]
fn every_page_is_reached_from_every_other_by_keyboard() {
    let mut harness = show(samples::empty());
    for page in Page::ALL {
        harness.get_by_role_and_label(Role::Button, page.title()).focus();
        harness.run_steps(2);
        harness.key_press(Key::Enter);
        harness.run_steps(3);
        assert_eq!(harness.state().model.page, page);
    }
}
