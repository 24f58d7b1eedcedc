//! Buttons.

use crate::look::palette;
use eframe::egui::{Button, Response, RichText, Ui};

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
