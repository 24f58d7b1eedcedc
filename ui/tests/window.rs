//! The real window, on a screen of its own (Xvfb), used as a person does: looked at, clicked, typed into.
#![allow(clippy::unwrap_used)]

mod desk;

use banyan_cloud::provider::Kind;
use banyan_tv::model::{Account, Command, Model, Page, Source, samples};
use banyan_tv::widgets::trees;
use cloud_rig::Fault;
use cloud_rig::channel::{Channel, PATIENCE, Watch, in_own_network};
use cloud_rig::machine::Body;
use cloud_rig::rig::{KEY_ID, SECRET_KEY};
use desk::{Asked, Desk, Program, Spot, wait};
use std::time::{Duration, Instant};

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
    let mut model = form(&desk, Source::Test);
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

/// Somebody who watches a channel that has no room, and a viewer who gives nothing; the question is there.
fn asked(name: &str) -> (Desk, Program) {
    let desk = Desk::new(name);
    let link = desk.broadcast(&["test:", "--uplink", "3M", "--title", "Garden concert"]);
    let first = desk.viewer(&link, &["--uplink", "0"]);
    desk.app(&[&link]);
    desk.see_primary("Sponsor");
    (desk, first)
}

fn sponsor(desk: &Desk) {
    desk.click_primary("Sponsor");
    desk.told("relay-joined", Duration::from_secs(30));
    // The line below the picture comes with the relay.
    desk.see("the line of the relay", SOON, |picture| picture.has_relay());
}

/// Opens the page with the relay's meter; gives what it shows.
fn meter(desk: &Desk) -> Model {
    desk.dismiss_no_sound();
    let mut model = samples::sponsor_watching();
    let relays = model
        .watching
        .iter_mut()
        .flat_map(|watching| &mut watching.snapshot.relays);
    relays.for_each(|relay| (relay.provider, relay.region) = (Kind::Local, None));
    desk.click(Spot::of(&mut model, "Relays"));
    model.page = Page::Relays;
    model
}

#[test]
fn it_sponsors_a_relay_by_a_click() {
    let (desk, _first) = asked("sponsors");
    desk.keep("question");
    sponsor(&desk);
    // Quitting asks first.
    desk.press("ctrl+q");
    desk.click_primary("Stop it now");
    desk.told("relay-left", SOON);
}

#[test]
fn an_own_relay_is_extended_and_stopped_by_clicks() {
    let (desk, _first) = asked("meter");
    sponsor(&desk);
    let [relay] = &desk.relays()[..] else {
        panic!("{:?}", desk.relays());
    };
    let mut model = meter(&desk);
    desk.click_new(&mut model, "Run 1 h longer");
    let ends = relay["ends_at"].as_u64().unwrap();
    wait("an hour more", SOON, || {
        let now = desk.relays();
        (now[0]["ends_at"].as_u64() == Some(ends + 3600)).then_some(())
    });
    desk.click(Spot::of(&mut model, "Stop it now"));
    desk.told("relay-left", SOON);
    wait("the end of it", SOON, || desk.relays().is_empty().then_some(()));
}

#[test]
fn a_relay_runs_on_without_the_window_if_that_is_wished() {
    let (desk, _first) = asked("runs-on");
    sponsor(&desk);
    let mut model = samples::leaving();
    desk.press("ctrl+q");
    desk.see_primary("Stop it now");
    desk.click(Spot::of(&mut model, "Let it run to the end"));
    desk.app_ends(SOON);
    let [relay] = &desk.relays()[..] else {
        panic!("{:?}", desk.relays());
    };
    assert_eq!(relay["verdict"], "keep");
    desk.end_relay(relay["relay"].as_str().unwrap());
    desk.told("relay-left", SOON);
}

/// The account is checked, and a relay in it is sponsored, extended and stopped.
#[test]
fn a_relay_at_ec2_is_commanded_by_clicks() -> anyhow::Result<()> {
    // Screens are numbered in the network that all share.
    let desk = Desk::new("ec2");
    in_own_network(async {
        let mut channel = Channel::open("window", Body::process()?).await?;
        at_ec2(&desk, &channel)?;
        desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
        desk.dismiss_no_sound();
        let mut model = samples::setting_up(Account::Unknown);
        desk.click(Spot::of(&mut model, "Relays"));
        let refused = [Fault::Error("UnauthorizedOperation")];
        channel.rig.proxy.script("CreateSecurityGroup", refused);
        desk.click(Spot::of(&mut model, "Check my account"));
        // A sentence of it.
        desk.see("that a permission is missing", SOON, |picture| {
            picture.has_colour(WARN, 60)
        });
        let asked = channel.rig.proxy.seen_of("CreateSecurityGroup");
        assert!(!asked.is_empty() && asked.iter().all(|seen| seen.field("DryRun") == Some("true")));

        let _rider = Watch::start(&channel, "rider").await?;
        desk.click_primary("Sponsor");
        channel
            .broadcast
            .wait("relay-joined", PATIENCE, |_| true)
            .await
            .unwrap();
        let mut model = samples::sponsor_watching();
        model.page = Page::Relays;
        desk.click_new(&mut model, "Run 1 h longer");
        let cloud = channel.rig.cloud(false)?;
        let ends = async || -> anyhow::Result<_> {
            Ok(channel.rig.alive(&cloud).await?[0]
                .found
                .ends
                .map(|ends| ends.as_secs()))
        };
        let ordered = ends().await?;
        let begun = Instant::now();
        while ends().await?.unwrap() < banyan_cloud::clock::now().as_secs() + 3600 + 1800 {
            assert!(begun.elapsed() < SOON, "it still ends at {ordered:?}");
        }
        cloud.close().await;
        desk.click(Spot::of(&mut model, "Stop it now"));
        channel
            .broadcast
            .wait("relay-left", PATIENCE, |_| true)
            .await
            .unwrap();
        channel.machines().until_running(0, PATIENCE).await.unwrap();
        Ok(())
    })
}

/// Opens the window for somebody whose relays run in the channel's account.
fn at_ec2(desk: &Desk, channel: &Channel) -> anyhow::Result<()> {
    desk.configure("tv.json", r#"{"provider":"ec2","region":"eu-central-1"}"#);
    let config = std::fs::read_to_string(channel.rig.data.join("config.toml"))?;
    desk.configure("config.toml", &config);
    let endpoint = format!("http://{}", channel.rig.proxy.address);
    let environment = [
        ("AWS_ENDPOINT_URL_EC2", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    desk.app_with(&[&channel.link], &environment);
    Ok(())
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
