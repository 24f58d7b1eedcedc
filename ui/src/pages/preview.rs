//! The broadcaster's own picture: before going on the air, and there. The widget is that of watching.

use super::{Screen, Shown};
use crate::look::{NEAR, palette};
use crate::model::{Command, Model, Preview, Source};
use crate::widgets::quiet;
use banyan::player::State;
use banyan::session::input::Sight;
use eframe::egui::{Color32, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, vec2};

/// The highest that it gets.
const HEIGHT: f32 = 260.0;

/// The input, looked at on wish.
pub(super) fn before(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let Some(preview) = model.preview.clone() else {
        return closed(ui, model, out);
    };
    how_it_is(ui, &preview, &model.form.source);
    if quiet(ui, "End the preview").clicked() {
        model.preview = None;
        out.push(Command::EndPreview);
    }
    if let Some(Sight::Comes(_)) = preview.sight {
        picture(ui, &preview.player, "Preview of the picture", screen);
    }
}

fn closed(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        if quiet(ui, "Preview").clicked() {
            out.push(Command::Preview(Box::new(model.form.clone())));
        }
        let text = match model.form.source {
            Source::Obs => "See that OBS arrives, before anybody else does. Nothing is sent.",
            _ => "Look at the picture before anybody else does. Nothing is sent.",
        };
        ui.label(RichText::new(text).weak());
    });
}

/// Above the picture, so that it is seen first.
fn how_it_is(ui: &mut Ui, preview: &Preview, source: &Source) {
    let colours = palette(ui.ctx());
    let words = preview.words(source);
    let about = match (&preview.sight, source) {
        (Some(Sight::Nothing(_)), Source::Obs) => {
            ui.colored_label(colours.warn, words);
            "Start streaming in OBS with the address above; it is seen here within seconds."
        }
        (Some(Sight::Nothing(_)), _) => {
            ui.colored_label(colours.warn, words);
            return;
        }
        (Some(Sight::Comes(_)), Source::Obs) => {
            ui.colored_label(colours.good, words);
            "Nobody else sees this; it is silent here. OBS stays connected when you go live."
        }
        _ => {
            ui.label(words);
            "Nobody else sees this; it is silent here."
        }
    };
    ui.label(RichText::new(about).weak());
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
