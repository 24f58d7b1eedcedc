//! Every page in every state that a person may come upon: what pictures show, and what is tried by keyboard.

use super::super::*;
use super::*;
use banyan::inputs::Camera;
use banyan_cloud::failure::Why;
use std::time::Duration;

/// All of them, by the names of their pictures.
pub fn states() -> Vec<(&'static str, Model)> {
    let all = [
        watched(),
        asked_for(),
        aired(),
        networks(),
        relays(),
        accounts(),
        others(),
    ];
    all.into_iter().flatten().collect()
}

type States = Vec<(&'static str, Model)>;

fn on(page: Page, model: Model) -> Model {
    Model { page, ..model }
}

fn with(mut model: Model, change: impl FnOnce(&mut Model)) -> Model {
    change(&mut model);
    model
}

fn with_watching(change: impl FnOnce(&mut Watching)) -> Model {
    with(watch(), |model| {
        change(model.watching.as_mut().expect("it is watched"))
    })
}

fn watched() -> States {
    vec![
        ("home-empty", empty()),
        ("home-known", known()),
        (
            "home-no-link",
            with(known(), |model| model.link = "http://example.com".into()),
        ),
        (
            "watch-joining",
            with_watching(|it| *it = Watching::new("", "Garden concert")),
        ),
        ("watch-live", watch()),
        ("watch-paused", with_watching(paused)),
        ("watch-degraded", degraded_model()),
        ("watch-stalled", stalled_model()),
        ("watch-undecodable", with_watching(undecodable)),
        ("watch-failed", failed()),
        ("watch-sponsoring", sponsor_watching()),
        (
            "watch-full-screen",
            with(watch(), |model| model.full_screen = true),
        ),
    ]
}

fn paused(watching: &mut Watching) {
    watching.player.paused = true;
    watching.player.live = false;
    watching.player.behind_live = Duration::from_secs(12);
}

fn undecodable(watching: &mut Watching) {
    watching.player.error = Some("this FFmpeg has no hevc decoder; install a complete one".into());
}

fn asked_for() -> States {
    let terms = |change: fn(&mut Terms)| {
        with(asked(), |model| {
            change(&mut model.request.as_mut().expect("it is asked").terms)
        })
    };
    vec![
        ("sponsor-asked", asked()),
        (
            "sponsor-asked-here",
            terms(|terms| terms.provider = Provider::Local),
        ),
        (
            "sponsor-asked-too-little",
            terms(|terms| (terms.hours, terms.budget_usd) = (8.0, 0.05)),
        ),
        ("sponsor-leaving", leaving(Leaving::Channel)),
        (
            "sponsor-closing",
            with(leaving(Leaving::Program), |model| {
                model.broadcasting = on_air().broadcasting;
            }),
        ),
    ]
}

fn aired() -> States {
    let on_the_air = |change: fn(&mut Broadcasting)| {
        with(on_air(), |model| {
            change(model.broadcasting.as_mut().expect("it is on the air"))
        })
    };
    let busy = "/dev/video0 is in use by another program; end that program, or choose another device";
    vec![
        ("broadcast-form", on(Page::Broadcast, known())),
        ("broadcast-refused", refused()),
        ("broadcast-srt", form_of(Source::Obs)),
        ("broadcast-camera", camera()),
        ("broadcast-no-camera", form_of(Source::Camera)),
        ("broadcast-tuner", form_of(Source::Tuner)),
        ("broadcast-preview", previewing(Source::Test, None)),
        (
            "broadcast-preview-busy",
            with(camera(), |model| {
                model.preview = previewing(Source::Camera, Some(busy)).preview;
            }),
        ),
        ("broadcast-preview-obs", previewing(Source::Obs, None)),
        (
            "broadcast-preview-obs-waiting",
            previewing(Source::Obs, Some("waiting for a stream at srt://0.0.0.0:9000")),
        ),
        ("broadcast-starting", on_the_air(|on_air| on_air.link = None)),
        ("broadcast-live", on_air()),
        (
            "broadcast-stopping",
            with(on_air(), |model| model.leaving = Some(Leaving::Broadcast)),
        ),
        (
            "broadcast-closing",
            with(on_air(), |model| model.leaving = Some(Leaving::Program)),
        ),
        (
            "broadcast-silent",
            on_the_air(|on_air| {
                on_air.input_paused = Some("the input is gone; waiting for it to come back".into())
            }),
        ),
    ]
}

fn refused() -> Model {
    with(form_of(Source::File), |model| {
        model.form.complaint = model.form.resolve().err();
        model.form.uplink_mbps = "much".into();
    })
}

fn camera() -> Model {
    with(form_of(Source::Camera), |model| {
        let camera = Camera {
            input: "/dev/video0".into(),
            name: "Webcam".into(),
        };
        model.form.input.clone_from(&camera.input);
        model.form.found.cameras = vec![camera];
    })
}

fn networks() -> States {
    vec![
        ("network-empty", on(Page::Network, empty())),
        ("network-live", on(Page::Network, on_air())),
        ("network-viewer", on(Page::Network, watch())),
        ("network-degraded", on(Page::Network, degraded_model())),
        ("network-stalled", on(Page::Network, stalled_model())),
        (
            "network-two",
            on(
                Page::Network,
                with(on_air(), |model| {
                    (model.watching, model.network) = (Some(watching()), watch().network);
                }),
            ),
        ),
    ]
}

fn relays() -> States {
    vec![
        ("relays-empty", on(Page::Relays, empty())),
        (
            "relays-looking",
            with(on(Page::Relays, empty()), |model| model.relays = Relays::Looking),
        ),
        ("relays-running", sponsoring()),
        ("relays-failed", relays_failed()),
    ]
}

fn accounts() -> States {
    let failed = Account::Failed("the cloud's own process does not start: no such file".into());
    vec![
        ("account-unknown", setting_up(Account::Unknown)),
        ("account-checking", setting_up(Account::Checking)),
        ("account-failed", setting_up(failed)),
        (
            "account-not-set-up",
            setting_up(account(Some(Why::NoCredentials))),
        ),
        ("account-expired", setting_up(account(Some(Why::Expired)))),
        (
            "account-not-allowed",
            setting_up(account(Some(Why::Unauthorized))),
        ),
        ("account-ready", setting_up(account(None))),
    ]
}

fn others() -> States {
    let failure = "the provider does not say that the relay has ended; this may be running: relay 9f2c";
    let closing = |failures: &[&str], is_over| {
        with(known(), |model| {
            model.closing = Some(Closing {
                failures: failures.iter().map(ToString::to_string).collect(),
                is_over,
            });
        })
    };
    vec![
        ("settings", on(Page::Settings, known())),
        (
            "settings-wrong",
            with(on(Page::Settings, known()), |model| {
                model.settings.uplink_mbps = "much".into()
            }),
        ),
        ("messages", with_messages()),
        ("closing", closing(&[], false)),
        ("closing-failed", closing(&[failure], true)),
    ]
}
