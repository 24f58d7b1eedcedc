//! What becomes of what comes from an input: who looks at it is told, who broadcasts it gets it.

use super::Sight;
use crate::player::Player;
use crate::session::monitor::Monitor;
use banyan_media::ingest::IngestEvent;
use banyan_protocol::io::{Command, TierSetup};
use banyan_protocol::media::{Packet, TierId};
use tokio::sync::mpsc;

/// What the input has said and nobody has told yet; the input waits then.
const SAID_MAX: usize = 16;

/// What the input says beside its packets.
#[derive(Clone, Debug)]
pub(in crate::session) enum Said {
    /// Its tiers are known; packets follow.
    Begun,
    Warning(String),
    Paused(String),
    Resumed,
    Ended,
    Failed(banyan_media::Error),
}

type Tell = Box<dyn Fn(Sight) + Send>;

/// Who hears of the input.
enum To {
    /// Nobody yet.
    Nobody,
    /// Who looks at it.
    Person(Tell),
    /// A broadcaster.
    Channel(Air),
}

/// The way to a broadcaster.
struct Air {
    commands: mpsc::Sender<Command>,
    said: mpsc::Sender<Said>,
    /// Tiers whose next keyframe is awaited: they came before there was anybody to send them to.
    awaited: Vec<TierId>,
}

/// How an input is, and who hears of it.
pub(super) struct Follower {
    monitor: Option<Monitor>,
    tiers: Vec<TierSetup>,
    /// Why nothing comes, while nothing does.
    nothing: Option<String>,
    /// How it ended.
    end: Option<Said>,
    to: To,
}

impl Follower {
    /// `player` shows it; nobody else hears of it yet.
    pub(super) fn new(player: Option<Player>) -> Self {
        Self {
            monitor: player.map(Monitor::new),
            tiers: Vec::new(),
            nothing: None,
            end: None,
            to: To::Nobody,
        }
    }

    /// Whether nothing comes any more.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Tells what is seen of it from now on.
    pub(super) fn look(&mut self, tell: Tell) {
        self.to = To::Person(tell);
    }

    /// Sends it from now on: a machine that is new has room for what there is to say.
    pub(super) fn go_on_air(&mut self, commands: mpsc::Sender<Command>) -> mpsc::Receiver<Said> {
        let (said, heard) = mpsc::channel(SAID_MAX);
        let begun = (!self.tiers.is_empty()).then_some(Said::Begun);
        if begun.is_some() {
            // A machine that has ended needs nothing.
            let _ = commands.try_send(Command::Tiers(self.tiers.clone()));
        }
        let nothing = self.nothing.clone().map(Said::Paused);
        for word in begun.into_iter().chain(nothing).chain(self.end.clone()) {
            said.try_send(word).expect("these are fewer than it holds");
        }
        let awaited = self.tiers.iter().map(|setup| setup.tier).collect();
        self.to = To::Channel(Air {
            commands,
            said,
            awaited,
        });
        heard
    }

    /// Takes in what comes; says whether anybody wants more.
    pub(super) fn take(&mut self, event: IngestEvent) -> bool {
        if let Some(monitor) = &mut self.monitor {
            monitor.see(&event);
        }
        self.note(&event);
        match &mut self.to {
            To::Nobody => true,
            To::Person(tell) => {
                sight(&event, &self.tiers).into_iter().for_each(tell);
                true
            }
            To::Channel(air) => air.send(event, &self.tiers),
        }
    }

    fn note(&mut self, event: &IngestEvent) {
        match event {
            IngestEvent::Tiers(tiers) => self.tiers.clone_from(tiers),
            IngestEvent::Paused(why) => self.nothing = Some(why.clone()),
            IngestEvent::Resumed => self.nothing = None,
            IngestEvent::Ended(_) => self.end = Some(Said::Ended),
            IngestEvent::Failed(error) => self.end = Some(Said::Failed(error.clone())),
            IngestEvent::Packet { .. } | IngestEvent::Discontinuity | IngestEvent::Warning(_) => {}
        }
    }
}

/// What who looks is told of it.
fn sight(event: &IngestEvent, tiers: &[TierSetup]) -> Option<Sight> {
    match event {
        IngestEvent::Tiers(_) | IngestEvent::Resumed => tiers.last().cloned().map(Sight::Comes),
        IngestEvent::Paused(why) | IngestEvent::Ended(why) => Some(Sight::Nothing(why.clone())),
        IngestEvent::Failed(error) => Some(Sight::Nothing(error.to_string())),
        IngestEvent::Warning(text) => Some(Sight::Warning(text.clone())),
        IngestEvent::Packet { .. } | IngestEvent::Discontinuity => None,
    }
}

impl Air {
    /// Waits while the broadcaster is busy; says whether it is there.
    fn send(&mut self, event: IngestEvent, tiers: &[TierSetup]) -> bool {
        match event {
            IngestEvent::Tiers(tiers) => self.command(Command::Tiers(tiers)) && self.say(Said::Begun),
            IngestEvent::Packet { tier, packet } => {
                !self.begins(tier, &packet, tiers) || self.command(Command::Packet { tier, packet })
            }
            IngestEvent::Discontinuity => self.command(Command::Discontinuity),
            IngestEvent::Warning(text) => self.say(Said::Warning(text)),
            IngestEvent::Paused(why) => self.say(Said::Paused(why)),
            IngestEvent::Resumed => self.say(Said::Resumed),
            IngestEvent::Ended(_) => self.say(Said::Ended),
            IngestEvent::Failed(error) => self.say(Said::Failed(error)),
        }
    }

    /// Whether a packet's tier has begun: with a keyframe of its picture.
    fn begins(&mut self, tier: TierId, packet: &Packet, tiers: &[TierSetup]) -> bool {
        let Some(at) = self.awaited.iter().position(|awaited| *awaited == tier) else {
            return true;
        };
        let setup = tiers.iter().find(|setup| setup.tier == tier);
        let track = setup.and_then(|setup| setup.tracks.get(usize::from(packet.track)));
        let begins = packet.keyframe && track.is_some_and(|track| track.is_video());
        if begins {
            self.awaited.swap_remove(at);
        }
        begins
    }

    fn command(&self, command: Command) -> bool {
        self.commands.blocking_send(command).is_ok()
    }

    fn say(&self, said: Said) -> bool {
        self.said.blocking_send(said).is_ok()
    }
}

#[cfg(test)]
mod tests;
