//! One's own channel: the way on the air, and how it is there.

use crate::look::{FAR, NEAR, palette};
use crate::model::{Broadcasting, Command, Form, Model, Quality, Source};
use crate::widgets::{card, field, heading, meter, page, primary, quiet, share};
use banyan_protocol::units::Bitrate;
use eframe::egui::{ComboBox, RichText, Ui};

/// A stream of usual quality, to say what an uplink bears before there is one: 720p.
const USUAL_STREAM: Bitrate = Bitrate(3_000_000);

pub(super) fn show(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    match model.broadcasting.clone() {
        Some(on_air) => page(ui, "You are on the air", |ui| live(ui, &on_air, out)),
        None => page(ui, "Broadcast", |ui| form(ui, &mut model.form, out)),
    }
}

fn form(ui: &mut Ui, form: &mut Form, out: &mut Vec<Command>) {
    card(ui, |ui| {
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
        input(ui, form, out);
    });
    ui.add_space(NEAR);
    card(ui, |ui| channel(ui, form));
    ui.add_space(NEAR);
    if let Some(complaint) = &form.complaint {
        ui.colored_label(palette(ui.ctx()).bad, complaint);
    }
    if primary(ui, "Go live").clicked() {
        out.push(Command::GoLive(Box::new(form.clone())));
    }
}

fn input(ui: &mut Ui, form: &mut Form, out: &mut Vec<Command>) {
    match form.source {
        Source::Obs => {
            ui.checkbox(&mut form.from_elsewhere, "OBS runs on another computer");
            push(ui, &form.push_addresses(), out);
            if form.from_elsewhere {
                ui.label(
                    RichText::new(
                        "Whoever reaches this computer can send then: stream keys are not checked.",
                    )
                    .weak(),
                );
            }
        }
        Source::File => {
            dropped(ui, form);
            field::text(
                ui,
                "Path of the file, or drop it on this window",
                "/home/me/film.mkv",
                &mut form.input,
            );
            ui.checkbox(&mut form.looped, "Begin again when it ends");
        }
        Source::Camera => camera(ui, form),
        Source::Screen => {
            field::text(ui, "Which display (empty: the first)", ":0", &mut form.input);
        }
        Source::Address => {
            field::text(
                ui,
                "Address that FFmpeg opens",
                "rtsp://camera.local/stream",
                &mut form.input,
            );
        }
        Source::Tuner => {
            field::text(
                ui,
                "UDP port that the tuner sends to (empty: 1234)",
                "1234",
                &mut form.input,
            );
        }
        Source::Test => {
            ui.label("A moving pattern and a tone, to try things out.");
        }
    }
}

/// A file that was dropped on the window is the input.
fn dropped(ui: &Ui, form: &mut Form) {
    let file = ui.input(|input| input.raw.dropped_files.first().cloned());
    if let Some(file) = file {
        form.input = file.path().to_string_lossy().into_owned();
    }
}

fn push(ui: &mut Ui, addresses: &[(&'static str, String)], out: &mut Vec<Command>) {
    ui.label("In OBS: Settings, Stream, Service “Custom”. Then start streaming there.");
    for (name, address) in addresses {
        ui.horizontal_wrapped(|ui| {
            ui.label(*name);
            ui.label(RichText::new(address).monospace());
            if quiet(ui, "Copy").on_hover_text(*name).clicked() {
                out.push(Command::Copy(address.clone()));
            }
        });
    }
}

fn camera(ui: &mut Ui, form: &mut Form) {
    if form.cameras.is_empty() {
        ui.colored_label(
            palette(ui.ctx()).warn,
            "No camera or capture card was found. Plug one in, or close the program that uses it.",
        );
        return;
    }
    let chosen = form.cameras.iter().find(|camera| camera.input == form.input);
    let shown = chosen.map_or("Choose one", |camera| &camera.name).to_string();
    let label = ui.label("Camera");
    let list = ComboBox::from_id_salt("camera").selected_text(shown);
    let list = list.show_ui(ui, |ui| {
        for camera in &form.cameras {
            let name = format!("{} ({})", camera.name, camera.input);
            ui.selectable_value(&mut form.input, camera.input.clone(), name);
        }
    });
    list.response.labelled_by(label.id);
}

fn channel(ui: &mut Ui, form: &mut Form) {
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
            if let Some(bears) = form.bears(USUAL_STREAM) {
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

fn live(ui: &mut Ui, on_air: &Broadcasting, out: &mut Vec<Command>) {
    let colours = palette(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("ON AIR").strong().color(colours.bad));
        ui.label(RichText::new(&on_air.title).strong());
        if quiet(ui, "Stop").clicked() {
            out.push(Command::EndBroadcast);
        }
    });
    if let Some(why) = &on_air.input_paused {
        ui.colored_label(
            colours.warn,
            format!("Nothing comes in: {why} Viewers wait; they see the picture when it is back."),
        );
    }
    if !on_air.push.is_empty() {
        card(ui, |ui| push(ui, &on_air.push, out));
    }
    card(ui, |ui| capacity(ui, on_air));
    ui.add_space(FAR / 2.0);
    match &on_air.link {
        Some(link) => card(ui, |ui| share(ui, link, out)).inner,
        None => {
            ui.spinner();
        }
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
