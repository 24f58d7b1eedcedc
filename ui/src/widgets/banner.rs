//! Messages at the top, until they are put away.

use crate::look::{NEAR, palette};
use crate::model::{Gravity, Message};
use eframe::egui::{Button, Color32, CornerRadius, Frame, Margin, RichText, Role, Ui, WidgetInfo};

/// Shows all messages; those that are put away go.
pub fn banners(ui: &mut Ui, messages: &mut Vec<Message>) {
    messages.retain(|message| !banner(ui, message));
}

/// Returns whether it was put away.
fn banner(ui: &mut Ui, message: &Message) -> bool {
    let (colour, what) = face(ui, message.gravity);
    let frame = Frame::new()
        .fill(colour.gamma_multiply(0.16))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(Margin::symmetric(12, 6))
        .outer_margin(Margin::symmetric(8, 3));
    frame
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(what).color(colour).strong());
                ui.label(&message.text);
                let dismiss = ui.add(Button::new("Dismiss").frame(false));
                let name = format!("Dismiss: {}", message.text);
                dismiss.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                dismiss.clicked()
            })
            .inner
        })
        .inner
}

fn face(ui: &Ui, gravity: Gravity) -> (Color32, &'static str) {
    let palette = palette(ui.ctx());
    match gravity {
        Gravity::Note => (palette.accent, "Note"),
        Gravity::Warning => (palette.warn, "Warning"),
        Gravity::Failure => (palette.bad, "Failed"),
    }
}

/// Why something is not what it could be, and what would help.
pub fn trouble(ui: &mut Ui, why: &str, help: &str) {
    let colour = palette(ui.ctx()).warn;
    let frame = Frame::new()
        .fill(colour.gamma_multiply(0.14))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(NEAR);
    frame.show(ui, |ui| {
        ui.label(RichText::new(why).strong());
        ui.label(help);
    });
}
