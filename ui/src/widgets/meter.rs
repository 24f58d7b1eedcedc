//! How much of something is used.

use crate::look::palette;
use eframe::egui::{CornerRadius, Rect, Response, Role, Sense, Ui, WidgetInfo, vec2};

const HEIGHT: f32 = 10.0;

/// A bar of `used` of `total`, which a screen reader reads as `name` and a share. Above nine tenths it warns.
pub fn meter(ui: &mut Ui, name: &str, used: f64, total: f64) -> Response {
    let share = if total > 0.0 {
        (used / total).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let size = vec2(ui.available_width(), HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let palette = palette(ui.ctx());
    let round = CornerRadius::same((HEIGHT / 2.0) as u8);
    let colour = if share > 0.9 { palette.warn } else { palette.accent };
    let filled = Rect::from_min_size(rect.min, vec2((rect.width() * share as f32).max(HEIGHT), HEIGHT));
    let painter = ui.painter();
    painter.rect_filled(rect, round, palette.faint.gamma_multiply(0.3));
    if share > 0.0 {
        painter.rect_filled(filled, round, colour);
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::new(Role::ProgressIndicator);
        info.label = Some(format!("{name}: {:.0} %", share * 100.0));
        info
    });
    response
}
