//! One's own channel, as it is on the air, and its picture before that.

use super::{Form, Source};
use banyan::player;
use banyan::snapshot::Snapshot;

/// An input that is looked at before it goes on the air.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// How its player stands.
    pub player: player::State,
    /// Why there is nothing to see.
    pub trouble: Option<String>,
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
    /// Where OBS is to send to, if it is.
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
