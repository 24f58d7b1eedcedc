//! How everything looks: colours, spaces and letters, in one place.

use eframe::egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Stroke, TextStyle, Theme, Visuals, vec2,
};

/// Space between things that belong together.
pub const NEAR: f32 = 6.0;

/// Space between things that don't.
pub const FAR: f32 = 18.0;

/// The widest that text and forms get: longer lines are hard to read.
pub const COLUMN: f32 = 640.0;

/// Below this width the window is narrow: navigation goes to the bottom, and what stands side by side goes below each other.
pub const NARROW: f32 = 620.0;

/// Colours that carry a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// What can be done, and what is chosen.
    pub accent: Color32,
    /// Text on `accent`.
    pub on_accent: Color32,
    /// It is well.
    pub good: Color32,
    /// It could be better.
    pub warn: Color32,
    /// It is broken.
    pub bad: Color32,
    /// A relay, and who pays for it.
    pub relay: Color32,
    /// Beside what matters.
    pub faint: Color32,
    /// Behind a group of things.
    pub card: Color32,
}

const DARK: Palette = Palette {
    accent: Color32::from_rgb(0x57, 0xc7, 0x85),
    on_accent: Color32::from_rgb(0x0b, 0x1d, 0x13),
    good: Color32::from_rgb(0x57, 0xc7, 0x85),
    warn: Color32::from_rgb(0xf2, 0xb8, 0x4b),
    bad: Color32::from_rgb(0xf2, 0x6d, 0x6d),
    relay: Color32::from_rgb(0x6c, 0xb6, 0xff),
    faint: Color32::from_rgb(0x9a, 0xa5, 0x9f),
    card: Color32::from_rgb(0x1d, 0x23, 0x21),
};

const LIGHT: Palette = Palette {
    accent: Color32::from_rgb(0x14, 0x7a, 0x46),
    on_accent: Color32::WHITE,
    good: Color32::from_rgb(0x14, 0x7a, 0x46),
    warn: Color32::from_rgb(0x96, 0x5f, 0x00),
    bad: Color32::from_rgb(0xb3, 0x26, 0x1e),
    relay: Color32::from_rgb(0x0b, 0x5c, 0xad),
    faint: Color32::from_rgb(0x5c, 0x66, 0x61),
    card: Color32::from_rgb(0xff, 0xff, 0xff),
};

/// The colours of the theme that `ctx` shows.
pub fn palette(ctx: &Context) -> Palette {
    match ctx.theme() {
        Theme::Dark => DARK,
        Theme::Light => LIGHT,
    }
}

/// Gives `ctx` Banyan's looks in both themes; to be called once.
pub fn dress(ctx: &Context) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            style.spacing.item_spacing = vec2(8.0, 8.0);
            style.spacing.button_padding = vec2(14.0, 7.0);
            style.spacing.interact_size = vec2(44.0, 32.0);
            style.spacing.slider_width = 160.0;
            style.text_styles = [
                (TextStyle::Heading, 24.0),
                (TextStyle::Body, 15.0),
                (TextStyle::Button, 15.0),
                (TextStyle::Small, 12.5),
            ]
            .map(|(name, size)| (name, FontId::new(size, FontFamily::Proportional)))
            .into();
            let monospace = FontId::new(14.0, FontFamily::Monospace);
            style.text_styles.insert(TextStyle::Monospace, monospace);
        });
    }
}

fn visuals(theme: Theme) -> Visuals {
    let (mut visuals, palette) = match theme {
        Theme::Dark => (Visuals::dark(), DARK),
        Theme::Light => (Visuals::light(), LIGHT),
    };
    let (panel, text) = match theme {
        Theme::Dark => (
            Color32::from_rgb(0x13, 0x17, 0x16),
            Color32::from_rgb(0xe6, 0xec, 0xe8),
        ),
        Theme::Light => (
            Color32::from_rgb(0xf3, 0xf6, 0xf4),
            Color32::from_rgb(0x1a, 0x21, 0x1d),
        ),
    };
    visuals.panel_fill = panel;
    visuals.window_fill = palette.card;
    visuals.text_edit_bg_color = Some(match theme {
        Theme::Dark => Color32::from_rgb(0x0c, 0x0f, 0x0e),
        Theme::Light => Color32::from_rgb(0xea, 0xef, 0xec),
    });
    visuals.override_text_color = Some(text);
    visuals.hyperlink_color = palette.accent;
    visuals.selection.bg_fill = palette.accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(1.5, palette.accent);
    visuals.weak_text_color = Some(palette.faint);
    visuals.warn_fg_color = palette.warn;
    visuals.error_fg_color = palette.bad;
    let round = CornerRadius::same(8);
    let widgets = &mut visuals.widgets;
    for widget in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        widget.corner_radius = round;
    }
    visuals
}
