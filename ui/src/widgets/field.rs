//! Things to fill in, each with its name above it, so that narrow windows and screen readers have it.

use eframe::egui::{ComboBox, Response, Slider, TextEdit, Ui};

/// A line of text.
pub fn text(ui: &mut Ui, name: &str, hint: &str, text: &mut String) -> Response {
    let label = ui.label(name);
    let field = TextEdit::singleline(text)
        .hint_text(hint)
        .desired_width(f32::INFINITY);
    ui.add(field).labelled_by(label.id)
}

/// A number.
pub fn slider(ui: &mut Ui, name: &str, slider: Slider<'_>) -> Response {
    let label = ui.label(name);
    ui.add(slider).labelled_by(label.id)
}

/// One of several things, each with its name.
pub fn choice<T: PartialEq + Copy>(ui: &mut Ui, name: &str, chosen: &mut T, options: &[(T, &str)]) {
    let label = ui.label(name);
    let shown = options
        .iter()
        .find(|(option, _)| option == chosen)
        .map_or("", |(_, name)| name);
    let list = ComboBox::from_id_salt(name).width(ui.available_width().min(360.0));
    let list = list.selected_text(shown).truncate().show_ui(ui, |ui| {
        for (option, name) in options {
            ui.selectable_value(chosen, *option, *name);
        }
    });
    list.response.labelled_by(label.id);
}
