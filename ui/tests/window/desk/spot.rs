//! Where things are in the window: the pages are drawn without one, and asked.

use banyan_tv::model::{Command, Model};
use banyan_tv::{look, pages};
use eframe::egui::{Pos2, Theme, Ui, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

/// The window's size, which is the screen's.
pub(crate) const SIZE: [usize; 2] = [1080, 720];

/// Pixels from the edge of a button to where it is surely itself, and its surroundings are themselves: pages that are drawn
/// without a window have a margin of eight.
const EDGE: f32 = 14.0;

/// A place in the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spot(Pos2);

impl Spot {
    /// Of a pixel.
    pub(crate) fn at(x: usize, y: usize) -> Self {
        Self(Pos2::new(x as f32, y as f32))
    }

    /// The middle of what has this name on the page that `model` shows.
    pub(crate) fn of(model: &mut Model, name: &str) -> Self {
        let harness = draw(model);
        let spot = Self(harness.get_by_label(name).rect().center());
        *model = harness.into_state().0;
        spot
    }

    /// The inside of the left edge of the button of this name, and what is beside it.
    pub(crate) fn edge_of(model: &mut Model, name: &str) -> [Self; 2] {
        let harness = draw(model);
        let edge = harness.get_by_label(name).rect().left_center();
        *model = harness.into_state().0;
        [EDGE, -EDGE].map(|to| Self(edge + Vec2::new(to, 0.0)))
    }

    /// Which pixel it is.
    pub(crate) fn pixel(self) -> [i32; 2] {
        [self.0.x.round() as i32, self.0.y.round() as i32]
    }

    /// What comes of a click there.
    pub(crate) fn clicked(self, model: &mut Model) -> Vec<Command> {
        let mut harness = draw(model);
        harness.drag_at(self.0);
        harness.drop_at(self.0);
        harness.run_steps(3);
        let (clicked, commands) = harness.into_state();
        *model = clicked;
        commands
    }
}

type Drawn = (Model, Vec<Command>);

fn draw(model: &Model) -> Harness<'static, Drawn> {
    let draw = |ui: &mut Ui, (model, commands): &mut Drawn| {
        pages::show(ui, model, &mut |_: &mut Ui, _| {}, commands);
    };
    let mut harness = Harness::builder()
        .with_size(Vec2::new(SIZE[0] as f32, SIZE[1] as f32))
        .with_theme(Theme::Dark)
        .with_context_setup(look::dress)
        .build_ui_state(draw, (model.clone(), Vec::new()));
    harness.run_steps(3);
    harness
}
