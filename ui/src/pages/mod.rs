//! The pages: functions of the model that give back commands.

mod account;
mod ask;
mod broadcast;
mod closing;
mod home;
mod leaving;
mod network;
mod own;
mod preview;
mod relays;
mod settings;
mod sources;
mod watch;

use crate::look::{NARROW, NEAR, palette};
use crate::model::{Command, Leaving, Model, Page, RelayOrder, Source};
use crate::widgets;
use eframe::egui::{
    CentralPanel, Frame, Key, KeyboardShortcut, Modifiers, Panel, RichText, TextStyle, Ui, Vec2,
};

/// Which picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// That of the channel that is watched.
    Channel,
    /// That of one's own broadcast, or of what is to be one.
    Own,
}

/// What draws a picture: the app's players, or a still for tests.
pub type Screen<'a> = dyn FnMut(&mut Ui, Shown) + 'a;

/// Draws everything. What the person wants goes to `out`.
pub fn show(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let quit = KeyboardShortcut::new(Modifiers::COMMAND, Key::Q);
    if ui.input_mut(|input| input.consume_shortcut(&quit)) {
        model.leave(Leaving::Program, out);
    }
    if model.full_screen && model.watching.is_some() {
        CentralPanel::no_frame().show(ui, |ui| watch::full_screen(ui, model, screen, out));
    } else {
        window(ui, model, screen, out);
    }
    ask::show(ui, model, out);
    leaving::ask(ui, model, out);
    closing::show(ui, model, out);
}

fn window(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    navigation(ui, model, out);
    CentralPanel::default().show(ui, |ui| {
        widgets::banners(ui, &mut model.messages);
        match model.page {
            Page::Watch if model.watching.is_some() => watch::show(ui, model, screen, out),
            Page::Watch => home::show(ui, model, out),
            Page::Broadcast => broadcast::show(ui, model, screen, out),
            Page::Network => network::show(ui, model),
            Page::Relays => relays::show(ui, model, out),
            Page::Settings => settings::show(ui, model, out),
        }
    });
}

fn navigation(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let margin = Frame::side_top_panel(ui.style()).inner_margin(NEAR * 1.5);
    if ui.available_width() < NARROW {
        Panel::bottom("navigation")
            .resizable(false)
            .frame(margin)
            .show(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    ui.spacing_mut().button_padding = Vec2::new(7.0, 7.0);
                    ui.spacing_mut().item_spacing.x = 2.0;
                    ui.style_mut().override_text_style = Some(TextStyle::Small);
                    pages(ui, model, out);
                });
            });
    } else {
        Panel::left("navigation")
            .resizable(false)
            .exact_size(150.0)
            .frame(margin)
            .show(ui, |ui| {
                ui.add_space(NEAR);
                ui.label(
                    RichText::new("Banyan")
                        .strong()
                        .size(20.0)
                        .color(palette(ui.ctx()).accent),
                );
                ui.add_space(NEAR * 2.0);
                ui.vertical_centered_justified(|ui| pages(ui, model, out));
            });
    }
}

fn pages(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    for page in Page::ALL {
        let text = match page {
            Page::Broadcast if model.broadcasting.is_some() => "On air",
            Page::Relays if model.relays.orphans() > 0 => "Relays (!)",
            _ => page.title(),
        };
        if ui.selectable_label(model.page == page, text).clicked() {
            model.page = page;
            // A camera that nobody looks at is let go. OBS stays connected.
            let lets_go = page != Page::Broadcast && model.form.source != Source::Obs;
            if lets_go && model.preview.take().is_some() {
                out.push(Command::EndPreview);
            }
            match page {
                Page::Broadcast => out.push(Command::LookForInputs),
                Page::Relays => out.push(Command::Relay(RelayOrder::Look)),
                _ => {}
            }
        }
    }
}
