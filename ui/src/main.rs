//! `banyan-tv`: opens the window.

use banyan::folders::Folders;
use banyan_tv::app::App;
use banyan_tv::args::Args;
use clap::Parser;
use eframe::egui::ViewportBuilder;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folders = Folders::find()?;
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Banyan")
            .with_app_id("banyan-tv")
            .with_inner_size([1080.0, 720.0])
            .with_min_inner_size([360.0, 480.0]),
        ..eframe::NativeOptions::default()
    };
    let run = eframe::run_native(
        "banyan-tv",
        options,
        Box::new(move |creation| Ok(Box::new(App::new(&creation.egui_ctx, folders, args.link)?))),
    );
    run.map_err(|error| {
        anyhow::anyhow!("no window can be opened: {error}; `banyan` does the same without one")
    })
}
