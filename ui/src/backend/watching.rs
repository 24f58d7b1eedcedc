//! Joining a channel, and going on the air.

use super::Worker;
use super::running::{BROADCASTER, Running, VIEWER};
use crate::model::{Form, Gravity, News, Provider, Quality, RTMP_PORT, Settings, SponsorWish, Terms};
use banyan::args;
use banyan::config::{self, Picture};
use banyan::error::Error;
use banyan::file;
use banyan::inputs;
use banyan::player::Player;
use banyan_cloud::money::Usd;
use std::time::Instant;

impl Worker {
    /// Leaves what is watched and joins the channel of `link`.
    pub(super) async fn watch(&mut self, link: &str, player: Player) {
        if let Some(viewer) = self.viewer.take() {
            viewer.leave().await;
        }
        match self.join(link, player).await {
            Ok(viewer) => self.viewer = Some(viewer),
            Err(error) => self.tell.tell(News::Left(Some(error.to_string()))),
        }
    }

    async fn join(&self, link: &str, player: Player) -> Result<Running, Error> {
        let args = watch_args(link, &self.settings);
        let mut config = config::Watch::resolve(args, file::Watch::default(), file::Cloud::default())?;
        config.player = Some(player);
        let session = banyan::session::watch::start(config, &self.folders, Instant::now()).await?;
        Ok(Running::follow(session, VIEWER, self.tell.clone()))
    }

    /// Sees what there is for a broadcast.
    pub(super) fn look_for_inputs(&self) {
        let (cameras, reached_at) = (inputs::cameras(), inputs::reached_at(RTMP_PORT));
        self.tell.tell(News::Inputs(cameras, reached_at));
    }

    /// Goes on the air.
    pub(super) fn go_live(&mut self, form: Form) {
        if self.broadcast.is_some() {
            return;
        }
        match self.open(&form) {
            Ok(broadcast) => self.broadcast = Some(broadcast),
            Err(why) => self.tell.tell(News::OffAir(Some(why))),
        }
    }

    fn open(&self, form: &Form) -> Result<Running, String> {
        let config = broadcast(form)?;
        let session = banyan::session::broadcast::start(&config, &self.folders, Instant::now());
        let session = session.map_err(|error| error.to_string())?;
        self.tell.tell(News::Say(
            Gravity::Note,
            "You are on the air as soon as the first picture comes in.".into(),
        ));
        Ok(Running::follow(session, BROADCASTER, self.tell.clone()))
    }
}

impl Terms {
    /// As a session takes it.
    pub(super) fn sponsoring(&self) -> config::Sponsoring {
        config::Sponsoring {
            mode: args::Sponsor::Ask,
            provider: provider(self.provider),
            region: self.region().ok().flatten(),
            hours: duration(self.hours * 3600.0),
            budget: dollars(self.budget_usd),
            relay_uplink: None,
            when_leaving: when_leaving(self.runs_on),
            cloud: file::Cloud::default(),
        }
    }
}

fn provider(provider: Provider) -> args::Provider {
    match provider {
        Provider::Local => args::Provider::Local,
        Provider::Ec2 => args::Provider::Ec2,
    }
}

fn when_leaving(runs_on: bool) -> args::WhenLeaving {
    match runs_on {
        true => args::WhenLeaving::Keep,
        false => args::WhenLeaving::Stop,
    }
}

fn dollars(usd: f32) -> Usd {
    Usd::from_cents((usd * 100.0).round() as u64)
}

fn watch_args(link: &str, settings: &Settings) -> args::Watch {
    let sponsor = match settings.sponsor {
        SponsorWish::Ask => args::Sponsor::Ask,
        SponsorWish::Never => args::Sponsor::Never,
    };
    args::Watch {
        link: link.into(),
        uplink: settings.uplink(),
        buffer: Some(duration(settings.buffer_s)),
        relay_only: settings.relay_only,
        sponsor: Some(sponsor),
        provider: Some(provider(settings.provider)),
        when_leaving: Some(when_leaving(settings.runs_on)),
        hours: Some(duration(settings.hours * 3600.0)),
        budget: Some(dollars(settings.budget_usd)),
        ..args::Watch::default()
    }
}

fn duration(seconds: f32) -> banyan_protocol::time::Duration {
    banyan_protocol::time::Duration::from_millis((seconds * 1000.0).round() as u64)
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
