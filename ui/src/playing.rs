//! A channel's picture and sound in the window.

use crate::model::{PlayerOrder, Settings};
use crate::sound;
use crate::video::Screen;
use banyan::player::Player;
use eframe::egui::{Context, Ui};
use std::time::{Duration, Instant};

/// What plays the channel that is watched.
pub(crate) struct Playing {
    player: Player,
    screen: Screen,
    /// None: it is silent.
    sound: Option<sound::Output>,
    /// What was said about the sound last.
    said: Option<String>,
}

impl Playing {
    /// Begins with an empty picture; `ctx` draws anew when there is another.
    pub(crate) fn begin(ctx: &Context, settings: &Settings) -> Self {
        let mut playing = Self::silent(ctx);
        playing.player.set_volume(settings.volume);
        playing.player.mute(settings.muted);
        playing.sound = Some(sound::Output::open(&playing.player));
        playing
    }

    /// A picture alone: what a broadcaster hears of itself comes back through the microphone.
    pub(crate) fn silent(ctx: &Context) -> Self {
        let player = Player::new();
        let woken = ctx.clone();
        player.on_change(move || woken.request_repaint());
        Self {
            sound: None,
            screen: Screen::default(),
            player,
            said: None,
        }
    }

    /// Decodes only while somebody looks.
    pub(crate) fn looked_at(&self, looked_at: bool) {
        let is_paused = self.player.state().paused;
        match (looked_at, is_paused) {
            (true, true) => self.player.live(),
            (false, false) => self.player.pause(),
            _ => {}
        }
    }

    /// The player itself.
    pub(crate) fn player(&self) -> &Player {
        &self.player
    }

    /// Does what the person wants.
    pub(crate) fn obey(&self, order: PlayerOrder) {
        match order {
            PlayerOrder::Pause => self.player.pause(),
            PlayerOrder::Resume => self.player.resume(),
            PlayerOrder::Back(seconds) => self.player.back(Duration::from_secs(u64::from(seconds))),
            PlayerOrder::Live => self.player.live(),
            PlayerOrder::Volume(volume) => self.player.set_volume(volume),
            PlayerOrder::Mute(muted) => self.player.mute(muted),
        }
    }

    /// Why nothing is heard, once for each reason.
    pub(crate) fn new_trouble(&mut self) -> Option<String> {
        let trouble = self.sound.as_ref().and_then(sound::Output::trouble);
        let is_new = trouble != self.said;
        self.said.clone_from(&trouble);
        trouble.filter(|_| is_new)
    }

    /// Draws the picture that is due into all of `ui`.
    pub(crate) fn show(&self, ui: &Ui) {
        let now = Instant::now();
        let picture = self.player.picture(now);
        self.screen.show(ui.painter(), ui.max_rect(), picture.as_ref());
        if let Some(next) = self.player.next_change(now) {
            ui.ctx()
                .request_repaint_after(next.saturating_duration_since(now));
        }
    }
}
