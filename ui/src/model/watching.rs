//! The channel that is watched.

use banyan::player;
use banyan::snapshot::{Phase, Snapshot};
use banyan_protocol::event::ViewerStats;

/// A channel that is watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watching {
    /// Its link.
    pub link: String,
    /// What is known of it.
    pub snapshot: Snapshot,
    /// How the player stands.
    pub player: player::State,
    /// Why another quality than the full one is shown.
    pub tier_reason: Option<String>,
    /// Whether relays of this person's run on when they leave.
    pub relays_run_on: bool,
    /// Why it ended, in words.
    pub ended: Option<String>,
}

/// What there is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playing {
    /// The channel is being joined.
    Joining,
    /// The picture moves.
    Live,
    /// What is due is not there.
    Stalled,
    /// The person holds it.
    Paused,
    /// It is over.
    Ended,
}

impl Watching {
    /// A channel that is about to be joined.
    pub fn new(link: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            link: link.into(),
            snapshot: Snapshot {
                title: title.into(),
                ..Snapshot::default()
            },
            ..Self::default()
        }
    }

    /// What there is to see.
    pub fn playing(&self) -> Playing {
        if self.ended.is_some() {
            return Playing::Ended;
        }
        match self.snapshot.phase {
            _ if self.player.paused => Playing::Paused,
            Phase::Starting => Playing::Joining,
            Phase::Live => Playing::Live,
            Phase::Waiting => Playing::Stalled,
            Phase::Ended => Playing::Ended,
        }
    }

    /// What a viewer measures, once there is something.
    pub fn stats(&self) -> Option<&ViewerStats> {
        self.snapshot.stats.viewer.as_ref()
    }

    /// Whether a lower quality than the full stream is shown.
    pub fn is_degraded(&self) -> bool {
        let shown = self.stats().map(|stats| usize::from(stats.tier.0));
        shown.is_some_and(|tier| tier + 1 < self.snapshot.tiers)
    }

    /// The quality, in words, and the picture's size, as far as they are known.
    pub fn quality(&self) -> String {
        let quality = self.stats().map(|_| match self.is_degraded() {
            true => "Lower quality".to_string(),
            false => "Full quality".to_string(),
        });
        let (width, height) = (self.player.width, self.player.height);
        let size = (height > 0).then(|| format!("{width} × {height}"));
        let known: Vec<String> = quality.into_iter().chain(size).collect();
        known.join(" ")
    }

    /// Why the picture is not what it could be, and what would help; `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        let stats = self.stats()?;
        let missing = self.snapshot.stripes.saturating_sub(stats.stripes_receiving);
        match self.playing() {
            Playing::Stalled if missing > 0 => Some(format!(
                "{missing} of {} stripes are missing; others who have them are being asked.",
                self.snapshot.stripes
            )),
            Playing::Stalled => Some("The broadcaster's picture is late.".into()),
            Playing::Live if self.is_degraded() => Some(
                "The viewers' uplinks together do not carry the full picture for everybody. More uplink, or a relay that \
                 somebody sponsors, brings it back."
                    .into(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_held_picture_is_paused_and_an_ended_one_is_over() {
        let mut watching = samples::watching();
        assert_eq!(watching.playing(), Playing::Live);
        watching.player.paused = true;
        assert_eq!(watching.playing(), Playing::Paused);
        watching.ended = Some("The broadcaster ended the channel.".into());
        assert_eq!(watching.playing(), Playing::Ended);
    }

    #[test]
    fn no_quality_is_claimed_before_it_is_known() {
        let mut watching = samples::degraded();
        assert!(watching.quality().starts_with("Lower quality "));
        watching.snapshot.stats.viewer = None;
        let (width, height) = (watching.player.width, watching.player.height);
        assert_eq!(watching.quality(), format!("{width} × {height}"));
    }

    #[test]
    fn trouble_is_said_only_while_there_is_some() {
        assert_eq!(samples::watching().trouble(), None);
        let degraded = samples::degraded();
        assert!(degraded.is_degraded() && degraded.trouble().unwrap().contains("uplinks"));
        let stalled = samples::stalled();
        assert!(stalled.trouble().unwrap().starts_with("2 of 5 stripes"));
    }
}
