//! The way to a channel: a link, or one that is known.

use crate::look::{FAR, palette};
use crate::model::{Channel, Command, Model};
use crate::widgets::{card, field, heading, page, primary, quiet_about};
use banyan_protocol::wire::link::ChannelLink;
use eframe::egui::{Align, Key, Layout, RichText, Role, Ui, WidgetInfo};

pub(super) fn show(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    page(ui, "Watch a channel", |ui| {
        card(ui, |ui| by_link(ui, model, out));
        ui.add_space(FAR);
        if model.channels.is_empty() {
            ui.label(RichText::new("Channels that you watch are listed here.").weak());
        } else {
            channels(ui, model, out);
        }
    });
}

fn by_link(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let field = field::text(
        ui,
        "Paste the link that the broadcaster gave you",
        "banyan://…",
        &mut model.link,
    );
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let typed = model.link.trim().to_string();
    let parsed = typed.parse::<ChannelLink>();
    if let (false, Err(error)) = (typed.is_empty(), &parsed) {
        ui.colored_label(
            palette(ui.ctx()).bad,
            format!("This is no channel link: {error}."),
        );
    }
    let clicked = ui
        .add_enabled_ui(parsed.is_ok(), |ui| primary(ui, "Join"))
        .inner
        .clicked();
    if parsed.is_ok() && (clicked || entered) {
        model.link.clear();
        out.push(Command::Watch(typed));
    }
}

fn channels(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    heading(ui, "Your channels");
    let known: Vec<Channel> = model.channels.in_order().cloned().collect();
    for channel in known {
        card(ui, |ui| one(ui, &channel, model, out));
    }
}

fn one(ui: &mut Ui, channel: &Channel, model: &mut Model, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        if quiet_about(ui, "Watch", &channel.title).clicked() {
            out.push(Command::Watch(channel.link.clone()));
        }
        ui.label(RichText::new(&channel.title).strong());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if quiet_about(ui, "Forget", &channel.title).clicked() {
                model.channels.forget(&channel.link);
                out.push(Command::KeepChannels);
            }
            let mut kept = channel.kept;
            let keep = ui.checkbox(&mut kept, "Keep");
            let name = format!("Keep: {}", channel.title);
            keep.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, kept, &name));
            if keep.changed() {
                model.channels.keep(&channel.link, kept);
                out.push(Command::KeepChannels);
            }
        });
    });
}
