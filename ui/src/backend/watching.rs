//! Joining a channel.

use super::Worker;
use super::hearing::{Ear, Tell};
use super::running::{Running, VIEWER};
use crate::model::{News, Provider, Settings, SponsorWish, Terms};
use banyan::args;
use banyan::config;
use banyan::error::Error;
use banyan::file;
use banyan::player::Player;
use std::time::Instant;

impl Worker {
    /// Leaves what is watched and joins the channel of `link`.
    pub(super) async fn watch(&mut self, link: &str, player: Player, ear: Ear) {
        self.leave();
        let tell = self.tell.by(ear);
        match self.join(link, player, tell.clone()).await {
            Ok(viewer) => self.viewer = Some(viewer),
            Err(error) => tell.tell(News::Left(Some(error.to_string()))),
        }
    }

    async fn join(&self, link: &str, player: Player, tell: Tell) -> Result<Running, Error> {
        let args = watch_args(link, &self.settings);
        let mut config = config::Watch::resolve(args, file::Watch::default(), self.site.clone())?;
        config.player = Some(player);
        let session = banyan::session::watch::start(config, &self.folders, Instant::now()).await?;
        Ok(Running::follow(session, VIEWER, tell))
    }
}

impl Terms {
    /// As a session takes it.
    pub(super) fn sponsoring(&self, site: &file::Cloud) -> config::Sponsoring {
        let limits = self.limits();
        config::Sponsoring {
            mode: args::Sponsor::Ask,
            provider: provider(self.provider),
            region: self.region().ok().flatten(),
            hours: limits.hours,
            budget: limits.budget,
            relay_uplink: None,
            when_leaving: when_leaving(self.runs_on),
            cloud: site.clone(),
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

fn watch_args(link: &str, settings: &Settings) -> args::Watch {
    let sponsor = match settings.sponsor {
        SponsorWish::Ask => args::Sponsor::Ask,
        SponsorWish::Never => args::Sponsor::Never,
    };
    let limits = Terms::of(settings).limits();
    args::Watch {
        link: link.into(),
        uplink: settings.uplink(),
        buffer: Some(duration(settings.buffer_s)),
        relay_only: settings.relay_only,
        sponsor: Some(sponsor),
        provider: Some(provider(settings.provider)),
        when_leaving: Some(when_leaving(settings.runs_on)),
        hours: Some(limits.hours),
        budget: Some(limits.budget),
        ..args::Watch::default()
    }
}

fn duration(seconds: f32) -> banyan_protocol::time::Duration {
    banyan_protocol::time::Duration::from_millis((seconds * 1000.0).round() as u64)
}
