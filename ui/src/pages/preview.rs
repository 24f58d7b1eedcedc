//! The broadcaster's own picture: before going on the air, and there. The widget is that of watching.

use super::{Screen, Shown};
use crate::look::{NEAR, palette};
use crate::model::{Command, Model, Preview};
use crate::widgets::quiet;
use banyan::player::State;
use eframe::egui::{Color32, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, vec2};

/// The highest that it gets.
const HEIGHT: f32 = 260.0;

/// The input, looked at on wish.
pub(super) fn before(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let Some(preview) = model.preview.clone() else {
        return closed(ui, model, out);
    };
    open(ui, &preview, screen);
    if quiet(ui, "End the preview").clicked() {
        model.preview = None;
        out.push(Command::EndPreview);
    }
}

fn closed(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        if quiet(ui, "Preview").clicked() {
            out.push(Command::Preview(Box::new(model.form.clone())));
        }
        let text = "Look at the picture before anybody else does. Nothing is sent.";
        ui.label(RichText::new(text).weak());
    });
}

fn open(ui: &mut Ui, preview: &Preview, screen: &mut Screen<'_>) {
    picture(ui, &preview.player, "Preview of the picture", screen);
    let colour = palette(ui.ctx()).warn;
    match &preview.trouble {
        Some(trouble) => ui.colored_label(colour, trouble),
        None if preview.player.height == 0 => ui.label(RichText::new("Opening …").weak()),
        None => ui.label(RichText::new("Nobody else sees this; it is silent here.").weak()),
    };
}

/// A picture of the usual shape, as large as there is room; why there is none below it.
pub(super) fn picture(ui: &mut Ui, state: &State, name: &str, screen: &mut Screen<'_>) {
    let width = ui.available_width().min(HEIGHT * 16.0 / 9.0);
    let size = vec2(width, width * 9.0 / 16.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    ui.painter().rect_filled(rect, 8.0, Color32::BLACK);
    screen(&mut ui.new_child(UiBuilder::new().max_rect(rect)), Shown::Own);
    if let Some(error) = &state.error {
        ui.colored_label(palette(ui.ctx()).warn, error);
    }
    ui.add_space(NEAR);
}
