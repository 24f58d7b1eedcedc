//! What the boxes' colours mean: of those that are there, so that nobody looks for others.

use super::sponsors;
use crate::look::palette;
use banyan::trees::{NodeKind, Trees};
use eframe::egui::{Color32, RichText, Sense, Stroke, StrokeKind, Ui, vec2};

/// A box's size in points.
const BOX: f32 = 12.0;

/// How a kind of peer is drawn: its name, the colour of its box, and whether there is a second line around it.
type Entry = (&'static str, Color32, bool);

/// Draws it.
pub fn legend(ui: &mut Ui, trees: &Trees) {
    ui.horizontal_wrapped(|ui| {
        for entry in entries(ui, trees) {
            one(ui, entry);
        }
    });
}

fn entries(ui: &Ui, trees: &Trees) -> Vec<Entry> {
    let palette = palette(ui.ctx());
    let has = |kind| trees.nodes.iter().any(|node| node.kind == kind);
    let i_am_viewer = trees
        .nodes
        .iter()
        .any(|node| node.is_me && node.kind == NodeKind::Viewer);
    let all = [
        (has(NodeKind::Source), ("broadcaster", palette.warn, false)),
        (has(NodeKind::Relay), ("relay", palette.relay, false)),
        (sponsors(trees).next().is_some(), ("sponsor", palette.faint, true)),
        (i_am_viewer, ("you", palette.accent, false)),
        (has(NodeKind::Viewer), ("viewer", palette.faint, false)),
    ];
    let there = all.into_iter().filter(|(is_there, _)| *is_there);
    there.map(|(_, entry)| entry).collect()
}

fn one(ui: &mut Ui, (name, colour, pays): Entry) {
    let (rect, _) = ui.allocate_exact_size(vec2(BOX, BOX), Sense::hover());
    let painter = ui.painter();
    painter.rect_stroke(rect, 3.0, Stroke::new(2.0, colour), StrokeKind::Inside);
    if pays {
        let around = Stroke::new(1.5, palette(ui.ctx()).relay);
        painter.rect_stroke(rect.expand(1.0), 4.0, around, StrokeKind::Outside);
    }
    ui.label(RichText::new(name).weak().small());
}
