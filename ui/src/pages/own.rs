//! This person's relays for the channel that is watched: the meter, and what can be done.

use crate::look::{NEAR, palette};
use crate::model::{Command, Model, Page, RelayOrder, own};
use crate::widgets::{card, field, meter, quiet};
use banyan::notice::Sponsored;
use banyan_cloud::provider::Kind;
use banyan_protocol::io::RelayState;
use eframe::egui::{RichText, Slider, Ui};

/// Bytes in what people call a gigabyte.
const GB: f64 = 1e9;

/// All of them, with all that can be done.
pub(super) fn meters(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let Some(watching) = &model.watching else { return };
    let relays = watching.snapshot.relays.clone();
    for relay in &relays {
        card(ui, |ui| {
            full(ui, model, relay);
            orders(ui, relay, &mut model.longer_min, out);
        });
        ui.add_space(NEAR);
    }
    if model.own_relays().next().is_some() {
        run_on(ui, model, out);
    }
}

fn full(ui: &mut Ui, model: &Model, relay: &Sponsored) {
    ui.horizontal_wrapped(|ui| {
        // All of it names it; the beginning tells it from others.
        let name = relay.relay.get(..6).unwrap_or(&relay.relay);
        let name = RichText::new(format!("Your relay {name}")).strong();
        ui.label(name.color(palette(ui.ctx()).relay));
        ui.label(format!("{} {}", state(relay.state), own::place(relay)));
    });
    if relay.state != RelayState::Ended {
        let left = model.minutes_left(relay);
        ui.label(format!("{}. Its lease has {left} min left.", model.serves(relay)));
        // Also while there is nobody, so that no button moves when somebody comes.
        let who = "Who is served the broadcaster alone knows, so that no viewer can list who watches.";
        ui.label(RichText::new(who).weak());
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
                1 => "1 person".to_string(),
                people => format!("{people} people"),
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
