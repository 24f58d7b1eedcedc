//! Relays and spending: what runs, what it costs, and the end of it.

use super::{account, own};
use crate::look::{FAR, palette};
use crate::model::{Command, Found, Model, Provider, RelayOrder, Relays};
use crate::widgets::{card, heading, page, quiet, quiet_about};
use eframe::egui::{Align, Id, Layout, RichText, Ui};
use std::time::Duration;

/// How often what runs is looked at anew while the page is open.
const LOOK_EVERY: Duration = Duration::from_secs(20);

pub(super) fn show(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    look_again(ui, model, out);
    page(ui, "Relays and spending", |ui| {
        own::meters(ui, model, out);
        ui.add_space(FAR / 2.0);
        ui.horizontal(|ui| {
            heading(ui, "Everything that runs in your name");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if quiet(ui, "Look again").clicked() {
                    out.push(Command::Relay(RelayOrder::Look));
                }
            });
        });
        let own: Vec<String> = model.own_relays().map(|relay| relay.relay.clone()).collect();
        all(ui, &model.relays, &own, out);
        ui.add_space(FAR / 2.0);
        elsewhere(ui, model, out);
    });
}

/// Whether what runs changes by itself: then it is looked at every now and then.
fn look_again(ui: &Ui, model: &Model, out: &mut Vec<Command>) {
    let id = Id::unique("relays were looked at");
    let now = ui.input(|input| input.time);
    let may_change = model.relays.change() || model.own_relays().next().is_some();
    let looked = ui.data(|data| data.get_temp::<f64>(id)).filter(|_| may_change);
    let since = Duration::from_secs_f64((now - looked.unwrap_or(now)).max(0.0));
    let is_due = since >= LOOK_EVERY;
    if is_due {
        out.push(Command::Relay(RelayOrder::Look));
    }
    if is_due || looked.is_none() {
        ui.data_mut(|data| data.insert_temp(id, now));
    }
    if may_change {
        ui.ctx()
            .request_repaint_after(LOOK_EVERY.saturating_sub(since).max(Duration::from_secs(1)));
    }
}

/// Relays in the person's own account: the way there.
fn elsewhere(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    if model.settings.provider == Provider::Ec2 {
        card(ui, |ui| account::guide(ui, model, out));
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Relays can also run at Amazon EC2, in an account of your own.").weak());
        if quiet(ui, "Set it up").clicked() {
            model.settings.provider = Provider::Ec2;
            out.push(Command::Keep(Box::new(model.settings.clone())));
        }
    });
}

fn all(ui: &mut Ui, relays: &Relays, own: &[String], out: &mut Vec<Command>) {
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
        Relays::Found {
            relays: found,
            unseen,
        } => {
            for why in unseen {
                ui.colored_label(palette(ui.ctx()).bad, why);
            }
            if found.is_empty() && unseen.is_empty() {
                let nothing = match own.is_empty() {
                    true => "Nothing runs, and nothing costs.",
                    false => "Nothing else was found.",
                };
                ui.label(nothing);
            }
            for relay in found {
                card(ui, |ui| one(ui, relay, own.contains(&relay.lease), out));
            }
            if relays.orphans() > 0 && quiet(ui, "End all that should not run").clicked() {
                out.push(Command::Relay(RelayOrder::Sweep));
            }
        }
    }
}

fn one(ui: &mut Ui, relay: &Found, is_own: bool, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(&relay.lease).monospace().strong());
        ui.label(&relay.place);
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
    if is_own {
        ui.label(RichText::new("This one is for the channel that you watch; see above.").weak());
        return;
    }
    ui.horizontal(|ui| {
        if quiet_about(ui, "Stop now", &relay.lease).clicked() {
            out.push(Command::Relay(RelayOrder::Stop(relay.lease.clone())));
        }
        if relay.orphaned.is_none() && quiet_about(ui, "One hour longer", &relay.lease).clicked() {
            out.push(Command::Relay(RelayOrder::Extend(relay.lease.clone(), 60)));
        }
    });
}
