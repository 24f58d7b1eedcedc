//! The real window, on a screen of its own (Xvfb), used as a person does: looked at, clicked, typed into.

mod desk;

use banyan_tv::model::{Command, Model, Page, Source};
use banyan_tv::widgets::trees;
use desk::{Desk, Spot};
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

/// How long a window may take to show what is looked for: joining takes two seconds, and CI does other things, too.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn it_plays_a_broadcast() {
    let desk = Desk::new("plays");
    let link = desk.broadcast(&["test:", "--uplink", "20M", "--title", "Garden concert"]);
    desk.app(&[&link]);
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    let first = desk.look();
    // The frame counter stands in the picture's upper left corner; the bars beside it stay.
    desk.see("another frame", SOON, |picture| {
        picture.has_bars(&BARS) && picture.differs_from(&first)
    });
    desk.keep("watch");
}

#[test]
fn it_broadcasts_a_file_that_others_watch() {
    let desk = Desk::new("broadcasts");
    let film = desk.film();
    desk.app(&[]);
    let mut model = Model::default();
    desk.click(Spot::of(&mut model, "Broadcast"));
    model.page = Page::Broadcast;
    desk.click(Spot::of(&mut model, Source::File.title()));
    model.form.source = Source::File;
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
    desk.app(&[]);
    let mut model = Model::default();
    desk.click(Spot::of(&mut model, "Broadcast"));
    model.page = Page::Broadcast;
    desk.click(Spot::of(&mut model, Source::Test.title()));
    model.form.source = Source::Test;
    desk.click(Spot::of(&mut model, "Preview"));
    desk.see("the input", SOON, |picture| picture.has_small_bars(&BARS));
    desk.keep("form");
    desk.click(Spot::of(&mut model, "Settings"));
    desk.see("the settings", SOON, |picture| !picture.has_small_bars(&BARS));
    model.page = Page::Settings;
    desk.click(Spot::of(&mut model, "Broadcast"));
    desk.click_primary("Go live");
    desk.see("what is on the air", SOON, |picture| {
        picture.has_small_bars(&BARS)
    });
}

#[test]
fn a_broadcaster_sees_who_feeds_whom() {
    let desk = Desk::new("trees");
    desk.app(&[]);
    let mut model = Model::default();
    desk.click(Spot::of(&mut model, "Broadcast"));
    model.page = Page::Broadcast;
    desk.click(Spot::of(&mut model, Source::Test.title()));
    desk.click_primary("Go live");
    desk.click_primary("Copy link");
    let link = desk.clipboard(SOON, |text| text.starts_with("banyan://"));
    let _viewers = [(); 5].map(|()| desk.viewer(&link, &["--uplink", "6M"]));
    desk.click(Spot::of(&mut model, "Network"));
    let [red, green, blue, _] = trees::colour(0, true).to_array();
    desk.see("the trees", SOON, |picture| {
        picture.has_colour([red, green, blue], 200)
    });
    desk.keep("network");
}

#[test]
fn what_a_screen_shows_is_broadcast() {
    let desk = Desk::new("screen");
    let link = desk.broadcast(&[&format!("screen:{}?rate=10", desk.display())]);
    desk.watches(&link, SOON);
}

#[test]
fn it_sponsors_a_relay_by_a_click() {
    let desk = Desk::new("sponsors");
    let link = desk.broadcast(&["test:", "--uplink", "3M", "--title", "Garden concert"]);
    let _first = desk.viewer(&link, &["--uplink", "0"]);
    desk.app(&[&link]);
    desk.see_primary("Sponsor");
    desk.keep("question");
    desk.click_primary("Sponsor");
    desk.told("relay-joined", Duration::from_secs(30));
    // The line below the picture comes with the relay; then quitting asks first.
    desk.see("the line of the relay", SOON, |picture| picture.has_relay());
    desk.press("ctrl+q");
    desk.click_primary("Stop it now");
    desk.told("relay-left", SOON);
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
