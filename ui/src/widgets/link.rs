//! A link to give away: to copy with one click, and as a QR code for a phone.

use super::{heading, primary};
use crate::look::FAR;
use crate::model::Command;
use eframe::egui::{Color32, Rect, Response, RichText, Role, Sense, Ui, WidgetInfo, vec2};
use qrcode::{Color, EcLevel, QrCode};

/// Modules of white that scanners need around a code (ISO/IEC 18004).
const QUIET_ZONE: usize = 4;

/// The code's size in points.
const SIDE: f32 = 168.0;

/// Shows `link`.
pub fn share(ui: &mut Ui, link: &str, out: &mut Vec<Command>) {
    heading(ui, "Share this link");
    ui.label(RichText::new(link).monospace().weak());
    if primary(ui, "Copy link").clicked() {
        out.push(Command::Copy(link.into()));
    }
    ui.add_space(FAR / 2.0);
    // A link of eight addresses and a long title still fits into a code.
    if let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::L) {
        draw(ui, &code);
    }
}

fn draw(ui: &mut Ui, code: &QrCode) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(SIDE, SIDE), Sense::hover());
    let painter = ui.painter();
    // Black on white in every theme: many scanners read nothing else.
    painter.rect_filled(rect, 4.0, Color32::WHITE);
    let modules = code.width();
    let module = SIDE / (modules + 2 * QUIET_ZONE) as f32;
    for (n, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let at = vec2(
                (n % modules + QUIET_ZONE) as f32,
                (n / modules + QUIET_ZONE) as f32,
            );
            let square = Rect::from_min_size(rect.min + at * module, vec2(module, module));
            painter.rect_filled(square, 0.0, Color32::BLACK);
        }
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "QR code of the link"));
    response
}
