//! What the person prefers; kept between runs.

use super::form::uplink;
use serde::{Deserialize, Serialize};

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Whether this person may be asked to sponsor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SponsorWish {
    /// Yes, and nothing happens without an answer.
    #[default]
    Ask,
    /// No.
    Never,
}

/// Who would give the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// This computer.
    #[default]
    Local,
    /// The person's own account at Amazon EC2.
    Ec2,
}

impl Provider {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Local, Self::Local.title()), (Self::Ec2, Self::Ec2.title())];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Local => "This computer",
            Self::Ec2 => "Amazon EC2, your own account",
        }
    }
}

/// What the person prefers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What a channel of this person's is called if it has no title.
    pub name: String,
    /// What may be given, in Mbit/s as typed; empty: measured.
    pub uplink_mbps: String,
    /// How far behind capture the picture plays, in seconds.
    pub buffer_s: f32,
    /// Whether this person's address is shown to relays and the broadcaster only.
    pub relay_only: bool,
    /// Whether this person may be asked to sponsor.
    pub sponsor: SponsorWish,
    /// Who would give the machine.
    pub provider: Provider,
    /// The provider's region; empty: the best one.
    pub region: String,
    /// Hours that are proposed.
    pub hours: f32,
    /// US dollars that are proposed at most.
    pub budget_usd: f32,
    /// Whether relays run on to the end of their lease when this person leaves; else they end then.
    pub runs_on: bool,
    /// Light or dark.
    pub look: Look,
    /// How large everything is; 1 is as designed.
    pub scale: f32,
    /// Loudness, 0 to 1.
    pub volume: f32,
    /// Whether the sound is off.
    pub muted: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            uplink_mbps: String::new(),
            buffer_s: 2.0,
            relay_only: false,
            sponsor: SponsorWish::Ask,
            provider: Provider::Local,
            region: String::new(),
            hours: 1.0,
            budget_usd: 1.0,
            runs_on: false,
            look: Look::System,
            scale: 1.0,
            volume: 1.0,
            muted: false,
        }
    }
}

impl Settings {
    /// The range of [`buffer_s`](Self::buffer_s): peers keep 10 s, and a tick is the least.
    pub const BUFFER: std::ops::RangeInclusive<f32> = 0.5..=8.0;

    /// The range of [`scale`](Self::scale).
    pub const SCALE: std::ops::RangeInclusive<f32> = 0.75..=2.5;

    /// With everything in its range: a file that was edited by hand may say anything.
    pub fn in_range(mut self) -> Self {
        let within = |value: f32, range: &std::ops::RangeInclusive<f32>, default: f32| match value.is_finite()
        {
            true => value.clamp(*range.start(), *range.end()),
            false => default,
        };
        let usual = Self::default();
        self.buffer_s = within(self.buffer_s, &Self::BUFFER, usual.buffer_s);
        self.scale = within(self.scale, &Self::SCALE, usual.scale);
        self.volume = within(self.volume, &(0.0..=1.0), usual.volume);
        self.hours = within(self.hours, &(0.25..=24.0), usual.hours);
        self.budget_usd = within(self.budget_usd, &(0.05..=100.0), usual.budget_usd);
        self
    }

    /// What is wrong with them, if anything is.
    pub fn complaint(&self) -> Option<String> {
        uplink(&self.uplink_mbps).err()
    }

    /// What may be given, in wire bits a second; `None`: measured, also while what is typed is no rate.
    pub fn uplink(&self) -> Option<banyan_protocol::units::Bitrate> {
        uplink(&self.uplink_mbps).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_brought_back() {
        let odd = Settings {
            scale: f32::NAN,
            buffer_s: 100.0,
            volume: -1.0,
            ..Settings::default()
        };
        let settings = odd.in_range();
        assert_eq!(
            (settings.scale, settings.buffer_s, settings.volume),
            (1.0, 8.0, 0.0)
        );
    }

    #[test]
    fn an_uplink_that_is_none_is_complained_about() {
        let settings = Settings {
            uplink_mbps: "much".into(),
            ..Settings::default()
        };
        assert!(settings.complaint().is_some());
        assert_eq!(settings.uplink(), None);
        assert_eq!(Settings::default().complaint(), None);
    }
}
