//! `banyan-tv`: opens the window.

use banyan::folders::Folders;
use banyan_tv::app::App;
use banyan_tv::args::Args;
use banyan_tv::trouble;
use clap::Parser;
use eframe::NativeOptions;
use eframe::egui::ViewportBuilder;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<ExitCode> {
    if banyan::run::is_part() {
        return Ok(banyan::run::program()?);
    }
    let args = Args::parse();
    log();
    let folders = Folders::find()?;
    let app = |creation: &eframe::CreationContext<'_>| App::new(creation, folders, args.link);
    let run = eframe::run_native(
        "banyan-tv",
        options(),
        Box::new(|creation| Ok(Box::new(app(creation)?))),
    );
    match run {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            tracing::debug!(%error, "no window");
            eprintln!("banyan-tv: {}", trouble::words(&error));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn options() -> NativeOptions {
    NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Banyan")
            .with_app_id("banyan-tv")
            .with_inner_size([1080.0, 720.0])
            .with_min_inner_size([360.0, 480.0]),
        ..NativeOptions::default()
    }
}

fn log() {
    let usual = EnvFilter::new("warn,banyan=info");
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or(usual))
        .with_writer(std::io::stderr)
        .init();
}
