//! Buttons.

use crate::look::palette;
use eframe::egui::{Button, Response, RichText, Role, Ui, WidgetInfo};

/// What most people will want here; at most one on a page.
pub fn primary(ui: &mut Ui, text: &str) -> Response {
    let palette = palette(ui.ctx());
    let text = RichText::new(text).color(palette.on_accent).strong();
    ui.add(Button::new(text).fill(palette.accent))
}

/// What can be done, too.
pub fn quiet(ui: &mut Ui, text: &str) -> Response {
    ui.add(Button::new(text))
}

/// The same where there are several of one text: screen readers say what each is about, and so does the pointer.
pub fn quiet_about(ui: &mut Ui, text: &str, about: &str) -> Response {
    let response = quiet(ui, text).on_hover_text(about);
    let is_enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, is_enabled, format!("{text}: {about}")));
    response
}
