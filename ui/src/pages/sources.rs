//! Where a broadcast's picture comes from: what each source needs, and what is to be done elsewhere.

use crate::look::palette;
use crate::model::{Command, Form, Push, Source};
use crate::widgets::{field, quiet_about};
use eframe::egui::{ComboBox, RichText, Ui};

/// What the chosen source needs.
pub(super) fn input(ui: &mut Ui, form: &mut Form, out: &mut Vec<Command>) {
    match form.source {
        Source::Obs => obs(ui, form, out),
        Source::File => file(ui, form),
        Source::Camera => camera(ui, form),
        Source::Screen => {
            field::text(ui, "Which display (empty: the first)", ":0", &mut form.input);
        }
        Source::Address => {
            let name = "Address that FFmpeg opens";
            field::text(ui, name, "rtsp://camera.local/stream", &mut form.input);
        }
        Source::Tuner => tuner(ui, form, out),
        Source::Test => {
            ui.label("A moving pattern and a tone, to try things out.");
        }
    }
}

fn obs(ui: &mut Ui, form: &mut Form, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        ui.selectable_value(&mut form.push, Push::Rtmp, "RTMP");
        ui.selectable_value(&mut form.push, Push::Srt, "SRT");
        let about = match form.push {
            Push::Rtmp => "what every OBS does",
            Push::Srt => "bears losses; for a computer far away",
        };
        ui.label(RichText::new(about).weak());
    });
    ui.checkbox(&mut form.from_elsewhere, "OBS runs on another computer");
    push(ui, &form.push_addresses(), out);
    if form.from_elsewhere {
        let who = match form.push {
            Push::Rtmp => "Whoever reaches this computer can send then: stream keys are not checked.",
            Push::Srt => "Only who knows the passphrase can send.",
        };
        ui.label(RichText::new(who).weak());
    }
}

/// What to paste into OBS.
pub(super) fn push(ui: &mut Ui, addresses: &[(&'static str, String)], out: &mut Vec<Command>) {
    ui.label("In OBS: Settings, Stream, Service “Custom”. Then start streaming there.");
    for (name, address) in addresses {
        to_copy(ui, name, address, out);
    }
    if addresses.iter().all(|(name, _)| *name != "Stream key") {
        ui.label(RichText::new("Leave the stream key empty.").weak());
    }
}

fn to_copy(ui: &mut Ui, name: &str, text: &str, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        ui.label(name);
        ui.label(RichText::new(text).monospace());
        if quiet_about(ui, "Copy", name).clicked() {
            out.push(Command::Copy(text.to_owned()));
        }
    });
}

fn file(ui: &mut Ui, form: &mut Form) {
    dropped(ui, form);
    let name = "Path of the file, or drop it on this window";
    field::text(ui, name, "/home/me/film.mkv", &mut form.input);
    ui.checkbox(&mut form.looped, "Begin again when it ends");
}

/// A file that was dropped on the window is the input.
fn dropped(ui: &Ui, form: &mut Form) {
    let file = ui.input(|input| input.raw.dropped_files.first().cloned());
    if let Some(file) = file {
        form.input = file.path().to_string_lossy().into_owned();
    }
}

fn camera(ui: &mut Ui, form: &mut Form) {
    let cameras = &form.found.cameras;
    if cameras.is_empty() {
        ui.colored_label(
            palette(ui.ctx()).warn,
            "No camera or capture card was found. Plug one in, then open this page again.",
        );
        return;
    }
    let chosen = cameras.iter().find(|camera| camera.input == form.input);
    let shown = chosen.map_or("Choose one", |camera| &camera.name).to_string();
    let label = ui.label("Camera");
    let list = ComboBox::from_id_salt("camera").selected_text(shown);
    let list = list.show_ui(ui, |ui| {
        for camera in cameras {
            let name = format!("{} ({})", camera.name, camera.input);
            ui.selectable_value(&mut form.input, camera.input.clone(), name);
        }
    });
    list.response.labelled_by(label.id);
}

fn tuner(ui: &mut Ui, form: &mut Form, out: &mut Vec<Command>) {
    ui.label("Banyan does not tune: a tuner program does, and sends MPEG-TS over UDP to this address.");
    match form.tuner_address() {
        Ok(address) => to_copy(ui, "Send to", &address, out),
        Err(complaint) => {
            ui.colored_label(palette(ui.ctx()).bad, complaint);
        }
    }
    field::text(ui, "UDP port (empty: 1234)", "1234", &mut form.input);
    ui.checkbox(
        &mut form.from_elsewhere,
        "The tuner program runs on another computer",
    );
    for number in &form.found.tuners {
        if let Ok(command) = form.tuner_command(*number) {
            let name = format!("Tuner {number} of this computer:");
            to_copy(ui, &name, &command, out);
        }
    }
    let about = match form.found.tuners.is_empty() {
        true => {
            "No tuner was found in this computer. A tuner in the network, or Tvheadend, has an address: choose “Address” for it."
        }
        false => "channels.conf is what dvbv5-scan writes; CHANNEL is a name in it.",
    };
    ui.label(RichText::new(about).weak());
}
