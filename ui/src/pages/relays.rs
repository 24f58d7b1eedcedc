//! Relays and spending: what runs, what it costs, and the end of it.

use crate::look::{FAR, NEAR, palette};
use crate::model::{Command, Found, Model, RelayOrder, Relays};
use crate::widgets::{card, heading, meter, page, quiet};
use banyan::notice::Sponsored;
use banyan_protocol::io::RelayState;
use eframe::egui::{Align, Layout, RichText, Ui};

/// Bytes in what people call a gigabyte.
const GB: f64 = 1e9;

pub(super) fn show(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    page(ui, "Relays and spending", |ui| {
        let mine = model
            .watching
            .iter()
            .flat_map(|watching| &watching.snapshot.relays);
        for relay in mine {
            card(ui, |ui| serving(ui, relay));
            ui.add_space(NEAR);
        }
        ui.add_space(FAR / 2.0);
        ui.horizontal(|ui| {
            heading(ui, "Everything that runs in your name");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if quiet(ui, "Look again").clicked() {
                    out.push(Command::Relay(RelayOrder::Look));
                }
            });
        });
        all(ui, &model.relays, out);
    });
}

fn serving(ui: &mut Ui, relay: &Sponsored) {
    let colours = palette(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.label(
            RichText::new(format!("Relay {}", relay.relay))
                .strong()
                .color(colours.relay),
        );
        ui.label(state(relay.state));
    });
    let peers = match relay.serves {
        0 => "It serves nobody yet.".into(),
        1 => "It serves 1 peer.".to_string(),
        peers => format!("It serves {peers} peers."),
    };
    ui.label(peers);
    let (sent, budget) = (relay.bytes_sent as f64 / GB, relay.bytes_budget as f64 / GB);
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

fn all(ui: &mut Ui, relays: &Relays, out: &mut Vec<Command>) {
    match relays {
        Relays::Unknown => {
            ui.label(RichText::new("Nobody has looked yet.").weak());
        }
        Relays::Looking => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Looking …");
            });
        }
        Relays::Failed(why) => {
            ui.colored_label(palette(ui.ctx()).bad, why);
        }
        Relays::Found(found) if found.is_empty() => {
            ui.label("Nothing runs, and nothing costs.");
        }
        Relays::Found(found) => {
            for relay in found {
                card(ui, |ui| one(ui, relay, out));
            }
            if relays.orphans() > 0 && quiet(ui, "End all that should not run").clicked() {
                out.push(Command::Relay(RelayOrder::Sweep));
            }
        }
    }
}

fn one(ui: &mut Ui, relay: &Found, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(&relay.lease).monospace().strong());
        ui.label(format!("{} in {}", relay.provider, relay.place));
    });
    let left = relay
        .minutes_left
        .map_or("past its lease".into(), |left| format!("{left} min left"));
    let spent = relay
        .spent_usd
        .map_or(String::new(), |usd| format!(" · ${usd:.2} so far"));
    ui.label(format!("{left}{spent}"));
    if let Some(why) = &relay.orphaned {
        ui.colored_label(
            palette(ui.ctx()).warn,
            format!("It should not run any more: {why}."),
        );
    }
    ui.horizontal(|ui| {
        if quiet(ui, "Stop now").on_hover_text(&relay.lease).clicked() {
            out.push(Command::Relay(RelayOrder::Stop(relay.lease.clone())));
        }
        if relay.orphaned.is_none() && quiet(ui, "One hour longer").on_hover_text(&relay.lease).clicked() {
            out.push(Command::Relay(RelayOrder::Extend(relay.lease.clone(), 1)));
        }
    });
}
