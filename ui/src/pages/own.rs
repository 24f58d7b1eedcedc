//! This person's relays for the channel that is watched: the meter, what can be done, and the question before leaving.

use crate::look::{FAR, NEAR, palette};
use crate::model::{Command, Model, Page, RelayOrder, own};
use crate::widgets::{card, field, heading, meter, primary, quiet};
use banyan::notice::Sponsored;
use banyan_cloud::provider::Kind;
use banyan_protocol::io::RelayState;
use eframe::egui::{Id, Modal, RichText, Slider, Ui};

/// Bytes in what people call a gigabyte.
const GB: f64 = 1e9;

const WIDTH: f32 = 420.0;

/// All of them, with all that can be done.
pub(super) fn meters(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let Some(watching) = &model.watching else { return };
    let relays = watching.snapshot.relays.clone();
    for relay in &relays {
        card(ui, |ui| {
            full(ui, relay, model.minutes_left(relay));
            orders(ui, relay, &mut model.longer_min, out);
        });
        ui.add_space(NEAR);
    }
    if model.own_relays().next().is_some() {
        run_on(ui, model, out);
    }
}

fn full(ui: &mut Ui, relay: &Sponsored, minutes: u64) {
    ui.horizontal_wrapped(|ui| {
        // All of it names it; the beginning tells it from others.
        let name = relay.relay.get(..6).unwrap_or(&relay.relay);
        let name = RichText::new(format!("Your relay {name}")).strong();
        ui.label(name.color(palette(ui.ctx()).relay));
        ui.label(format!("{} {}", state(relay.state), own::place(relay)));
    });
    if relay.state != RelayState::Ended {
        ui.label(format!("{} and has {minutes} min left.", own::serves(relay)));
    }
    spent(ui, relay);
}

/// What it has used of what it may. One on this computer is not paid for.
fn spent(ui: &mut Ui, relay: &Sponsored) {
    let (sent, budget) = (relay.bytes_sent as f64 / GB, relay.bytes_budget as f64 / GB);
    if relay.provider == Kind::Local {
        ui.label(format!(
            "{sent:.2} GB sent; it costs nothing but this computer's uplink."
        ));
        return;
    }
    meter(ui, "Bytes of the budget", sent, budget);
    ui.label(format!(
        "${:.2} spent · {sent:.2} of {budget:.1} GB sent",
        relay.spent_usd
    ));
}

const fn state(state: RelayState) -> &'static str {
    match state {
        RelayState::Launching => "is being started",
        RelayState::Booting => "boots",
        RelayState::Serving => "serves",
        RelayState::Draining => "hands over and ends",
        RelayState::Ended => "has ended",
    }
}

fn orders(ui: &mut Ui, relay: &Sponsored, longer_min: &mut u32, out: &mut Vec<Command>) {
    if relay.state == RelayState::Ended {
        return;
    }
    if relay.state == RelayState::Serving {
        let time = Slider::new(longer_min, 15..=480).step_by(15.0);
        let time = time.custom_formatter(|minutes, _| own::hours(minutes as u32));
        let name = match relay.provider {
            Kind::Local => "Longer by",
            Kind::Ec2 => "Longer by (its machine is paid for that time; the gigabytes stay)",
        };
        field::slider(ui, name, time);
    }
    ui.horizontal_wrapped(|ui| {
        let is_serving = relay.state == RelayState::Serving;
        if is_serving && quiet(ui, &format!("Run {} longer", own::hours(*longer_min))).clicked() {
            out.push(own::longer(relay, *longer_min));
        }
        let stop = match relay.state {
            RelayState::Draining => "End it at once",
            _ => "Stop it now",
        };
        if quiet(ui, stop).clicked() {
            out.push(Command::Relay(RelayOrder::Stop(relay.relay.clone())));
        }
    });
}

fn run_on(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let Some(watching) = &mut model.watching else {
        return;
    };
    let text = "When I leave, let it run on to the end of its lease";
    if ui.checkbox(&mut watching.relays_run_on, text).changed() {
        out.push(Command::RunOn(watching.relays_run_on));
    }
    let else_ = "Else it hands its viewers over and ends. You are asked again when you leave.";
    ui.label(RichText::new(else_).weak());
}

/// A line for each below the picture.
pub(super) fn lines(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let relays: Vec<Sponsored> = model.own_relays().cloned().collect();
    for relay in relays {
        ui.horizontal_wrapped(|ui| {
            let name = RichText::new(format!("Your relay {}", state(relay.state)));
            ui.label(name.color(palette(ui.ctx()).relay));
            let peers = match relay.serves {
                0 => "nobody yet".into(),
                1 => "1 peer".to_string(),
                peers => format!("{peers} peers"),
            };
            let left = model.minutes_left(&relay);
            let text = format!("· {peers} · ${:.2} · {left} min left", relay.spent_usd);
            ui.label(RichText::new(text).weak());
            if quiet(ui, "Stop or extend it").clicked() {
                model.page = Page::Relays;
                out.push(Command::Relay(RelayOrder::Look));
            }
        });
    }
}

/// Asks what is to become of them.
pub(super) fn ask(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    if model.leaving.is_none() {
        return;
    }
    let relays: Vec<Sponsored> = model.own_relays().cloned().collect();
    if relays.is_empty() {
        // The last one ended while the question was open.
        return model.leave_relays(false, out);
    }
    let room = ui.ctx().content_rect().width() - 64.0;
    Modal::new(Id::unique("leaving with relays")).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH.min(room));
        heading(ui, "Your relay still runs");
        for relay in &relays {
            let left = model.minutes_left(relay);
            ui.label(format!(
                "{} {}; it has cost ${:.2}, and its lease ends in {left} min.",
                own::serves(relay),
                own::place(relay),
                relay.spent_usd
            ));
        }
        ui.add_space(FAR / 2.0);
        choices(ui, model, &relays, out);
    });
}

fn choices(ui: &mut Ui, model: &mut Model, relays: &[Sponsored], out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        if primary(ui, "Stop it now").clicked() {
            model.leave_relays(false, out);
        }
        let can = relays.iter().any(|relay| relay.state == RelayState::Serving);
        let runs_on = |ui: &mut Ui| quiet(ui, "Let it run to the end");
        if ui.add_enabled_ui(can, runs_on).inner.clicked() {
            model.leave_relays(true, out);
        }
        if quiet(ui, "Stay").clicked() {
            model.leaving = None;
        }
    });
    let text = "Stopped, it hands its viewers over first. Left running, the broadcaster commands it, and it ends by itself \
                with its lease or its gigabytes.";
    ui.label(RichText::new(text).weak());
}
