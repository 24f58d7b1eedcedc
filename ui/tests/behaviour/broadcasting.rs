//! One's own channel: the form, the preview, and the air.

use crate::{click, on, show};
use banyan_tv::model::{Command, Leaving, Page, Source, samples};
use eframe::egui::{DroppedFile, Key, Modifiers, Role};
use egui_kittest::kittest::Queryable;
use std::path::Path;
use std::sync::Arc;

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
    click(&mut harness, "Copy: Server");
    assert_eq!(
        harness.state().commands,
        [Command::Copy("rtmp://127.0.0.1:1935/live".into())]
    );
}

#[test]
fn obs_may_send_by_srt_from_elsewhere() {
    let mut harness = show(samples::form_of(Source::Obs));
    click(&mut harness, "Copy: Server");
    let server = "srt://192.0.2.7:9000?passphrase=6b1f0c9a2e7d54830a1b";
    assert_eq!(harness.state().commands, [Command::Copy(server.into())]);
    assert!(harness.query_by_label_contains("stream key empty").is_some());
    click(&mut harness, "RTMP");
    click(&mut harness, "Copy: Server");
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
        let mut harness = show(samples::previewing(Source::Test, None));
        click(&mut harness, leave);
        assert!(harness.state().commands.contains(&Command::EndPreview), "{leave}");
        assert_eq!(harness.state().model.preview, None);
    }
}

#[test]
fn obs_is_seen_before_going_live() {
    let mut harness = show(samples::form_of(Source::Obs));
    click(&mut harness, "Preview");
    assert!(matches!(&harness.state().commands[..], [Command::Preview(form)] if form.source == Source::Obs));
    let waiting = "waiting for a stream at rtmp://127.0.0.1:1935/live/key";
    let harness = show(samples::previewing(Source::Obs, Some(waiting)));
    for said in [
        &waiting.replacen("waiting", "Waiting", 1),
        "Start streaming in OBS",
    ] {
        assert!(harness.query_by_label_contains(said).is_some(), "{said}");
    }
    let mut harness = show(samples::previewing(Source::Obs, None));
    let said = "OBS is connected: 1280 × 720, 30 pictures a second, with sound, 2.5 Mbit/s.";
    assert!(harness.query_by_label(said).is_some());
    // What the uplink can bear is that of what comes.
    harness.state_mut().model.form.uplink_mbps = "10".into();
    harness.run_steps(2);
    assert!(
        harness
            .query_by_label_contains("4 copies of a 2.5 Mbit/s stream")
            .is_some()
    );
}

#[test]
fn obs_stays_connected_until_something_else_is_to_be_opened() {
    let mut harness = show(samples::previewing(Source::Obs, None));
    click(&mut harness, "Settings");
    assert_eq!(harness.state().commands, []);
    click(&mut harness, "Broadcast");
    assert!(harness.query_by_label_contains("OBS is connected").is_some());
    harness.state_mut().commands.clear();
    click(&mut harness, "RTMP");
    assert_eq!(harness.state().commands, [Command::EndPreview]);
    assert_eq!(harness.state().model.preview, None);
}

#[test]
fn obs_is_told_where_to_send_to_on_the_air_while_nothing_comes() {
    let mut model = samples::on_air();
    let push = samples::form_of(Source::Obs).form.push_addresses();
    model.broadcasting.as_mut().unwrap().push = push;
    let mut harness = show(model);
    assert!(harness.query_by_label("Copy: Server").is_none());
    let on_air = harness.state_mut().model.broadcasting.as_mut().unwrap();
    on_air.input_paused = Some("OBS has gone.".into());
    harness.run_steps(3);
    assert!(harness.query_by_label("Copy: Server").is_some());
}

#[test]
fn why_there_is_no_preview_is_said() {
    let harness = show(samples::previewing(Source::Camera, Some("the camera is in use")));
    assert!(harness.query_by_label("The camera is in use.").is_some());
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
}

#[test]
fn who_stops_a_broadcast_that_others_watch_is_asked_once() {
    let mut harness = show(samples::on_air());
    click(&mut harness, "Stop");
    assert!(harness.query_by_label("11 people are watching").is_some());
    assert_eq!(harness.state().commands, [], "nothing happens without an answer");
    click(&mut harness, "Stay on the air");
    assert_eq!(
        (&harness.state().commands[..], harness.state().model.leaving),
        (&[][..], None)
    );
    click(&mut harness, "Stop");
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(harness.state().model.leaving, None, "Escape is to stay");
    click(&mut harness, "Stop");
    click(&mut harness, "Stop the broadcast");
    assert_eq!(harness.state().commands, [Command::EndBroadcast]);
    assert_eq!(harness.state().model.leaving, None);
}

#[test]
fn who_closes_the_window_while_others_watch_is_asked_once() {
    let mut harness = show(samples::on_air());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Q);
    harness.run_steps(3);
    assert_eq!(harness.state().commands, []);
    click(&mut harness, "Stop and close");
    assert_eq!(harness.state().commands, [Command::Quit]);
    // With a relay of one's own besides it is one question.
    let mut model = samples::leaving(Leaving::Program);
    model.broadcasting = samples::on_air().broadcasting;
    let mut harness = show(model);
    let said = "11 people are watching your own channel; closing stops it.";
    assert!(harness.query_by_label(said).is_some());
    click(&mut harness, "Let it run to the end");
    assert_eq!(harness.state().commands, [Command::RunOn(true), Command::Quit]);
}

#[test]
fn a_broadcast_that_nobody_watches_stops_with_one_click() {
    let mut model = samples::on_air();
    let on_air = model.broadcasting.as_mut().unwrap();
    on_air.snapshot.capacity.as_mut().unwrap().viewers = 0;
    let mut harness = show(model);
    click(&mut harness, "Stop");
    assert_eq!(harness.state().commands, [Command::EndBroadcast]);
}

#[test]
fn why_nothing_comes_in_is_a_sentence() {
    let mut model = samples::on_air();
    model.broadcasting.as_mut().unwrap().input_paused = Some("the input is gone".into());
    let harness = show(model);
    assert!(
        harness
            .query_by_label_contains("The input is gone. Viewers wait")
            .is_some()
    );
}

#[test]
fn where_there_is_no_camera_it_says_so_and_the_rest_goes_on() {
    let mut harness = show(samples::form_of(Source::Camera));
    assert!(
        harness
            .query_by_label_contains("No camera or capture card was found")
            .is_some()
    );
    click(&mut harness, "Test pattern");
    click(&mut harness, "Go live");
    assert!(matches!(&harness.state().commands[..], [Command::GoLive(form)] if form.source == Source::Test));
}
