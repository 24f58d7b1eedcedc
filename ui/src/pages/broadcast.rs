//! One's own channel: the way on the air, and how it is there.

use super::{Screen, preview, sources};
use crate::look::{FAR, NEAR, palette};
use crate::model::{Broadcasting, Command, Form, Leaving, Model, Preview, Quality, Source, sentence};
use crate::widgets::{card, field, foot, heading, height_of, meter, page, page_above, primary, quiet, share};
use banyan_protocol::units::Bitrate;
use eframe::egui::{Align, Id, Layout, RichText, Ui};

/// A stream of usual quality, to say what an uplink bears before one is seen: 720p.
const USUAL_STREAM: Bitrate = Bitrate(3_000_000);

/// The least width for two things beside each other.
const BESIDE: f32 = 560.0;

pub(super) fn show(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    match model.broadcasting.clone() {
        Some(on_air) => page(ui, "You are on the air", |ui| {
            live(ui, model, &on_air, screen, out)
        }),
        None => to_be(ui, model, screen, out),
    }
}

/// The form, and below it the way on the air, which stays in sight.
fn to_be(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let id = Id::unique("on the air");
    let height = height_of(ui, id);
    page_above(ui, "Broadcast", height, |ui| form(ui, model, screen, out));
    foot(ui, id, |ui| go_live(ui, &model.form, out));
}

fn form(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let before = model.form.opens();
    card(ui, |ui| source(ui, model, screen, out));
    ui.add_space(NEAR);
    card(ui, |ui| channel(ui, model));
    if before != model.form.opens() && model.preview.take().is_some() {
        out.push(Command::EndPreview);
    }
}

fn go_live(ui: &mut Ui, form: &Form, out: &mut Vec<Command>) {
    if let Some(complaint) = &form.complaint {
        ui.colored_label(palette(ui.ctx()).bad, complaint);
    }
    if primary(ui, "Go live").clicked() {
        out.push(Command::GoLive(Box::new(form.clone())));
    }
}

fn source(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let form = &mut model.form;
    heading(ui, "Where does the picture come from?");
    ui.horizontal_wrapped(|ui| {
        for source in Source::ALL {
            let chosen = form.source == source;
            if ui.selectable_label(chosen, source.title()).clicked() && !chosen {
                form.source = source;
                form.input.clear();
            }
        }
    });
    ui.add_space(NEAR);
    sources::input(ui, form, out);
    preview::before(ui, model, screen, out);
}

fn channel(ui: &mut Ui, model: &mut Model) {
    let seen = model.preview.as_ref().and_then(Preview::rate);
    let form = &mut model.form;
    heading(ui, "The channel");
    field::text(ui, "Title", "Garden concert", &mut form.title);
    field::choice(ui, "Quality", &mut form.quality, &QUALITIES);
    field::text(
        ui,
        "Your uplink in Mbit/s (empty: it is measured)",
        "10",
        &mut form.uplink_mbps,
    );
    match form.uplink() {
        Err(complaint) => {
            ui.colored_label(palette(ui.ctx()).bad, complaint);
        }
        Ok(_) => {
            if let Some(bears) = form.bears(seen.unwrap_or(USUAL_STREAM)) {
                ui.label(RichText::new(bears).weak());
            }
        }
    }
    ui.checkbox(&mut form.private, "Private: only who has the link may join");
}

/// How it can be sent on.
const QUALITIES: [(Quality, &str); 3] = [
    (Quality::Auto, "As it comes, and a low quality beside it"),
    (Quality::Encode, "Encoded anew"),
    (Quality::Copy, "As it comes, nothing beside it"),
];

fn live(
    ui: &mut Ui,
    model: &mut Model,
    on_air: &Broadcasting,
    screen: &mut Screen<'_>,
    out: &mut Vec<Command>,
) {
    let colours = palette(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("ON AIR").strong().color(colours.bad));
        ui.label(RichText::new(&on_air.title).strong());
        if quiet(ui, "Stop").clicked() {
            model.leave(Leaving::Broadcast, out);
        }
    });
    if let Some(why) = &on_air.input_paused {
        ui.colored_label(
            colours.warn,
            format!(
                "{} Viewers wait; they see the picture when it is back.",
                sentence(why)
            ),
        );
    }
    if on_air.awaits_obs() {
        card(ui, |ui| sources::push(ui, &on_air.push, out));
    }
    picture_and_capacity(ui, on_air, screen);
    ui.add_space(FAR / 2.0);
    match &on_air.link {
        Some(link) => card(ui, |ui| share(ui, link, out)).inner,
        None => {
            ui.horizontal_wrapped(|ui| {
                ui.spinner();
                ui.label("You are on the air as soon as the first picture comes in.");
            });
        }
    }
}

/// Beside each other where there is room.
fn picture_and_capacity(ui: &mut Ui, on_air: &Broadcasting, screen: &mut Screen<'_>) {
    let name = "Your own picture";
    if ui.available_width() < BESIDE {
        preview::picture(ui, &on_air.player, name, screen);
        card(ui, |ui| capacity(ui, on_air));
    } else {
        ui.columns(2, |sides| {
            preview::picture(&mut sides[0], &on_air.player, name, screen);
            let left = Layout::top_down(Align::LEFT);
            sides[1].with_layout(left, |ui| card(ui, |ui| capacity(ui, on_air)));
        });
    }
}

fn capacity(ui: &mut Ui, on_air: &Broadcasting) {
    heading(ui, "Who watches");
    ui.label(on_air.capacity());
    if let Some(capacity) = &on_air.snapshot.capacity {
        meter(
            ui,
            "Uplinks in use",
            capacity.slots_used as f64,
            capacity.slots_total as f64,
        );
        let relays = match capacity.relays {
            0 => String::new(),
            1 => ", 1 relay among them".into(),
            relays => format!(", {relays} relays among them"),
        };
        let text = format!(
            "{} of {} slots of all uplinks are in use{relays}.",
            capacity.slots_used, capacity.slots_total
        );
        ui.label(RichText::new(text).weak());
    }
    ui.label(RichText::new(format!("You send {}.", on_air.snapshot.up)).weak());
}
