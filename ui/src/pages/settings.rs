//! What the person prefers.

use crate::look::{NEAR, palette};
use crate::model::{Account, Command, Look, Model, Provider, Settings, SponsorWish};
use crate::widgets::{card, field, heading, page};
use eframe::egui::{RichText, Slider, Ui};

pub(super) fn show(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let before = model.settings.clone();
    page(ui, "Settings", |ui| {
        let settings = &mut model.settings;
        card(ui, |ui| you(ui, settings));
        ui.add_space(NEAR);
        card(ui, |ui| picture(ui, settings));
        ui.add_space(NEAR);
        card(ui, |ui| sponsoring(ui, settings));
        ui.add_space(NEAR);
        card(ui, |ui| window(ui, settings));
    });
    if model.settings.region != before.region {
        // What was found was found elsewhere.
        model.account = Account::Unknown;
    }
    if model.settings != before {
        out.push(Command::Keep(Box::new(model.settings.clone())));
    }
}

fn you(ui: &mut Ui, settings: &mut Settings) {
    heading(ui, "You");
    field::text(
        ui,
        "Name",
        "what your channel is called if it has no title",
        &mut settings.name,
    );
    field::text(
        ui,
        "Uplink that may be given, in Mbit/s (empty: measured)",
        "10",
        &mut settings.uplink_mbps,
    );
    if let Some(complaint) = settings.complaint() {
        ui.colored_label(palette(ui.ctx()).bad, complaint);
    }
    ui.checkbox(
        &mut settings.relay_only,
        "Show my address to relays and the broadcaster only",
    );
    ui.label(
        RichText::new(
            "Then other viewers can't send to you directly, and there may be room for you less often.",
        )
        .weak(),
    );
}

fn picture(ui: &mut Ui, settings: &mut Settings) {
    heading(ui, "Picture");
    let buffer = Slider::new(&mut settings.buffer_s, Settings::BUFFER)
        .step_by(0.5)
        .suffix(" s");
    field::slider(ui, "Play this far behind capture", buffer);
    ui.label(
        RichText::new(
            "More hides longer failures; less is closer to live. It counts from the next channel on.",
        )
        .weak(),
    );
}

fn sponsoring(ui: &mut Ui, settings: &mut Settings) {
    heading(ui, "Sponsoring");
    let mut may_ask = settings.sponsor == SponsorWish::Ask;
    ui.checkbox(
        &mut may_ask,
        "I may be asked to sponsor a relay when a channel needs one",
    );
    settings.sponsor = if may_ask {
        SponsorWish::Ask
    } else {
        SponsorWish::Never
    };
    ui.add_enabled_ui(may_ask, |ui| {
        field::choice(ui, "Where relays run", &mut settings.provider, &Provider::ALL);
        if settings.provider == Provider::Ec2 {
            field::text(
                ui,
                "Region (empty: the nearest)",
                "eu-central-1",
                &mut settings.region,
            );
            ui.label(RichText::new("The page Relays guides you through the set-up of the account.").weak());
        }
        let hours = Slider::new(&mut settings.hours, 0.25..=8.0)
            .step_by(0.25)
            .suffix(" h");
        field::slider(ui, "Propose this long", hours);
        let budget = Slider::new(&mut settings.budget_usd, 0.05..=20.0).logarithmic(true);
        field::slider(ui, "Propose at most", budget.prefix("$").fixed_decimals(2));
    });
    ui.checkbox(
        &mut settings.runs_on,
        "When I leave a channel, let my relays run to the end of their lease",
    );
    ui.label(
        RichText::new("Else they hand over and end. Nothing is ever started without your answer.").weak(),
    );
}

fn window(ui: &mut Ui, settings: &mut Settings) {
    heading(ui, "Window");
    ui.horizontal_wrapped(|ui| {
        for (look, name) in [
            (Look::System, "As the system"),
            (Look::Light, "Light"),
            (Look::Dark, "Dark"),
        ] {
            ui.selectable_value(&mut settings.look, look, name);
        }
    });
    let scale = Slider::new(&mut settings.scale, Settings::SCALE).step_by(0.05);
    field::slider(
        ui,
        "Size",
        scale.custom_formatter(|scale, _| format!("{:.0} %", scale * 100.0)),
    );
}
