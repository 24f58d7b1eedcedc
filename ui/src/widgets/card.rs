//! Groups of things, and the frame of a page.

use crate::look::{self, COLUMN, FAR, palette};
use eframe::egui::{CornerRadius, Frame, InnerResponse, Margin, RichText, ScrollArea, Ui};

/// Things that belong together, on a surface of their own.
pub fn card<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    let frame = Frame::new()
        .fill(palette(ui.ctx()).card)
        .corner_radius(CornerRadius::same(12))
        .inner_margin(Margin::same(16));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        add(ui)
    })
}

/// The title of a group.
pub fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).strong().size(17.0));
}

/// A page that scrolls, with its title, in a column of readable width.
pub fn page<R>(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let scroll = ScrollArea::vertical().auto_shrink(false).id_salt(title);
    scroll
        .show(ui, |ui| {
            let side = ((ui.available_width() - COLUMN) / 2.0).clamp(look::NEAR, 200.0);
            let margin = Margin::symmetric(side as i8, 12);
            Frame::new().inner_margin(margin).show(ui, |ui| {
                ui.set_max_width(COLUMN.min(ui.available_width()));
                ui.heading(title);
                ui.add_space(FAR / 2.0);
                add(ui)
            })
        })
        .inner
        .inner
}
