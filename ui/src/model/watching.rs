//! The channel that is watched.

use super::{Settings, SponsorWish};
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

/// Why the picture is not what it could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What is the matter, in a sentence.
    pub why: String,
    /// What would help, in sentences.
    pub help: String,
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
    pub fn trouble(&self, settings: &Settings) -> Option<Trouble> {
        let stats = self.stats()?;
        let missing = self.snapshot.stripes.saturating_sub(stats.stripes_receiving);
        match self.playing() {
            Playing::Stalled if missing > 0 => Some(Trouble {
                why: format!("{missing} of {} stripes are missing.", self.snapshot.stripes),
                help: "Others who have them are being asked; it goes on by itself. If it happens often, a larger buffer hides it \
                       (Settings, Picture)."
                    .into(),
            }),
            Playing::Stalled => Some(Trouble {
                why: "Every stripe has a sender, and the picture is late all the same: the broadcaster's input stands still, or a \
                      line on the way is full."
                    .into(),
                help: "It goes on by itself. If it happens often, a larger buffer hides it (Settings, Picture).".into(),
            }),
            Playing::Live if self.is_degraded() => Some(self.degraded(settings)),
            _ => None,
        }
    }

    fn degraded(&self, settings: &Settings) -> Trouble {
        let usual = "the viewers' uplinks do not suffice for full quality";
        let reason = self.tier_reason.as_deref().unwrap_or(usual);
        let mut help = "More uplink, or a relay that somebody sponsors, brings it back by itself.".to_owned();
        if settings.relay_only {
            help += " You give nothing while your address is shown to relays only (Settings).";
        } else if let Some(cap) = settings.uplink() {
            help += &format!(" You give {cap} at most; more would help you, too (Settings).");
        }
        if settings.sponsor == SponsorWish::Never {
            help += " You are not asked to sponsor one (Settings).";
        }
        Trouble {
            why: format!("You see a lower quality: {reason}."),
            help,
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
        let settings = Settings::default();
        assert_eq!(samples::watching().trouble(&settings), None);
        let degraded = samples::degraded();
        let trouble = degraded.trouble(&settings).unwrap();
        assert!(degraded.is_degraded() && trouble.why.contains("uplinks"));
        let stalled = samples::stalled();
        assert!(
            stalled
                .trouble(&settings)
                .unwrap()
                .why
                .starts_with("2 of 5 stripes")
        );
    }

    #[test]
    fn what_would_help_is_what_this_person_can_do() {
        let mut degraded = samples::degraded();
        degraded.tier_reason = Some("somebody is being asked to sponsor".into());
        let settings = Settings {
            uplink_mbps: "2".into(),
            sponsor: SponsorWish::Never,
            ..Settings::default()
        };
        let trouble = degraded.trouble(&settings).unwrap();
        assert!(trouble.why.contains("being asked to sponsor"), "{trouble:?}");
        assert!(
            trouble.help.contains("You give 2") && trouble.help.contains("not asked"),
            "{trouble:?}"
        );
        let shy = Settings {
            relay_only: true,
            ..settings
        };
        assert!(degraded.trouble(&shy).unwrap().help.contains("You give nothing"));
    }
}
