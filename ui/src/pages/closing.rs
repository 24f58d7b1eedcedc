//! What is said while the window closes.

use crate::model::{Command, Model};
use crate::widgets::{heading, primary, quiet};
use eframe::egui::{Id, Modal, RichText, ScrollArea, Ui};

const WIDTH: f32 = 420.0;

pub(super) fn show(ui: &mut Ui, model: &Model, out: &mut Vec<Command>) {
    let Some(closing) = &model.closing else { return };
    let room = ui.ctx().content_rect().size();
    Modal::new(Id::unique("closing")).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH.min(room.x - 64.0));
        match closing.is_over {
            true => failed(ui, &closing.failures, room.y - 220.0, out),
            false => leaving(ui, out),
        }
    });
}

fn leaving(ui: &mut Ui, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.spinner();
        heading(ui, "Leaving …");
    });
    ui.label("Viewers are handed over, and relays of yours end unless they are to run on. Usually that takes a moment.");
    if quiet(ui, "Close the window now").clicked() {
        out.push(Command::Close);
    }
}

fn failed(ui: &mut Ui, failures: &[String], height: f32, out: &mut Vec<Command>) {
    heading(ui, "Not everything ended as it should");
    ScrollArea::vertical()
        .max_height(height.max(60.0))
        .show(ui, |ui| {
            for failure in failures {
                ui.label(failure);
            }
        });
    let about =
        "The page Relays shows what runs when you open Banyan again, and so does `banyan relays list`.";
    ui.label(RichText::new(about).weak());
    if primary(ui, "Close").clicked() {
        out.push(Command::Close);
    }
}
