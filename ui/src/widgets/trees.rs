//! The trees, drawn: layers by distance from the source, a colour for each stripe.

use crate::look::{NARROW, Palette, palette};
use banyan::trees::{Edge, Node, NodeKind, Trees};
use banyan_protocol::id::PeerId;
use banyan_protocol::media::StripeId;
use eframe::egui::epaint::CubicBezierShape;
use eframe::egui::{
    Align2, Color32, FontId, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo,
    ecolor::Hsva, pos2, vec2,
};
use place::{Placed, place};

mod legend;
mod place;

pub use legend::legend;

/// A node's size in points.
const NODE: [f32; 2] = [74.0, 34.0];

/// From one layer to the next.
const LAYER: f32 = 92.0;

/// How far the lines of neighbouring stripes are apart.
const SPREAD: f32 = 5.0;

/// Of the line of a stripe that does not come.
const DASH: f32 = 4.0;

/// Draws `trees`; of `only`, if that is given.
pub fn draw(ui: &mut Ui, trees: &Trees, only: Option<StripeId>) -> Response {
    let placed = place(trees);
    let layers = placed
        .iter()
        .map(|node| node.layer)
        .max()
        .map_or(0, |last| last + 1);
    let size = vec2(ui.available_width().max(280.0), LAYER * layers as f32);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let spots: Vec<(PeerId, Pos2)> = placed.iter().map(|node| (node.peer, spot(node, rect))).collect();
    let stripes = stripes(trees);
    for edge in trees
        .edges
        .iter()
        .filter(|edge| only.is_none_or(|stripe| edge.stripe == stripe))
    {
        line(ui, edge, &spots, &stripes);
    }
    let small = rect.width() < NARROW;
    for (node, (_, spot)) in placed.iter().zip(&spots) {
        let known = trees.nodes.iter().find(|known| known.peer == node.peer);
        let known = known.expect("what is placed is a node");
        let pays = sponsors(trees).any(|sponsor| sponsor == known.peer);
        node_box(ui, known, *spot, small, pays);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words(trees)));
    response
}

/// All stripes that are carried or should be, in order.
pub fn stripes(trees: &Trees) -> Vec<StripeId> {
    let carried = trees.edges.iter().map(|edge| edge.stripe);
    let mut stripes: Vec<StripeId> = carried.chain(trees.missing.iter().copied()).collect();
    stripes.sort_unstable();
    stripes.dedup();
    stripes
}

/// The colour of the `n`th stripe: as far from its neighbours as may be, and readable on a card.
pub fn colour(n: usize, dark: bool) -> Color32 {
    let hue = (n as f32 * 0.618_034) % 1.0;
    let (saturation, value) = if dark { (0.62, 0.92) } else { (0.9, 0.18) };
    Hsva::new(hue, saturation, value, 1.0).into()
}

/// Those who pay for a relay in `trees`.
fn sponsors(trees: &Trees) -> impl Iterator<Item = PeerId> + '_ {
    trees.nodes.iter().filter_map(|node| node.sponsor)
}

fn spot(node: &Placed, rect: Rect) -> Pos2 {
    let share = (node.at as f32 + 0.5) / node.of as f32;
    pos2(
        rect.left() + rect.width() * share,
        rect.top() + LAYER * (node.layer as f32 + 0.5),
    )
}

fn line(ui: &Ui, edge: &Edge, spots: &[(PeerId, Pos2)], stripes: &[StripeId]) {
    let find = |peer: PeerId| {
        spots
            .iter()
            .find(|(known, _)| *known == peer)
            .map(|(_, spot)| *spot)
    };
    let (Some(from), Some(to)) = (find(edge.parent), find(edge.child)) else {
        return;
    };
    let n = stripes
        .iter()
        .position(|stripe| *stripe == edge.stripe)
        .unwrap_or(0);
    let aside = (n as f32 - (stripes.len() as f32 - 1.0) / 2.0) * SPREAD;
    let (start, end) = (
        from + vec2(aside, NODE[1] / 2.0),
        to + vec2(aside, -NODE[1] / 2.0),
    );
    let bend = vec2(0.0, (end.y - start.y).abs().max(LAYER) * 0.45);
    let stroke = Stroke::new(1.6, colour(n, ui.visuals().dark_mode));
    let points = [start, start + bend, end - bend, end];
    let curve = CubicBezierShape::from_points_stroke(points, false, Color32::TRANSPARENT, stroke);
    if edge.failing {
        let dashes = Shape::dashed_line(&curve.flatten(None), stroke, DASH, DASH);
        ui.painter().extend(dashes);
    } else {
        ui.painter().add(curve);
    }
}

fn node_box(ui: &Ui, node: &Node, at: Pos2, small: bool, pays: bool) {
    let palette = palette(ui.ctx());
    let size = if small {
        vec2(NODE[0] * 0.7, NODE[1])
    } else {
        NODE.into()
    };
    let rect = Rect::from_center_size(at, size);
    let colour = face(node, &palette);
    let painter = ui.painter();
    painter.rect_filled(rect, 8.0, palette.card);
    let width = if node.is_me { 3.0 } else { 1.5 };
    painter.rect_stroke(rect, 8.0, Stroke::new(width, colour), StrokeKind::Inside);
    if pays {
        let around = Stroke::new(2.0, palette.relay);
        painter.rect_stroke(rect.expand(2.0), 10.0, around, StrokeKind::Outside);
    }
    let name = if node.is_me {
        "you".into()
    } else {
        name(node, small)
    };
    painter.text(
        at - vec2(0.0, 3.0),
        Align2::CENTER_CENTER,
        name,
        FontId::proportional(12.5),
        ui.visuals().text_color(),
    );
    let total = node.uplink.as_bps();
    if total > 0 {
        let share = (node.used.as_bps() as f32 / total as f32).clamp(0.0, 1.0);
        let bar = Rect::from_min_size(
            rect.left_bottom() + vec2(8.0, -9.0),
            vec2(rect.width() - 16.0, 3.0),
        );
        painter.rect_filled(bar, 1.5, palette.faint.gamma_multiply(0.3));
        painter.rect_filled(bar.with_max_x(bar.left() + bar.width() * share), 1.5, colour);
    }
}

fn face(node: &Node, palette: &Palette) -> Color32 {
    match node.kind {
        NodeKind::Source => palette.warn,
        NodeKind::Relay => palette.relay,
        NodeKind::Viewer if node.is_me => palette.accent,
        NodeKind::Viewer => palette.faint,
    }
}

fn name(node: &Node, small: bool) -> String {
    let id: String = node
        .peer
        .to_string()
        .chars()
        .take(if small { 4 } else { 6 })
        .collect();
    match node.kind {
        NodeKind::Source if small => "source".into(),
        NodeKind::Source => "broadcaster".into(),
        NodeKind::Relay => format!("relay {}", &id[..3]),
        NodeKind::Viewer => id,
    }
}

/// For those who hear it.
fn words(trees: &Trees) -> String {
    let relays = trees
        .nodes
        .iter()
        .filter(|node| node.kind == NodeKind::Relay)
        .count();
    let viewers = trees
        .nodes
        .iter()
        .filter(|node| node.kind == NodeKind::Viewer)
        .count();
    let me = trees.nodes.iter().find(|node| node.is_me);
    let fed = |of: fn(&Edge) -> PeerId| {
        let mine = me.map(|me| trees.edges.iter().filter(move |edge| of(edge) == me.peer));
        mine.map_or(0, Iterator::count)
    };
    format!(
        "{viewers} viewers, {} of them sponsors, and {relays} relays in {} trees; you receive {} stripes and pass on {}",
        sponsors(trees).count(),
        stripes(trees).len(),
        fed(|edge| edge.child),
        fed(|edge| edge.parent)
    )
}
