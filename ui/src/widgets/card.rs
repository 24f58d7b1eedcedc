//! Groups of things, and the frame of a page.

use crate::look::{self, COLUMN, FAR, palette};
use eframe::egui::{CornerRadius, Frame, Id, InnerResponse, Margin, RichText, ScrollArea, Ui};

/// The least height of what scrolls.
const PAGE_LEAST: f32 = 60.0;

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
    page_above(ui, title, 0.0, add)
}

/// The same above so many points of something else; [`height_of`] knows how many it takes.
pub fn page_above<R>(ui: &mut Ui, title: &str, foot: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let scroll = ScrollArea::vertical().auto_shrink(false).id_salt(title);
    let height = (ui.available_height() - foot).max(PAGE_LEAST);
    scroll
        .max_height(height)
        .show(ui, |ui| {
            column(ui, 12, |ui| {
                ui.heading(title);
                ui.add_space(FAR / 2.0);
                add(ui)
            })
        })
        .inner
}

/// Within a page's width.
fn column<R>(ui: &mut Ui, above: i8, add: impl FnOnce(&mut Ui) -> R) -> R {
    let side = ((ui.available_width() - COLUMN) / 2.0).clamp(look::NEAR, 200.0);
    let margin = Margin::symmetric(side as i8, above);
    let column = Frame::new().inner_margin(margin).show(ui, |ui| {
        ui.set_max_width(COLUMN.min(ui.available_width()));
        add(ui)
    });
    column.inner
}

/// What stays in sight below a page that scrolls.
pub fn foot<R>(ui: &mut Ui, id: Id, add: impl FnOnce(&mut Ui) -> R) -> R {
    let foot = ui.scope(|ui| column(ui, 6, add));
    keep_height(ui, id, foot.response.rect.height());
    foot.inner
}

/// What is drawn last takes as much room as it took in the frame before, with the space above it.
pub fn height_of(ui: &Ui, id: Id) -> f32 {
    let kept = ui.data(|data| data.get_temp::<f32>(id));
    kept.map_or(0.0, |height| height + ui.spacing().item_spacing.y)
}

/// Notes how much room it takes, for [`height_of`].
pub fn keep_height(ui: &Ui, id: Id, height: f32) {
    if ui.data(|data| data.get_temp::<f32>(id)) != Some(height) {
        ui.data_mut(|data| data.insert_temp(id, height));
        ui.ctx().request_repaint();
    }
}
