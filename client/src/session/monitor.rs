//! What a broadcaster sees of its own broadcast: the packets that viewers get, played here.

use crate::player::Player;
use banyan_media::ingest::IngestEvent;
use banyan_protocol::io::Play;
use banyan_protocol::media::TierId;

/// Plays the top tier of what comes from an input.
pub(super) struct Monitor {
    player: Player,
    top: Option<TierId>,
}

impl Monitor {
    /// Plays into `player`.
    pub(super) fn new(player: Player) -> Self {
        Self { player, top: None }
    }

    /// Takes in what comes from the input. Never waits.
    pub(super) fn see(&mut self, event: &IngestEvent) {
        match event {
            IngestEvent::Tiers(tiers) => {
                let Some(setup) = tiers.last() else { return };
                self.top = Some(setup.tier);
                self.player.push(Play::Tracks {
                    tier: setup.tier,
                    tracks: setup.tracks.clone().into(),
                });
            }
            IngestEvent::Packet { tier, packet } if self.top == Some(*tier) => {
                self.player.push(Play::Packet(packet.clone()));
            }
            IngestEvent::Discontinuity => self.player.push(Play::Gap),
            _ => {}
        }
    }
}
