//! What pages do: found by what a screen reader would read, clicked, and looked at what comes of it.

use banyan_cloud::failure::Why;
use banyan_tv::look;
use banyan_tv::model::{
    Account, Command, Gravity, Model, Page, PlayerOrder, Provider, RelayOrder, Reply, Source, samples,
};
use banyan_tv::pages;
use eframe::egui::{DroppedFile, Key, Modifiers, Role, Ui, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use std::path::Path;
use std::sync::Arc;

/// A window on a model, and what came of it.
struct Shown {
    model: Model,
    commands: Vec<Command>,
}

fn show(model: Model) -> Harness<'static, Shown> {
    let draw = |ui: &mut Ui, shown: &mut Shown| {
        pages::show(ui, &mut shown.model, &mut |_: &mut Ui, _| {}, &mut shown.commands);
    };
    let shown = Shown {
        model,
        commands: Vec::new(),
    };
    let mut harness = Harness::builder()
        .with_size(Vec2::new(960.0, 900.0))
        .with_context_setup(look::dress)
        .build_ui_state(draw, shown);
    harness.run_steps(3);
    harness
}

fn click(harness: &mut Harness<'_, Shown>, label: &str) {
    harness.get_by_role_and_label(Role::Button, label).click();
    harness.run_steps(3);
}

/// The first of several of the same name.
fn click_first(harness: &mut Harness<'_, Shown>, label: &str) {
    let mut all = harness.get_all_by_role_and_label(Role::Button, label);
    all.next().expect("there is one").click();
    drop(all);
    harness.run_steps(3);
}

fn on(page: Page, model: Model) -> Model {
    Model { page, ..model }
}

#[test]
fn a_link_that_is_none_cannot_be_watched_and_says_why() {
    let mut model = samples::empty();
    model.link = "http://example.com".into();
    let mut harness = show(model);
    assert!(
        harness
            .get_by_role_and_label(Role::Button, "Join")
            .accesskit_node()
            .is_disabled()
    );
    assert!(harness.query_by_label_contains("begins with banyan://").is_some());
    harness.state_mut().model.link = samples::link(4, "Film night");
    harness.run_steps(2);
    click(&mut harness, "Join");
    assert_eq!(
        harness.state().commands,
        [Command::Watch(samples::link(4, "Film night"))]
    );
    assert_eq!(harness.state().model.link, "");
}

#[test]
fn a_kept_channel_is_left_and_forgotten() {
    let mut harness = show(samples::known());
    harness
        .get_all_by_role_and_label(Role::Button, "Forget")
        .next()
        .unwrap()
        .click();
    harness.run_steps(3);
    assert_eq!(harness.state().commands, [Command::KeepChannels]);
    assert_eq!(harness.state().model.channels.in_order().count(), 2);
}

#[test]
fn the_player_does_what_the_buttons_say() {
    let mut harness = show(samples::watch());
    click(&mut harness, "Pause");
    click(&mut harness, "Back 10 s");
    click(&mut harness, "Full screen");
    assert_eq!(
        harness.state().commands,
        [
            Command::Player(PlayerOrder::Pause),
            Command::Player(PlayerOrder::Back(10)),
            Command::FullScreen(true)
        ]
    );
}

#[test]
fn keys_do_what_buttons_do() {
    let mut harness = show(samples::watch());
    for key in [Key::Space, Key::ArrowLeft, Key::L, Key::F] {
        harness.key_press(key);
        harness.run_steps(2);
    }
    assert_eq!(
        harness.state().commands,
        [
            Command::Player(PlayerOrder::Pause),
            Command::Player(PlayerOrder::Back(10)),
            Command::Player(PlayerOrder::Live),
            Command::FullScreen(true)
        ]
    );
}

#[test]
fn a_picture_that_cannot_be_decoded_is_said_in_its_place_and_read_aloud() {
    let mut model = samples::watch();
    let why = "this FFmpeg has no hevc decoder; install a complete one";
    model.watching.as_mut().unwrap().player.error = Some(why.into());
    let mut harness = show(model);
    assert!(harness.query_by_label_contains(why).is_some());
    // The rest goes on.
    click(&mut harness, "Mute");
    assert!(
        harness
            .state()
            .commands
            .contains(&Command::Player(PlayerOrder::Mute(true)))
    );
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
        click(&mut harness, "Dismiss");
        assert!(harness.query_by_label(trouble).is_none());
    }
}

#[test]
fn a_channel_that_ended_can_be_tried_again() {
    let mut harness = show(samples::failed());
    click(&mut harness, "Try again");
    let link = samples::failed().watching.unwrap().link;
    assert_eq!(harness.state().commands, [Command::Watch(link)]);
}

#[test]
fn who_is_asked_sees_what_it_costs_before_a_yes() {
    let mut harness = show(samples::asked());
    assert!(
        harness
            .query_by_label_contains("6 people get the full picture back")
            .is_some()
    );
    assert!(harness.query_by_label_contains("never more than $1.00").is_some());
    click(&mut harness, "Sponsor");
    let [Command::Answer(id, Reply::Sponsor(terms))] = &harness.state().commands[..] else {
        panic!("{:?}", harness.state().commands);
    };
    assert_eq!((id.as_str(), terms), ("r1", &samples::request().terms));
    assert_eq!(harness.state().model.request, None);
}

#[test]
fn a_no_is_a_no() {
    for (button, reply) in [("Not now", Reply::NotNow), ("Don't ask again", Reply::Never)] {
        let mut harness = show(samples::asked());
        click(&mut harness, button);
        assert_eq!(harness.state().commands, [Command::Answer("r1".into(), reply)]);
    }
}

#[test]
fn the_form_goes_on_the_air_with_what_was_typed() {
    let mut harness = show(on(Page::Broadcast, samples::empty()));
    click(&mut harness, "Test pattern");
    harness.get_by_role_and_label(Role::TextInput, "Title").focus();
    harness.run_steps(2);
    harness
        .get_by_role_and_label(Role::TextInput, "Title")
        .type_text("Film night");
    harness.run_steps(2);
    click(&mut harness, "Go live");
    let [Command::GoLive(form)] = &harness.state().commands[..] else {
        panic!("{:?}", harness.state().commands);
    };
    assert_eq!(
        (form.source.clone(), form.title.as_str()),
        (Source::Test, "Film night")
    );
}

/// A file that comes from another window.
#[derive(Debug)]
struct Film;

impl DroppedFile for Film {
    fn path(&self) -> &Path {
        Path::new("/tmp/film.mkv")
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody reads it here".into())
    }
}

#[test]
fn a_dropped_file_is_the_input() {
    let mut model = on(Page::Broadcast, samples::empty());
    model.form.source = Source::File;
    let mut harness = show(model);
    harness.input_mut().dropped_files.push(Arc::new(Film));
    harness.run_steps(2);
    assert_eq!(harness.state().model.form.input, "/tmp/film.mkv");
}

#[test]
fn obs_is_told_where_to_send_to() {
    let mut harness = show(on(Page::Broadcast, samples::empty()));
    click_first(&mut harness, "Copy");
    assert_eq!(
        harness.state().commands,
        [Command::Copy("rtmp://127.0.0.1:1935/live".into())]
    );
}

#[test]
fn obs_may_send_by_srt_from_elsewhere() {
    let mut harness = show(samples::form_of(Source::Obs));
    click_first(&mut harness, "Copy");
    let server = "srt://192.0.2.7:9000?passphrase=6b1f0c9a2e7d54830a1b";
    assert_eq!(harness.state().commands, [Command::Copy(server.into())]);
    assert!(harness.query_by_label_contains("stream key empty").is_some());
    click(&mut harness, "RTMP");
    click_first(&mut harness, "Copy");
    let server = "rtmp://192.0.2.7:1935/live";
    assert_eq!(harness.state().commands[1], Command::Copy(server.into()));
}

#[test]
fn until_the_first_picture_comes_it_says_what_is_waited_for() {
    let mut model = samples::on_air();
    model.broadcasting.as_mut().unwrap().link = None;
    let harness = show(model);
    assert!(
        harness
            .query_by_label_contains("as soon as the first picture")
            .is_some()
    );
}

#[test]
fn a_tuner_s_page_says_what_to_run() {
    let mut harness = show(samples::form_of(Source::Tuner));
    assert!(harness.query_by_label("udp://192.0.2.7:1234").is_some());
    assert!(harness.query_by_label_contains("dvbv5-zap -a 0").is_some());
    harness.state_mut().model.form.found.tuners.clear();
    harness.run_steps(2);
    assert!(harness.query_by_label_contains("No tuner was found").is_some());
}

#[test]
fn an_input_is_looked_at_and_let_go() {
    let mut harness = show(samples::form_of(Source::Test));
    click(&mut harness, "Preview");
    assert!(matches!(&harness.state().commands[..], [Command::Preview(form)] if form.source == Source::Test));
    for leave in ["End the preview", "Settings", "Screen"] {
        let mut harness = show(samples::previewing(None));
        click(&mut harness, leave);
        assert!(harness.state().commands.contains(&Command::EndPreview), "{leave}");
        assert_eq!(harness.state().model.preview, None);
    }
}

#[test]
fn why_there_is_no_preview_is_said() {
    let harness = show(samples::previewing(Some("the camera is in use")));
    assert!(harness.query_by_label("the camera is in use").is_some());
}

#[test]
fn the_link_of_a_live_channel_is_copied_with_one_click() {
    let mut harness = show(samples::on_air());
    assert!(harness.query_by_label_contains("room for 4 more").is_some());
    click(&mut harness, "Copy link");
    assert_eq!(
        harness.state().commands,
        [Command::Copy(samples::link(1, "Garden concert"))]
    );
    click(&mut harness, "Stop");
    assert_eq!(harness.state().commands[1], Command::EndBroadcast);
}

#[test]
fn what_should_not_run_can_be_ended() {
    let mut harness = show(samples::sponsoring());
    click(&mut harness, "End all that should not run");
    click_first(&mut harness, "Stop now");
    assert_eq!(
        harness.state().commands,
        [
            Command::Relay(RelayOrder::Sweep),
            Command::Relay(RelayOrder::Stop("11ab".into()))
        ]
    );
}

#[test]
fn an_own_relay_is_extended_stopped_and_let_run_on() {
    let mut harness = show(samples::sponsoring());
    assert!(harness.query_by_label_contains("has 38 min left").is_some());
    click(&mut harness, "Run 1 h longer");
    click(&mut harness, "Stop it now");
    harness
        .get_by_label("When I leave, let it run on to the end of its lease")
        .click();
    harness.run_steps(3);
    assert_eq!(
        harness.state().commands,
        [
            Command::Relay(RelayOrder::Extend("9f2c".into(), 60)),
            Command::Relay(RelayOrder::Stop("9f2c".into())),
            Command::RunOn(true)
        ]
    );
}

#[test]
fn the_way_from_the_picture_to_the_relay_is_one_click() {
    let mut harness = show(samples::sponsor_watching());
    click(&mut harness, "Stop or extend it");
    assert_eq!(harness.state().model.page, Page::Relays);
}

#[test]
fn who_leaves_with_a_relay_chooses_what_becomes_of_it() {
    let choices = [
        ("Stop it now", vec![Command::RunOn(false), Command::Leave]),
        (
            "Let it run to the end",
            vec![Command::RunOn(true), Command::Leave],
        ),
        ("Stay", vec![]),
    ];
    for (choice, commands) in choices {
        let mut harness = show(samples::sponsor_watching());
        click(&mut harness, "Leave");
        assert_eq!(harness.state().commands, [], "nothing happens without an answer");
        click(&mut harness, choice);
        assert_eq!(harness.state().commands, commands);
        assert_eq!(harness.state().model.leaving, None);
    }
}

#[test]
fn ctrl_q_ends_the_program_and_asks_first_if_a_relay_runs() {
    let mut harness = show(samples::watch());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Q);
    harness.run_steps(2);
    assert_eq!(harness.state().commands, [Command::Quit]);
    let mut harness = show(samples::sponsor_watching());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Q);
    harness.run_steps(3);
    click(&mut harness, "Let it run to the end");
    assert_eq!(harness.state().commands, [Command::RunOn(true), Command::Quit]);
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
fn the_set_up_of_an_account_is_guided() {
    let mut harness = show(samples::setting_up(Account::Unknown));
    click(&mut harness, "Copy the policy");
    let [Command::Copy(policy)] = &harness.state().commands[..] else {
        panic!("{:?}", harness.state().commands);
    };
    assert_eq!(*policy, banyan::cloud::desk::policy("eu-central-1").unwrap());
    click(&mut harness, "Check my account");
    assert_eq!(
        harness.state().commands[1..],
        [Command::CheckAccount("eu-central-1".into())]
    );
    assert_eq!(harness.state().model.account, Account::Checking);
}

#[test]
fn the_set_up_is_found_by_who_has_none() {
    let mut harness = show(on(Page::Relays, samples::known()));
    click(&mut harness, "Set it up");
    assert!(matches!(&harness.state().commands[..], [Command::Keep(kept)] if kept.provider == Provider::Ec2));
    assert!(harness.query_by_label("Your account at Amazon EC2").is_some());
}

#[test]
fn what_an_account_lacks_is_said_and_checked_again() {
    let states = [
        (Some(Why::NoCredentials), "there is no sign-in"),
        (Some(Why::Expired), "Your sign-in has expired"),
        (Some(Why::Unauthorized), "A permission is missing"),
        (None, "region eu-central-1. Frankfurt: $0.0208 an hour"),
    ];
    for (why, words) in states {
        let mut harness = show(samples::setting_up(samples::account(why)));
        assert!(harness.query_by_label_contains(words).is_some(), "{words}");
        click(&mut harness, "Check again");
        assert_eq!(harness.state().model.account, Account::Checking);
    }
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

#[test]
fn all_that_can_be_used_has_a_name_for_screen_readers() {
    for model in [
        samples::known(),
        samples::watch(),
        samples::asked(),
        samples::on_air(),
        samples::sponsoring(),
        samples::sponsor_watching(),
        samples::leaving(),
        samples::setting_up(samples::account(None)),
        on(Page::Broadcast, samples::empty()),
        samples::form_of(Source::Obs),
        samples::form_of(Source::Tuner),
        samples::previewing(None),
        on(Page::Network, samples::on_air()),
        on(Page::Settings, samples::empty()),
    ] {
        let harness = show(model);
        for node in harness.root().children_recursive() {
            let node = node.accesskit_node();
            let usable = matches!(
                node.role(),
                Role::Button | Role::TextInput | Role::Slider | Role::CheckBox | Role::ComboBox | Role::Image
            );
            assert!(
                !usable || node.label().is_some_and(|label| !label.is_empty()),
                "{node:?}"
            );
        }
    }
}
