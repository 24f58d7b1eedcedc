//! The question before something is left that concerns others: viewers of one's own channel, and relays that run.

use crate::look::FAR;
use crate::model::{Command, Leaving, Model, own};
use crate::widgets::{heading, primary, quiet};
use banyan::notice::Sponsored;
use banyan_protocol::io::RelayState;
use eframe::egui::{Id, Modal, RichText, Ui};

const WIDTH: f32 = 420.0;

/// Asks once, until it is answered; Escape is to stay.
pub(super) fn ask(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    model.ask_no_more(out);
    let Some(what) = model.leaving else { return };
    let room = ui.ctx().content_rect().width() - 64.0;
    let question = Modal::new(Id::unique("leaving")).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH.min(room));
        match model.leaves_relays(what) {
            true => relays(ui, model, what, out),
            false => viewers(ui, model, what, out),
        }
    });
    if question.should_close() {
        model.leaving = None;
    }
}

/// How many people watch one's own channel, in words.
fn people(viewers: usize) -> String {
    match viewers {
        0 => "Nobody is watching any more".into(),
        1 => "1 person is watching".into(),
        viewers => format!("{viewers} people are watching"),
    }
}

fn viewers(ui: &mut Ui, model: &mut Model, what: Leaving, out: &mut Vec<Command>) {
    heading(ui, &people(model.leaves_viewers(what).unwrap_or(0)));
    let (question, yes) = match what {
        Leaving::Program => ("Stop the broadcast and close Banyan?", "Stop and close"),
        Leaving::Broadcast | Leaving::Channel => ("Stop the broadcast?", "Stop the broadcast"),
    };
    ui.label(question);
    ui.label(RichText::new("The picture ends for them. The link stays good for the next time.").weak());
    ui.add_space(FAR / 2.0);
    ui.horizontal_wrapped(|ui| {
        if primary(ui, yes).clicked() {
            model.do_leave(None, out);
        }
        if quiet(ui, "Stay on the air").clicked() {
            model.leaving = None;
        }
    });
}

fn relays(ui: &mut Ui, model: &mut Model, what: Leaving, out: &mut Vec<Command>) {
    let relays: Vec<Sponsored> = model.own_relays().cloned().collect();
    heading(ui, "Your relay still runs");
    for relay in &relays {
        let left = model.minutes_left(relay);
        ui.label(format!("{}.", model.serves(relay)));
        ui.label(format!(
            "It runs {}, has cost ${:.2}, and its lease ends in {left} min.",
            own::place(relay),
            relay.spent_usd
        ));
    }
    if let Some(viewers) = model.leaves_viewers(what) {
        ui.label(format!("{} your own channel; closing stops it.", people(viewers)));
    }
    ui.add_space(FAR / 2.0);
    ui.horizontal_wrapped(|ui| {
        if primary(ui, "Stop it now").clicked() {
            model.do_leave(Some(false), out);
        }
        let can = relays.iter().any(|relay| relay.state == RelayState::Serving);
        let runs_on = |ui: &mut Ui| quiet(ui, "Let it run to the end");
        if ui.add_enabled_ui(can, runs_on).inner.clicked() {
            model.do_leave(Some(true), out);
        }
        if quiet(ui, "Stay").clicked() {
            model.leaving = None;
        }
    });
    let text = "Stopped, it hands its viewers over first. Left running, the broadcaster commands it, and it ends by itself \
                with its lease or its gigabytes.";
    ui.label(RichText::new(text).weak());
}
