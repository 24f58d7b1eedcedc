//! Going on the air, and looking at the input before that.

use super::Worker;
use super::hearing::Ear;
use super::running::{BROADCASTER, Running};
use crate::model::{Form, Inputs, News, Quality};
use banyan::args;
use banyan::config::{self, Picture};
use banyan::file;
use banyan::inputs;
use banyan::player::Player;
use banyan::session::preview::Preview;
use std::time::Instant;

impl Worker {
    /// Sees what there is for a broadcast.
    pub(super) fn look_for_inputs(&self) {
        self.tell.tell(News::Inputs(Inputs {
            cameras: inputs::cameras(),
            tuners: inputs::tuners(),
            reached_at: inputs::reached_at(),
            passphrase: self.passphrase.clone(),
        }));
    }

    /// Looks at an input.
    pub(super) async fn preview(&mut self, form: &Form, player: Player, ear: Ear) {
        self.end_preview().await;
        let tell = self.tell.by(ear);
        let heard = tell.clone();
        let told = move |trouble| heard.tell(News::Preview(trouble));
        let opened = broadcast(form).and_then(|config| {
            let opened = Preview::open(&config, player, told);
            opened.map_err(|error| error.to_string())
        });
        match opened {
            Ok(preview) => self.preview = Some(preview),
            Err(why) => tell.tell(News::Preview(Some(why))),
        }
    }

    /// Lets go of the input that is looked at, and waits until it is free.
    pub(super) async fn end_preview(&mut self) {
        if let Some(preview) = self.preview.take() {
            // It does not panic, and nothing else is known of it.
            let _ = tokio::task::spawn_blocking(move || drop(preview)).await;
        }
    }

    /// Goes on the air. Many inputs can be opened only once, and a channel has one broadcaster: the preview and the last
    /// broadcast end first.
    pub(super) async fn go_live(&mut self, form: &Form, player: Player) {
        if let Some(last) = self.broadcast.take() {
            last.leave().await;
        }
        self.end_preview().await;
        match self.open(form, player) {
            Ok(broadcast) => self.broadcast = Some(broadcast),
            Err(why) => self.tell.tell(News::OffAir(Some(why))),
        }
    }

    fn open(&self, form: &Form, player: Player) -> Result<Running, String> {
        let mut config = broadcast(form)?;
        config.player = Some(player);
        let session = banyan::session::broadcast::start(&config, &self.folders, Instant::now());
        let session = session.map_err(|error| error.to_string())?;
        Ok(Running::follow(session, BROADCASTER, self.tell.clone()))
    }
}

fn broadcast(form: &Form) -> Result<config::Broadcast, String> {
    let input = form.resolve()?;
    let arguments = args::Broadcast {
        input: Some(input),
        title: Some(form.title.trim().into()),
        uplink: form.uplink()?,
        looped: form.looped,
        private: form.private,
        ..args::Broadcast::default()
    };
    let config = config::Broadcast::resolve(arguments, file::Broadcast::default());
    let mut config = config.map_err(|error| error.to_string())?;
    config.picture = match form.quality {
        Quality::Auto => Picture::Auto,
        Quality::Encode => Picture::Transcode,
        Quality::Copy => Picture::Copy,
    };
    Ok(config)
}
