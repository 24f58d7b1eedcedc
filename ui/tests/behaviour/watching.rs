//! A channel that is watched, and the way to it.

use crate::{click, on, show};
use banyan_tv::model::{Command, Page, PlayerOrder, samples};
use eframe::egui::{Key, Role};
use egui_kittest::kittest::{NodeT, Queryable};
use std::time::Duration;

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
    click(&mut harness, "Forget: Village council");
    assert_eq!(harness.state().commands, [Command::KeepChannels]);
    assert_eq!(harness.state().model.channels.in_order().count(), 2);
}

#[test]
fn a_recent_or_saved_channel_is_watched_with_one_click() {
    let mut harness = show(samples::known());
    click(&mut harness, "Watch: Sunday football");
    let link = samples::link(3, "Sunday football");
    assert_eq!(harness.state().commands, [Command::Watch(link)]);
    harness
        .get_by_role_and_label(Role::CheckBox, "Keep: Garden concert")
        .click();
    harness.run_steps(3);
    assert_eq!(harness.state().commands[1..], [Command::KeepChannels]);
    let channels = &harness.state().model.channels;
    assert_eq!(channels.in_order().filter(|channel| channel.kept).count(), 2);
}

#[test]
fn the_way_back_to_live_is_there_while_the_picture_is_held() {
    let mut model = samples::watch();
    let player = &mut model.watching.as_mut().unwrap().player;
    (player.live, player.behind_live) = (false, Duration::from_secs(12));
    let mut harness = show(model);
    assert!(harness.query_by_label("12 s behind").is_some());
    click(&mut harness, "Jump to live");
    assert_eq!(harness.state().commands, [Command::Player(PlayerOrder::Live)]);
    assert!(show(samples::watch()).query_by_label("Jump to live").is_none());
}

#[test]
fn the_volume_is_changed_by_keyboard_and_kept() {
    let mut model = samples::watch();
    model.settings.volume = 0.5;
    let mut harness = show(model);
    harness.get_by_role_and_label(Role::Slider, "Volume").focus();
    harness.run_steps(2);
    harness.key_press(Key::ArrowLeft);
    harness.run_steps(2);
    assert!(harness.state().model.settings.volume < 0.5);
    let louder = harness.state().commands.iter();
    let volumes = louder.filter(|command| matches!(command, Command::Player(PlayerOrder::Volume(_))));
    assert_eq!(volumes.count(), 1);
    harness.key_press(Key::Tab);
    harness.run_steps(2);
    assert!(matches!(harness.state().commands.last(), Some(Command::Keep(_))));
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
    harness.key_press(Key::M);
    harness.run_steps(2);
    assert!(
        harness
            .state()
            .commands
            .contains(&Command::Player(PlayerOrder::Mute(true)))
    );
    harness.state_mut().model.full_screen = true;
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    assert_eq!(harness.state().commands.last(), Some(&Command::FullScreen(false)));
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

#[test]
fn why_the_picture_got_worse_and_what_would_help_is_said_beside_it_and_in_the_network() {
    for page in [Page::Watch, Page::Network] {
        let mut model = on(page, samples::degraded_model());
        model.settings.uplink_mbps = "2".into();
        let harness = show(model);
        assert!(
            harness
                .query_by_label_contains("You see a lower quality")
                .is_some()
        );
        assert!(
            harness
                .query_by_label_contains("or a relay that somebody sponsors")
                .is_some()
        );
        assert!(harness.query_by_label_contains("You give 2").is_some());
    }
}

#[test]
fn stripes_that_do_not_come_are_named_in_the_network() {
    let harness = show(on(Page::Network, samples::stalled_model()));
    assert!(
        harness
            .query_by_label_contains("Stripes 1.3, 1.4 do not come just now")
            .is_some()
    );
    assert!(
        harness
            .query_by_label_contains("2 of 5 stripes are missing")
            .is_some()
    );
}

#[test]
fn relays_sponsors_and_one_s_own_place_are_marked() {
    let harness = show(on(Page::Network, samples::watch()));
    for kind in ["broadcaster", "relay", "sponsor", "you", "viewer"] {
        assert!(harness.query_by_label(kind).is_some(), "{kind}");
    }
    let spoken = "1 of them sponsors, and 1 relays in 5 trees; you receive 5 stripes and pass on 3";
    assert!(harness.query_by_label_contains(spoken).is_some());
}

#[test]
fn who_watches_and_broadcasts_chooses_which_network_to_see() {
    let mut model = on(Page::Network, samples::on_air());
    (model.watching, model.network) = (Some(samples::watching()), samples::watch().network);
    let mut harness = show(model);
    assert!(harness.query_by_label_contains("your own neighbours").is_some());
    click(&mut harness, "Your own channel");
    assert!(harness.query_by_label_contains("your own neighbours").is_none());
}
