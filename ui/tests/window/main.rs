//! The real window, on a screen of its own (Xvfb), used as a person does: looked at, clicked, typed into.
#![allow(clippy::unwrap_used)]

mod desk;
mod figures;
mod sponsoring;

use banyan_tv::model::{Command, Model, Page, Source};
use banyan_tv::widgets::trees;
use desk::{Asked, Desk, Picture, Spot};
use std::time::Duration;

/// The test pattern's bars, left to right.
const BARS: [[u8; 3]; 6] = [
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [0, 0, 255],
    [255, 0, 255],
    [0, 255, 255],
];

/// What is not as it should be, in the dark theme.
const WARN: [u8; 3] = [0xf2, 0xb8, 0x4b];

/// Behind a warning, in the dark theme.
const BEHIND_WARNING: [u8; 3] = [0x37, 0x30, 0x1e];

/// The window, in the light theme.
const LIGHT: [u8; 3] = [0xf3, 0xf6, 0xf4];

/// How long a window may take to show what is looked for: joining takes two seconds, and CI does other things, too.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn it_plays_a_broadcast() {
    let desk = Desk::new("plays");
    let link = desk.broadcast(&["test:", "--uplink", "20M", "--title", "Garden concert"]);
    desk.app(&[&link]);
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    desk.dismiss_no_sound();
    let first = desk.look();
    // The frame counter stands in the picture's upper left corner; the bars beside it stay.
    desk.see("another frame", SOON, |picture| {
        picture.has_bars(&BARS) && picture.differs_from(&first)
    });
    desk.keep("watch");
}

#[test]
fn the_screen_stays_awake_while_the_picture_moves() {
    let desk = Desk::new("awake");
    let link = desk.broadcast(&["test:", "--uplink", "20M"]);
    desk.app(&[&link]);
    assert_eq!(desk.asked(SOON), Asked::Inhibit(1));
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    for wish in [1, 2] {
        desk.press("space");
        assert_eq!(desk.asked(SOON), Asked::UnInhibit(wish), "it is paused");
        desk.press("space");
        assert_eq!(desk.asked(SOON), Asked::Inhibit(wish + 1), "it plays");
    }
    desk.press("ctrl+q");
    assert_eq!(desk.asked(SOON), Asked::UnInhibit(3), "it is left");
}

#[test]
fn a_screen_saver_that_goes_away_disturbs_nothing() {
    let desk = Desk::new("saver-gone");
    let link = desk.broadcast(&["test:", "--uplink", "20M"]);
    desk.app(&[&link]);
    assert_eq!(desk.asked(SOON), Asked::Inhibit(1));
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    desk.screen_saver_goes();
    // Paused, and played again: a wish is taken back, and another one made.
    desk.press("space");
    desk.press("space");
    let first = desk.look();
    desk.see("another frame", SOON, |picture| {
        picture.has_bars(&BARS) && picture.differs_from(&first)
    });
    desk.press("ctrl+q");
    desk.app_ends(SOON);
    let said = desk.app_said();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_window_that_is_hidden_goes_on_playing_and_passing_on() {
    let desk = Desk::new("hidden");
    // A copy, and no second one: the other viewer hangs on the app.
    let link = desk.broadcast(&["test:", "--uplink", "4M"]);
    desk.configure("tv.json", r#"{"uplink-mbps":"8"}"#);
    desk.app(&[&link]);
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    desk.dismiss_no_sound();
    desk.hide();
    desk.see("no window", SOON, Picture::is_black);
    desk.watches_fully(&link, SOON);
    desk.unhide();
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    let first = desk.look();
    desk.see("another frame", SOON, |picture| {
        picture.has_bars(&BARS) && picture.differs_from(&first)
    });
}

/// Opens the window, and there the form for a broadcast of `source`; gives what it shows.
fn form(desk: &Desk, source: Source) -> Model {
    desk.app(&[]);
    let mut model = Model::default();
    desk.click(Spot::of(&mut model, "Broadcast"));
    model.page = Page::Broadcast;
    desk.click(Spot::of(&mut model, source.title()));
    model.form.source = source;
    model
}

#[test]
fn it_broadcasts_a_file_that_others_watch() {
    let desk = Desk::new("broadcasts");
    let film = desk.film();
    let mut model = form(&desk, Source::File);
    desk.click(Spot::of(
        &mut model,
        "Path of the file, or drop it on this window",
    ));
    desk.type_text(&film);
    desk.click_primary("Go live");
    desk.click_primary("Copy link");
    let link = desk.clipboard(SOON, |text| text.starts_with("banyan://"));
    desk.watches(&link, SOON);
}

#[test]
fn a_broadcaster_sees_its_picture_before_and_on_the_air() {
    let desk = Desk::new("previews");
    let mut model = form(&desk, Source::Test);
    desk.click(Spot::of(&mut model, "Preview"));
    desk.see("the input", SOON, |picture| picture.has_small_bars(&BARS));
    desk.click(Spot::of(&mut model, "Settings"));
    desk.see("the settings", SOON, |picture| !picture.has_small_bars(&BARS));
    model.page = Page::Settings;
    desk.click(Spot::of(&mut model, "Broadcast"));
    desk.click_primary("Go live");
    desk.see("what is on the air", SOON, |picture| {
        picture.has_small_bars(&BARS)
    });
}

/// It connects once: what is seen before is what goes on the air.
#[test]
fn obs_is_seen_before_going_live_and_stays_connected() {
    let desk = Desk::new("obs");
    desk.app(&[]);
    let mut model = Model::default();
    desk.click(Spot::of(&mut model, "Broadcast"));
    model.page = Page::Broadcast;
    desk.click(Spot::of(&mut model, "Preview"));
    let mut obs = desk.obs();
    desk.see("what OBS sends", SOON, |picture| picture.has_small_bars(&BARS));
    desk.keep("form");
    desk.click_primary("Go live");
    desk.click_primary("Copy link");
    let link = desk.clipboard(SOON, |text| text.starts_with("banyan://"));
    desk.watches(&link, SOON);
    desk.see("what is on the air", SOON, |picture| {
        picture.has_small_bars(&BARS)
    });
    assert!(obs.runs(), "it was sent away");
}

#[test]
fn a_broadcaster_sees_who_feeds_whom() {
    let desk = Desk::new("trees");
    let mut model = form(&desk, Source::Test);
    desk.click_primary("Go live");
    desk.click_primary("Copy link");
    let link = desk.clipboard(SOON, |text| text.starts_with("banyan://"));
    let _viewers = [(); 5].map(|()| desk.viewer(&link, &["--uplink", "6M"]));
    desk.click(Spot::of(&mut model, "Network"));
    model.page = Page::Network;
    let [red, green, blue, _] = trees::colour(0, true).to_array();
    desk.see("the trees", SOON, |picture| {
        picture.has_colour([red, green, blue], 200)
    });
    desk.keep("network");
    // They watch: who closes the window is asked first.
    desk.click(Spot::of(&mut model, "Broadcast"));
    // The link's code is white, and dimmed behind a question.
    let page = |picture: &Picture| picture.has_colour([255; 3], 10_000);
    let question = |picture: &Picture| !page(picture) && picture.primary().is_some();
    desk.see("the page", SOON, page);
    desk.press("ctrl+q");
    desk.see("the question", SOON, question);
    desk.press("Escape");
    desk.see("the page again", SOON, page);
    desk.press("ctrl+q");
    desk.see("the question again", SOON, question);
    desk.click_primary("Stop and close");
    desk.app_ends(SOON);
}

#[test]
fn what_a_screen_shows_is_broadcast() {
    let desk = Desk::new("screen");
    let link = desk.broadcast(&[&format!("screen:{}?rate=10", desk.display())]);
    desk.watches(&link, SOON);
}

#[test]
fn damaged_settings_are_set_aside_and_said() {
    let desk = Desk::new("damaged");
    desk.configure("tv.json", "{ \"scale\": ");
    desk.app(&[]);
    desk.see("the warning", SOON, |picture| {
        picture.has_colour(BEHIND_WARNING, 10_000)
    });
    assert_eq!(desk.configured("tv.damaged"), "{ \"scale\": ");
}

#[test]
fn the_window_is_as_light_and_as_large_as_is_set() {
    let desk = Desk::new("light");
    desk.configure("tv.json", r#"{"look":"light","scale":1.5}"#);
    desk.app(&[]);
    desk.see("a light window", SOON, |picture| {
        picture.has_colour(LIGHT, 100_000)
    });
    let mut model = Model::default();
    let [x, y] = Spot::of(&mut model, "Settings").pixel().map(|at| at * 3 / 2);
    desk.click(Spot::at(x as usize, y as usize));
    // A card is white.
    desk.see("the settings, where they are at that size", SOON, |picture| {
        picture.has_colour([255; 3], 100_000)
    });
}

#[test]
fn where_no_window_can_be_opened_it_says_why_and_what_to_do() {
    let desk = Desk::new("refused");
    let said = desk.refused(|app| {
        app.env_remove("DISPLAY");
    });
    assert!(
        said.contains("there is no display") && said.contains("DISPLAY"),
        "{said}"
    );
    let said = desk.refused(|app| {
        app.env("DISPLAY", ":4999");
    });
    assert!(said.contains("there is no display"), "{said}");
    // Drivers that are not there.
    let said = desk.refused(|app| {
        app.env("VK_DRIVER_FILES", "/none")
            .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/none");
    });
    assert!(
        said.contains("no graphics driver") && said.contains("install"),
        "{said}"
    );
    assert!(!said.contains("backtrace"), "{said}");
}

/// What the tests click on is what the pages draw: a command comes of it there, too.
#[test]
fn spots_are_where_the_pages_draw() {
    let mut model = Model::default();
    let spot = Spot::of(&mut model, "Network");
    assert_eq!(spot.clicked(&mut model), Vec::<Command>::new());
    assert_eq!(model.page, Page::Network);
}
