//! The channel that is watched: the picture, what can be done with it, and how it is.

use super::{Screen, Shown, own};
use crate::look::{FAR, palette};
use crate::model::{Command, Leaving, Model, PlayerOrder, Playing, Settings, Trouble, Watching};
use crate::widgets::{self, height_of, keep_height, primary, quiet};
use eframe::egui::{
    Align, Align2, Color32, Context, FontId, Id, Key, Layout, Rect, RichText, Role, ScrollArea, Slider, Ui,
    UiBuilder, WidgetInfo, vec2,
};
use std::time::Duration;

/// What a click on "Back" goes back by, in seconds.
const STEP_S: u32 = 10;

/// Further behind the live edge than this is said.
const BEHIND: Duration = Duration::from_secs(2);

/// The least height of the picture; where that is too much with what stands below it, the page scrolls.
const LEAST: f32 = 120.0;

/// The same where a sentence and buttons stand in it.
const LEAST_ENDED: f32 = 190.0;

/// The least width for the volume beside other things.
const VOLUME: f32 = 180.0;

pub(super) fn show(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let Some(watching) = model.watching.clone() else {
        return;
    };
    keys(ui.ctx(), &watching, model, out);
    title(ui, &watching, model, out);
    let least = match watching.playing() {
        Playing::Ended => LEAST_ENDED,
        _ => LEAST,
    };
    let scroll = ScrollArea::vertical().auto_shrink(false);
    scroll.show(ui, |ui| {
        let height = (ui.available_height() - height_of(ui, below())).max(least);
        picture(ui, height, &watching, model, screen, out);
        let shown = ui.scope(|ui| {
            trouble(ui, &watching, &model.settings);
            controls(ui, &watching, model, out);
            own::lines(ui, model, out);
        });
        keep_height(ui, below(), shown.response.rect.height());
    });
}

fn below() -> Id {
    Id::unique("below the picture")
}

pub(super) fn full_screen(ui: &mut Ui, model: &mut Model, screen: &mut Screen<'_>, out: &mut Vec<Command>) {
    let Some(watching) = model.watching.clone() else {
        return;
    };
    keys(ui.ctx(), &watching, model, out);
    picture(ui, ui.available_height(), &watching, model, screen, out);
}

/// While no field has the focus: space, arrows, M, F, L.
fn keys(ctx: &Context, watching: &Watching, model: &mut Model, out: &mut Vec<Command>) {
    if ctx.text_edit_focused() {
        return;
    }
    let pressed = |key| ctx.input(|input| input.key_pressed(key) && input.modifiers.is_none());
    let nothing_focused = ctx.memory(|memory| memory.focused().is_none());
    if pressed(Key::Space) && nothing_focused {
        out.push(pause_or_resume(watching));
    }
    if pressed(Key::ArrowLeft) && nothing_focused {
        out.push(Command::Player(PlayerOrder::Back(STEP_S)));
    }
    if pressed(Key::L) {
        out.push(Command::Player(PlayerOrder::Live));
    }
    if pressed(Key::M) {
        mute(model, out);
    }
    if pressed(Key::F) {
        out.push(Command::FullScreen(!model.full_screen));
    }
    if pressed(Key::Escape) && model.full_screen {
        out.push(Command::FullScreen(false));
    }
}

fn pause_or_resume(watching: &Watching) -> Command {
    Command::Player(match watching.player.paused {
        true => PlayerOrder::Resume,
        false => PlayerOrder::Pause,
    })
}

fn mute(model: &mut Model, out: &mut Vec<Command>) {
    model.settings.muted = !model.settings.muted;
    out.push(Command::Player(PlayerOrder::Mute(model.settings.muted)));
    out.push(Command::Keep(Box::new(model.settings.clone())));
}

fn title(ui: &mut Ui, watching: &Watching, model: &mut Model, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.heading(&watching.snapshot.title);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if quiet(ui, "Leave").clicked() {
                model.leave(Leaving::Channel, out);
            }
        });
    });
}

fn picture(
    ui: &mut Ui,
    height: f32,
    watching: &Watching,
    model: &Model,
    screen: &mut Screen<'_>,
    out: &mut Vec<Command>,
) {
    let size = vec2(ui.available_width(), height);
    let (rect, response) = ui.allocate_exact_size(size, eframe::egui::Sense::click());
    let said = said(watching);
    let name = said.as_ref().map_or_else(
        || "Picture of the channel".to_owned(),
        |said| format!("Picture of the channel. {said}"),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    if response.double_clicked() {
        out.push(Command::FullScreen(!model.full_screen));
    }
    let round = if model.full_screen { 0.0 } else { 10.0 };
    ui.painter().rect_filled(rect, round, Color32::BLACK);
    match watching.playing() {
        Playing::Ended => return ended(ui, rect, watching, out),
        Playing::Joining => {}
        _ => screen(&mut ui.new_child(UiBuilder::new().max_rect(rect)), Shown::Channel),
    }
    if let Some(said) = said {
        say(ui, rect, &said);
    }
}

/// What is said over the picture, or in its place.
fn said(watching: &Watching) -> Option<String> {
    match watching.playing() {
        Playing::Ended => None,
        Playing::Joining => Some("Joining the channel …".into()),
        _ if watching.player.error.is_some() => watching.player.error.clone(),
        Playing::Stalled => Some("One moment: the picture is late.".into()),
        Playing::Live | Playing::Paused => None,
    }
}

fn say(ui: &Ui, rect: Rect, text: &str) {
    let galley = ui.painter().layout(
        text.into(),
        FontId::proportional(18.0),
        Color32::WHITE,
        rect.width() - 40.0,
    );
    let at = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect);
    ui.painter()
        .rect_filled(at.expand2(vec2(14.0, 8.0)), 8.0, Color32::from_black_alpha(170));
    ui.painter().galley(at.min, galley, Color32::WHITE);
}

fn ended(ui: &mut Ui, rect: Rect, watching: &Watching, out: &mut Vec<Command>) {
    let why = watching.ended.as_deref().unwrap_or("The channel has ended.");
    let inner = Rect::from_center_size(rect.center(), vec2((rect.width() - 48.0).min(520.0), 150.0));
    ui.new_child(UiBuilder::new().max_rect(inner))
        .vertical_centered(|ui| {
            ui.label(RichText::new(why).size(17.0).color(Color32::WHITE));
            ui.add_space(FAR / 2.0);
            if primary(ui, "Try again").clicked() {
                out.push(Command::Watch(watching.link.clone()));
            }
            if quiet(ui, "Other channels").clicked() {
                out.push(Command::Leave);
            }
        });
}

fn trouble(ui: &mut Ui, watching: &Watching, settings: &Settings) {
    if let Some(Trouble { why, help }) = watching.trouble(settings) {
        widgets::trouble(ui, &why, &help);
    }
}

fn controls(ui: &mut Ui, watching: &Watching, model: &mut Model, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        let plays = !matches!(watching.playing(), Playing::Joining | Playing::Ended);
        ui.add_enabled_ui(plays, |ui| transport(ui, watching, out));
        sound(ui, model, out);
        if quiet(ui, "Full screen").on_hover_text("F").clicked() {
            out.push(Command::FullScreen(true));
        }
    });
    ui.horizontal_wrapped(|ui| status(ui, watching));
}

fn transport(ui: &mut Ui, watching: &Watching, out: &mut Vec<Command>) {
    let name = if watching.player.paused { "Resume" } else { "Pause" };
    if quiet(ui, name).on_hover_text("Space").clicked() {
        out.push(pause_or_resume(watching));
    }
    let back = format!("Back {STEP_S} s");
    let can = watching.player.held > Duration::from_secs(1);
    if ui.add_enabled_ui(can, |ui| quiet(ui, &back)).inner.clicked() {
        out.push(Command::Player(PlayerOrder::Back(STEP_S)));
    }
    let behind = watching.player.behind_live;
    if watching.player.live && !watching.player.paused {
        ui.label(RichText::new("LIVE").strong().color(palette(ui.ctx()).bad));
    } else if quiet(ui, "Jump to live").on_hover_text("L").clicked() {
        out.push(Command::Player(PlayerOrder::Live));
    }
    if behind >= BEHIND {
        ui.label(RichText::new(format!("{} s behind", behind.as_secs())).weak());
    }
}

fn sound(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let name = if model.settings.muted { "Unmute" } else { "Mute" };
    if quiet(ui, name).on_hover_text("M").clicked() {
        mute(model, out);
    }
    if ui.available_size_before_wrap().x < VOLUME {
        ui.end_row();
    }
    ui.spacing_mut().slider_width = 90.0;
    let label = ui.label("Volume");
    let slider = Slider::new(&mut model.settings.volume, 0.0..=1.0).show_value(false);
    let slider = ui.add(slider).labelled_by(label.id);
    if slider.changed() {
        out.push(Command::Player(PlayerOrder::Volume(model.settings.volume)));
    }
    if slider.drag_stopped() || slider.lost_focus() {
        out.push(Command::Keep(Box::new(model.settings.clone())));
    }
}

fn status(ui: &mut Ui, watching: &Watching) {
    let shot = &watching.snapshot;
    let measured = watching.stats().map(|stats| {
        let stripes = format!("{} of {} stripes", stats.stripes_receiving, shot.stripes);
        let behind = format!("{:.1} s behind capture", stats.latency_ms as f64 / 1e3);
        [stripes, behind]
    });
    let children = match shot.stats.children {
        0 => "passing on nothing".into(),
        1 => format!("passing on {} to 1 viewer", shot.up),
        many => format!("passing on {} to {many} viewers", shot.up),
    };
    let mut facts = vec![watching.quality()];
    facts.extend(measured.into_iter().flatten());
    facts.extend([format!("receiving {}", shot.down), children]);
    facts.retain(|fact| !fact.is_empty());
    for (at, fact) in facts.into_iter().enumerate() {
        let fact = if at > 0 { format!("· {fact}") } else { fact };
        ui.label(RichText::new(fact).weak());
    }
}
