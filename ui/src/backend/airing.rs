//! Going on the air, and looking at the input before that.

use super::Worker;
use super::hearing::Ear;
use super::running::{BROADCASTER, Running};
use crate::model::{Form, Inputs, News, Quality};
use banyan::args;
use banyan::config::{self, Picture};
use banyan::error::Error;
use banyan::file;
use banyan::inputs;
use banyan::player::Player;
use banyan::session::input::{Input, Sight};
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
        let opened = broadcast(form, player).and_then(|config| {
            let opened = Input::open(&config);
            opened.map_err(|error| error.to_string())
        });
        match opened {
            Ok(mut input) => {
                input.look(move |sight| tell.tell(News::Preview(sight)));
                self.preview = Some(input);
            }
            Err(why) => tell.tell(News::Preview(Sight::Nothing(why))),
        }
    }

    /// Lets go of the input that is looked at, and waits until it is free.
    pub(super) async fn end_preview(&mut self) {
        if let Some(preview) = self.preview.take() {
            // It does not panic, and nothing else is known of it.
            let _ = tokio::task::spawn_blocking(move || preview.close()).await;
        }
    }

    /// Goes on the air. A channel has one broadcaster: the last broadcast ends first.
    pub(super) async fn go_live(&mut self, form: &Form, player: Player) {
        if let Some(last) = self.broadcast.take() {
            last.leave().await;
        }
        match self.air(form, player).await {
            Ok(broadcast) => self.broadcast = Some(broadcast),
            Err(why) => self.tell.tell(News::OffAir(Some(why))),
        }
    }

    async fn air(&mut self, form: &Form, player: Player) -> Result<Running, String> {
        let config = broadcast(form, player)?;
        let session = match self.input(&config).await {
            Ok(input) => banyan::session::broadcast::start(&config, input, &self.folders, Instant::now()),
            Err(error) => Err(error),
        };
        let session = session.map_err(|error| error.to_string())?;
        Ok(Running::follow(session, BROADCASTER, self.tell.clone()))
    }

    /// What is looked at goes on the air as it is, if it can. Many inputs can be opened only once: else it is let go of first.
    async fn input(&mut self, config: &config::Broadcast) -> Result<Input, Error> {
        if let Some(input) = self.preview.take_if(|input| input.suits(config)) {
            return Ok(input);
        }
        self.end_preview().await;
        Input::open(config)
    }
}

fn broadcast(form: &Form, player: Player) -> Result<config::Broadcast, String> {
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
    config.player = Some(player);
    config.picture = match form.quality {
        Quality::Auto => Picture::Auto,
        Quality::Encode => Picture::Transcode,
        Quality::Copy => Picture::Copy,
    };
    Ok(config)
}
