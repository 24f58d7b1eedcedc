//! Where a viewer's stream goes: a file, standard output, HTTP, a player. Each has a thread or tasks of its own and a
//! bounded queue, so that a slow one never holds up the peers.

pub(crate) mod hub;
pub(crate) mod queue;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod writer;

use crate::config;
use crate::error::Error;
use crate::http::{Server, Site};
use crate::player::Player;
use crate::snapshot::Snapshot;
use banyan_protocol::io::Play;
use std::net::SocketAddr;
use tokio::sync::{mpsc, watch};
use writer::{Broken, Writer};

/// All outputs of a viewer.
pub(crate) struct Outputs {
    writer: Option<Writer>,
    server: Option<Server>,
    player: Option<Player>,
    broken: mpsc::Receiver<Broken>,
}

impl Outputs {
    /// Opens what is asked for.
    ///
    /// # Errors
    /// If the file cannot be made, or nothing can be served at the address.
    pub(crate) async fn open(
        config: &config::Watch,
        snapshot: watch::Receiver<Snapshot>,
    ) -> Result<Self, Error> {
        let (tell, broken) = mpsc::channel(1);
        let server = match config.http {
            Some(address) => Some(Server::start(address, Site::new(snapshot)).await?),
            None => None,
        };
        let writer = match &config.output {
            config::Output::None => None,
            config::Output::Stdout => Some(Writer::stdout(tell)?),
            config::Output::File { path, memory } => Some(Writer::file(path, *memory, tell)?),
        };
        Ok(Self {
            writer,
            server,
            player: config.player.clone(),
            broken,
        })
    }

    /// Where it serves, if it does.
    pub(crate) fn served_at(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// Hands on what is played now. Never waits.
    ///
    /// # Errors
    /// If a recording can no longer be whole.
    pub(crate) fn play(&mut self, play: Play) -> Result<(), Error> {
        let result = self.writer.as_mut().map_or(Ok(()), |writer| writer.play(&play));
        if let Some(player) = &self.player {
            player.push(play.clone());
        }
        if let Some(server) = &self.server {
            server.play(play);
        }
        result
    }

    /// Waits until an output ends before the stream does.
    pub(crate) async fn broken(&mut self) -> Broken {
        match self.broken.recv().await {
            Some(broken) => broken,
            None => std::future::pending().await,
        }
    }

    /// Writes what waits, and ends all streams properly.
    ///
    /// # Errors
    /// If the writer could not write all.
    pub(crate) async fn finish(self) -> Result<(), Error> {
        if let Some(server) = self.server {
            server.finish().await;
        }
        // Its thread may be telling of a failure that nobody waits for any more.
        drop(self.broken);
        let Some(writer) = self.writer else {
            return Ok(());
        };
        let finish = tokio::task::spawn_blocking(|| writer.finish());
        finish.await.expect("finishing does not panic")
    }
}
