//! A channel that is watched, and the way to it.

use crate::{click, show};
use banyan_tv::model::{Command, PlayerOrder, samples};
use eframe::egui::{Key, Role};
use egui_kittest::kittest::{NodeT, Queryable};

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
fn a_channel_that_ended_can_be_tried_again() {
    let mut harness = show(samples::failed());
    click(&mut harness, "Try again");
    let link = samples::failed().watching.unwrap().link;
    assert_eq!(harness.state().commands, [Command::Watch(link)]);
}
