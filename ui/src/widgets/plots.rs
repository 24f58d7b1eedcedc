//! How it went over the last minutes.

use super::heading;
use crate::look::{NEAR, palette};
use crate::model::{History, Sample};
use eframe::egui::{Color32, Ui};
use egui_plot::{Corner, Legend, Line, Plot, PlotPoints};

const HEIGHT: f32 = 130.0;

/// A line: its name, its colour, and what it shows of a second.
type Curve<'a> = (&'a str, Color32, fn(&Sample) -> f64);

/// Bitrate, latency and buffer, stripes; of a broadcaster what it sends.
pub fn plots(ui: &mut Ui, history: &History) {
    let colours = palette(ui.ctx());
    let rates: [Curve<'_>; 2] = [
        ("sent", colours.accent, |second| second.up_mbps),
        ("received", colours.relay, |second| second.down_mbps),
    ];
    if !history.has_stream() {
        return plot(ui, "Mbit/s", history, &rates[..1]);
    }
    plot(ui, "Mbit/s", history, &rates);
    let times: [Curve<'_>; 2] = [
        ("behind capture", colours.warn, |second| second.latency_s),
        ("ready to play", colours.accent, |second| second.buffer_s),
    ];
    plot(ui, "Seconds", history, &times);
    let stripes: [Curve<'_>; 1] = [("coming in", colours.accent, |second| second.stripes as f64)];
    plot(ui, "Stripes", history, &stripes);
}

fn plot(ui: &mut Ui, title: &str, history: &History, curves: &[Curve<'_>]) {
    heading(ui, title);
    let plot = Plot::new(title)
        .height(HEIGHT)
        .include_y(0.0)
        .include_x(-60.0)
        .include_x(0.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_x(false)
        .x_axis_formatter(|mark, _| format!("{:.0} s", mark.value))
        // Where the newest is not.
        .legend(Legend::default().position(Corner::LeftBottom));
    plot.show(ui, |plot| {
        for (name, colour, of) in curves {
            let points = PlotPoints::from(history.points(of));
            plot.line(Line::new(*name, points).color(*colour).width(2.0));
        }
    });
    ui.add_space(NEAR);
}
