//! The picture of a channel on the screen, drawn from the decoder's planes by one shader. No pixel is converted or copied
//! by the processor.
//!
//! ```no_run
//! # fn example(creation: &eframe::CreationContext<'_>, ui: &eframe::egui::Ui, picture: &std::sync::Arc<banyan_tv::video::Picture>) {
//! // Once, when the window is opened:
//! banyan_tv::video::install(creation.wgpu_render_state.as_ref().expect("drawn by wgpu"));
//! // Once a channel:
//! let screen = banyan_tv::video::Screen::default();
//! // Each frame:
//! screen.show(ui.painter(), ui.max_rect(), Some(picture));
//! # }
//! ```

mod draw;
mod pipeline;
mod planes;
mod shape;

pub use banyan::player::Picture;
pub use draw::{Screen, fitted};
pub use pipeline::install;
