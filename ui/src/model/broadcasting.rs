//! One's own channel, as it is on the air, and its picture before that.

use super::{Form, Source, sentence};
use banyan::player;
use banyan::session::input::Sight;
use banyan::snapshot::Snapshot;
use banyan_protocol::io::TierSetup;
use banyan_protocol::media::Kind;
use banyan_protocol::units::Bitrate;

/// An input that is looked at before it goes on the air.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// How its player stands.
    pub player: player::State,
    /// What was seen of it last.
    pub sight: Option<Sight>,
}

impl Preview {
    /// What its stream weighs, while it comes.
    pub fn rate(&self) -> Option<Bitrate> {
        match &self.sight {
            Some(Sight::Comes(setup)) => Some(setup.rate),
            _ => None,
        }
    }

    /// How the input is, in words.
    pub fn words(&self, source: &Source) -> String {
        let is_obs = *source == Source::Obs;
        match &self.sight {
            None | Some(Sight::Warning(_)) => "Opening …".into(),
            Some(Sight::Nothing(why)) => sentence(why),
            Some(Sight::Comes(setup)) if is_obs => format!("OBS is connected: {}.", facts(setup)),
            Some(Sight::Comes(setup)) => format!("It is there: {}.", facts(setup)),
        }
    }
}

/// What comes, such as `1280 × 720, 30 pictures a second, with sound, 2.5 Mbit/s`.
fn facts(setup: &TierSetup) -> String {
    let mut facts = Vec::new();
    for track in &setup.tracks {
        if let Kind::Video {
            width,
            height,
            frames_per_1000s,
        } = track.kind
        {
            facts.push(format!("{width} × {height}"));
            if frames_per_1000s > 0 {
                facts.push(format!("{} pictures a second", (frames_per_1000s + 500) / 1000));
            }
        }
    }
    let sound = setup.tracks.iter().any(|track| !track.is_video());
    facts.push(if sound { "with sound" } else { "without sound" }.into());
    facts.push(setup.rate.to_string());
    facts.join(", ")
}

/// A broadcast that is on the air.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broadcasting {
    /// Its title.
    pub title: String,
    /// The link, once there is one.
    pub link: Option<String>,
    /// What is known of it.
    pub snapshot: Snapshot,
    /// Why nothing comes from the input, while nothing does.
    pub input_paused: Option<String>,
    /// How the player stands that shows it here.
    pub player: player::State,
    /// Where OBS is to send to, if it is the one that sends.
    pub push: Vec<(&'static str, String)>,
}

impl Broadcasting {
    /// One that is about to begin.
    pub fn of(form: &Form) -> Self {
        Self {
            title: form.title.clone(),
            push: if form.source == Source::Obs {
                form.push_addresses()
            } else {
                Vec::new()
            },
            ..Self::default()
        }
    }

    /// Whether OBS has still to be told where to send to: it is the one that sends, and nothing comes.
    pub fn awaits_obs(&self) -> bool {
        !self.push.is_empty() && (self.link.is_none() || self.input_paused.is_some())
    }

    /// Where capacity stands, in words.
    pub fn capacity(&self) -> String {
        let Some(capacity) = &self.snapshot.capacity else {
            return "Nobody watches yet.".into();
        };
        let watch = match capacity.viewers {
            0 => "Nobody watches yet".into(),
            1 => "1 viewer".to_string(),
            viewers => format!("{viewers} viewers"),
        };
        let room = match capacity.places_left {
            0 => "no room for more at full quality".into(),
            1 => "room for 1 more".to_string(),
            places => format!("room for {places} more"),
        };
        let less = match capacity.degraded {
            0 => String::new(),
            degraded => format!(", {degraded} at lower quality"),
        };
        format!("{watch}{less}; {room}.")
    }
}
