//! One's own channel: what it will be, and how it is.

use super::Settings;
use banyan::inputs::Camera;
use banyan::snapshot::Snapshot;
use banyan_protocol::units::Bitrate;
use std::net::SocketAddr;

/// Where the picture comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Another program sends it here: OBS, or ffmpeg.
    #[default]
    Obs,
    /// A file.
    File,
    /// A camera or a capture card.
    Camera,
    /// What the screen shows.
    Screen,
    /// An address that FFmpeg opens.
    Address,
    /// A TV tuner that sends MPEG-TS over UDP.
    Tuner,
    /// The test pattern.
    Test,
}

impl Source {
    /// All of them, those that people use most first.
    pub const ALL: [Self; 7] = [
        Self::Obs,
        Self::File,
        Self::Camera,
        Self::Screen,
        Self::Address,
        Self::Tuner,
        Self::Test,
    ];

    /// Its name.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Obs => "OBS sends to me",
            Self::File => "File",
            Self::Camera => "Camera or capture card",
            Self::Screen => "Screen",
            Self::Address => "Address (URL)",
            Self::Tuner => "TV tuner",
            Self::Test => "Test pattern",
        }
    }
}

/// How the picture is sent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    /// As it comes where viewers can begin often enough, with a low tier beside it.
    #[default]
    Auto,
    /// Encoded anew.
    Encode,
    /// As it comes, and nothing beside it.
    Copy,
}

/// The port that OBS sends to.
pub(crate) const RTMP_PORT: u16 = 1935;

/// What the next broadcast will be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// Where the picture comes from.
    pub source: Source,
    /// The file, the address, the device or the port, as the source wants it.
    pub input: String,
    /// The channel's title.
    pub title: String,
    /// Begin again when the file ends.
    pub looped: bool,
    /// How it is sent on.
    pub quality: Quality,
    /// What the line carries, in Mbit/s; empty: measured.
    pub uplink_mbps: String,
    /// Whether only who has the link may join.
    pub private: bool,
    /// Whether OBS is on another computer: then whoever reaches this one can send.
    pub from_elsewhere: bool,
    /// Cameras and capture cards that were found.
    pub cameras: Vec<Camera>,
    /// Where OBS on another computer finds this one.
    pub reached_at: Vec<SocketAddr>,
    /// What is wrong with the form, once somebody tried to go live with it.
    pub complaint: Option<String>,
}

impl Form {
    /// What the person prefers.
    pub fn of(settings: &Settings) -> Self {
        Self {
            uplink_mbps: settings.uplink_mbps.clone(),
            ..Self::default()
        }
    }

    /// What FFmpeg is to open.
    ///
    /// # Errors
    /// A sentence about what is missing.
    pub fn resolve(&self) -> Result<String, String> {
        let typed = self.input.trim();
        let need = |what: &str| match typed.is_empty() {
            true => Err(what.to_string()),
            false => Ok(typed.to_string()),
        };
        match self.source {
            Source::Obs if self.from_elsewhere => Ok(format!("rtmp://0.0.0.0:{RTMP_PORT}/live/key")),
            Source::Obs => Ok(format!("rtmp://127.0.0.1:{RTMP_PORT}/live/key")),
            Source::File => need("Choose a file first."),
            Source::Camera => need("Choose a camera first; none was found if the list is empty."),
            Source::Screen => Ok(format!("screen:{typed}")),
            Source::Address => need("Type the address first, such as rtsp://camera.local/stream."),
            Source::Tuner => Ok(format!(
                "udp://0.0.0.0:{}",
                if typed.is_empty() { "1234" } else { typed }
            )),
            Source::Test => Ok("test:".into()),
        }
    }

    /// What the line carries, as typed.
    ///
    /// # Errors
    /// If it is no number.
    pub fn uplink(&self) -> Result<Option<Bitrate>, String> {
        uplink(&self.uplink_mbps)
    }

    /// What an uplink means, in words: how many copies of a stream of `stream` it carries.
    pub fn bears(&self, stream: Bitrate) -> Option<String> {
        let uplink = self.uplink().ok().flatten()?;
        let copies = uplink.as_bps() as f64 / stream.as_bps() as f64;
        let carry = match copies {
            copies if copies < 1.0 => {
                return Some(format!(
                    "{uplink} do not carry one copy of a {stream} stream. Choose a lower quality, or let viewers with more uplink sit \
                 near you."
                ));
            }
            copies if copies < 2.0 => "one copy".into(),
            copies => format!("{} copies", copies.floor()),
        };
        Some(format!(
            "Your {uplink} carry {carry} of a {stream} stream; viewers do the rest."
        ))
    }

    /// Where OBS and others are to send to.
    pub fn push_addresses(&self) -> Vec<(&'static str, String)> {
        let server = |host: String| ("Server", format!("rtmp://{host}/live"));
        let elsewhere = self.reached_at.first().filter(|_| self.from_elsewhere);
        let host = elsewhere.map_or_else(|| format!("127.0.0.1:{RTMP_PORT}"), ToString::to_string);
        vec![server(host), ("Stream key", "key".into())]
    }
}

/// Mbit/s as people type them; nothing means that it is measured.
pub(super) fn uplink(typed: &str) -> Result<Option<Bitrate>, String> {
    let typed = typed.trim().replace(',', ".");
    if typed.is_empty() {
        return Ok(None);
    }
    match typed.parse::<f64>() {
        Ok(mbps) if (0.0..=100_000.0).contains(&mbps) => Ok(Some(Bitrate((mbps * 1e6) as u64))),
        _ => Err(format!(
            "“{typed}” is no rate: type what your line carries in Mbit/s, such as 10."
        )),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uplinks_are_typed_as_people_do() {
        assert_eq!(uplink(""), Ok(None));
        assert_eq!(uplink(" 10 "), Ok(Some(Bitrate(10_000_000))));
        assert_eq!(uplink("2,5"), Ok(Some(Bitrate(2_500_000))));
        assert!(uplink("fast").unwrap_err().contains("Mbit/s"));
        assert!(uplink("-1").is_err());
    }

    #[test]
    fn what_an_uplink_bears_is_said() {
        let form = |mbps: &str| Form {
            uplink_mbps: mbps.into(),
            ..Form::default()
        };
        let stream = Bitrate(3_000_000);
        assert!(form("10").bears(stream).unwrap().contains("3 copies"));
        assert!(form("4").bears(stream).unwrap().contains("one copy"));
        assert!(form("1").bears(stream).unwrap().contains("do not carry"));
        assert_eq!(form("").bears(stream), None);
    }

    #[test]
    fn a_form_says_what_it_lacks() {
        let mut form = Form {
            source: Source::File,
            ..Form::default()
        };
        assert!(form.resolve().unwrap_err().contains("file"));
        form.input = "/tmp/film.mkv".into();
        assert_eq!(form.resolve().unwrap(), "/tmp/film.mkv");
        form.source = Source::Test;
        assert_eq!(form.resolve().unwrap(), "test:");
    }

    #[test]
    fn only_who_is_let_sends_from_elsewhere() {
        let mut form = Form {
            reached_at: vec!["192.0.2.7:1935".parse().unwrap()],
            ..Form::default()
        };
        assert_eq!(form.resolve().unwrap(), "rtmp://127.0.0.1:1935/live/key");
        assert_eq!(form.push_addresses()[0].1, "rtmp://127.0.0.1:1935/live");
        form.from_elsewhere = true;
        assert_eq!(form.resolve().unwrap(), "rtmp://0.0.0.0:1935/live/key");
        assert_eq!(form.push_addresses()[0].1, "rtmp://192.0.2.7:1935/live");
    }
}
