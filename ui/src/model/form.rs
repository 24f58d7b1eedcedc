//! What the next broadcast will be.

use super::Settings;
use banyan::inputs::Camera;
use banyan_protocol::units::Bitrate;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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

/// How OBS sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Push {
    /// By RTMP, which every OBS does.
    #[default]
    Rtmp,
    /// By SRT, which bears losses, and knows a passphrase.
    Srt,
}

/// The ports that OBS sends to.
pub(crate) const RTMP_PORT: u16 = 1935;
const SRT_PORT: u16 = 9000;

/// The port that tuner programs send to, unless another is named.
const TUNER_PORT: u16 = 1234;

/// What this machine has for a broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Cameras and capture cards.
    pub cameras: Vec<Camera>,
    /// Numbers of TV tuners.
    pub tuners: Vec<u32>,
    /// Where programs on another computer find this one.
    pub reached_at: Vec<IpAddr>,
    /// What they have to know to send by SRT.
    pub passphrase: String,
}

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
    /// Whether the program that sends is on another computer: then whoever reaches this one can send.
    pub from_elsewhere: bool,
    /// How OBS sends.
    pub push: Push,
    /// What was found on this machine.
    pub found: Inputs,
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
            Source::Obs => self.listens(),
            Source::File => need("Choose a file first."),
            Source::Camera => need("Choose a camera first; none was found if the list is empty."),
            Source::Screen => Ok(format!("screen:{typed}")),
            Source::Address => need("Type the address first, such as rtsp://camera.local/stream."),
            Source::Tuner => Ok(format!("udp://{}:{}", self.here(), self.tuner_port()?)),
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

    /// Where it listens for who sends: to this computer's programs alone, or to all.
    fn here(&self) -> &'static str {
        match self.from_elsewhere {
            true => "0.0.0.0",
            false => "127.0.0.1",
        }
    }

    fn listens(&self) -> Result<String, String> {
        let here = self.here();
        match self.push {
            Push::Rtmp => Ok(format!("rtmp://{here}:{RTMP_PORT}/live/key")),
            Push::Srt if !self.from_elsewhere => Ok(format!("srt://{here}:{SRT_PORT}?mode=listener")),
            Push::Srt if self.found.passphrase.is_empty() => {
                Err("The passphrase is not there yet; try again in a moment.".into())
            }
            Push::Srt => Ok(format!(
                "srt://{here}:{SRT_PORT}?mode=listener&passphrase={}",
                self.found.passphrase
            )),
        }
    }

    fn tuner_port(&self) -> Result<u16, String> {
        match self.input.trim() {
            "" => Ok(TUNER_PORT),
            typed => typed
                .parse()
                .map_err(|_| format!("“{typed}” is no port: type a number such as {TUNER_PORT}.")),
        }
    }

    /// Where programs find this computer, on a port.
    fn reached(&self, port: u16) -> SocketAddr {
        let elsewhere = self.found.reached_at.first().filter(|_| self.from_elsewhere);
        SocketAddr::new(elsewhere.copied().unwrap_or(Ipv4Addr::LOCALHOST.into()), port)
    }

    /// Where OBS is to send to: what it asks for, and what to paste there.
    pub fn push_addresses(&self) -> Vec<(&'static str, String)> {
        match self.push {
            Push::Rtmp => vec![
                ("Server", format!("rtmp://{}/live", self.reached(RTMP_PORT))),
                ("Stream key", "key".into()),
            ],
            Push::Srt if self.from_elsewhere => vec![(
                "Server",
                format!(
                    "srt://{}?passphrase={}",
                    self.reached(SRT_PORT),
                    self.found.passphrase
                ),
            )],
            Push::Srt => vec![("Server", format!("srt://{}", self.reached(SRT_PORT)))],
        }
    }

    /// Where a tuner program is to send to.
    ///
    /// # Errors
    /// If the port that was typed is none.
    pub fn tuner_address(&self) -> Result<String, String> {
        Ok(format!("udp://{}", self.reached(self.tuner_port()?)))
    }

    /// What makes a tuner of this computer send.
    ///
    /// # Errors
    /// If the port that was typed is none.
    pub fn tuner_command(&self, tuner: u32) -> Result<String, String> {
        let address = format!("udp://127.0.0.1:{}", self.tuner_port()?);
        Ok(format!(
            "dvbv5-zap -a {tuner} -c channels.conf -P -o - \"CHANNEL\" | ffmpeg -i - -c copy -f mpegts \"{address}?pkt_size=1316\""
        ))
    }

    /// All that makes it another input to open: what is looked at is that of the form for as long as this is the same.
    pub fn opens(&self) -> impl PartialEq + use<> {
        (self.resolve(), self.looped, self.quality)
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

#[cfg(test)]
mod tests;
