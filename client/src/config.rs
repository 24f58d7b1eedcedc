//! What a command runs by: the command line first, then the config file, then the defaults.

use crate::args::{self, Provider, Sponsor, WhenLeaving};
use crate::error::Error;
use crate::file;
use crate::player::Player;
use banyan_cloud::money::Usd;
use banyan_cloud::region::Region;
use banyan_protocol::role::config::{Part, WhenFull};
use banyan_protocol::time::Duration;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::link::ChannelLink;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How far behind capture a viewer plays unless told otherwise.
const DEFAULT_BUFFER: Duration = Duration::from_secs(2);

/// Peers keep 10 s of chunks, so nobody can play further behind than that; below a tick nothing would ever be in time.
const BUFFER_RANGE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(8)];

/// Two minutes of a 4 Mbit/s stream: longer than any disk that is to be waited for.
const DEFAULT_OUTPUT_MEMORY: u64 = 64 << 20;

/// What is proposed to a person who is asked to sponsor.
const PROPOSED_HOURS: Duration = Duration::from_secs(3600);
const PROPOSED_BUDGET: Usd = Usd::from_cents(100);

/// How a broadcast runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// What FFmpeg opens, or `test:`.
    pub input: String,
    /// The channel's title; empty if it has none.
    pub title: String,
    /// Where to listen.
    pub listen: Listen,
    /// Addresses first in the link.
    pub advertise: Vec<SocketAddr>,
    /// Cap of the uplink in wire bits; `None`: measured.
    pub uplink: Option<Bitrate>,
    /// What happens to a viewer for whom there is no room.
    pub when_full: WhenFull,
    /// The most viewers admitted.
    pub max_viewers: Option<usize>,
    /// Whether a file begins again when it ends.
    pub looped: bool,
    /// Whether the picture is copied or encoded.
    pub picture: Picture,
    /// Whether the link carries a join secret.
    pub private: bool,
    /// The key's file; `None`: in the data folder.
    pub channel_key: Option<PathBuf>,
    /// What shows the broadcaster its own picture, if anything does.
    pub player: Option<Player>,
    /// Whether events are printed as JSON.
    pub json: bool,
}

/// Where a broadcaster listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At the default port, or any other if that is taken.
    Default,
    /// Here and nowhere else.
    At(SocketAddr),
}

/// What becomes of the input's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Copied if viewers can begin often enough, else encoded.
    Auto,
    /// Copied, as the only tier.
    Copy,
    /// Encoded.
    Transcode,
}

/// How a viewer runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The channel.
    pub link: ChannelLink,
    /// Cap of the uplink in wire bits; `None`: measured.
    pub uplink: Option<Bitrate>,
    /// Where the stream is written.
    pub output: Output,
    /// Where it is served.
    pub http: Option<SocketAddr>,
    /// What shows it to a person; no command line has one.
    pub player: Option<Player>,
    /// How far behind capture it plays.
    pub buffer: Duration,
    /// Where to listen for peers; `None`: at any free port.
    pub listen: Option<SocketAddr>,
    /// Whether the address is shown to relays and the broadcaster alone.
    pub relay_only: bool,
    /// What it takes part for.
    pub part: Part,
    /// What is answered to a request to sponsor.
    pub sponsor: Sponsoring,
    /// Whether events are printed as JSON.
    pub json: bool,
}

/// Where the stream is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nowhere.
    None,
    /// To standard output.
    Stdout,
    /// To a file.
    File {
        /// Which.
        path: PathBuf,
        /// The most bytes of frames that may wait for the disk.
        memory: u64,
    },
}

/// What is answered to a request to sponsor, and within which limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Sponsoring {
    /// Whether.
    pub mode: Sponsor,
    /// Where the relay would run.
    pub provider: Provider,
    /// The provider's region; `None`: the best one.
    pub region: Option<Region>,
    /// The longest lease.
    pub hours: Duration,
    /// The most money.
    pub budget: Usd,
    /// Cap of the relay's uplink; `None`: measured.
    pub relay_uplink: Option<Bitrate>,
    /// What becomes of it when this person leaves.
    pub when_leaving: WhenLeaving,
    /// What its machine in the cloud is.
    pub cloud: file::Cloud,
}

impl Broadcast {
    /// Settings of `args`, else of `file`, else the defaults.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no input.
    pub fn resolve(args: args::Broadcast, file: file::Broadcast) -> Result<Self, Error> {
        let no_input = || usage("what is to be broadcast? Name an input, such as film.mkv or test:");
        Ok(Self {
            player: None,
            input: args.input.or(file.input).ok_or_else(no_input)?,
            title: args.title.or(file.title).unwrap_or_default(),
            listen: args.listen.or(file.listen).map_or(Listen::Default, Listen::At),
            advertise: if args.advertise.is_empty() {
                file.advertise
            } else {
                args.advertise
            },
            uplink: args.uplink.or(file.uplink),
            when_full: when_full(args.when_full.or(file.when_full)),
            max_viewers: args.max_viewers.or(file.max_viewers),
            looped: args.looped,
            picture: match (args.copy, args.transcode) {
                (true, _) => Picture::Copy,
                (false, true) => Picture::Transcode,
                (false, false) => Picture::Auto,
            },
            private: args.private || file.private,
            channel_key: args.channel_key.or(file.channel_key),
            json: args.json,
        })
    }
}

impl Watch {
    /// Settings of `args`, else of `file`, else the defaults.
    ///
    /// # Errors
    /// [`Error::Usage`] if the link is malformed or settings contradict each other.
    pub fn resolve(args: args::Watch, file: file::Watch, cloud: file::Cloud) -> Result<Self, Error> {
        let sponsor = Sponsoring::resolve(&args, &file, cloud)?;
        let output = args.output.or(file.output);
        let memory = file.output_memory.unwrap_or(DEFAULT_OUTPUT_MEMORY);
        let output = Output::resolve(output.as_deref(), memory);
        if args.json && output == Output::Stdout {
            return Err(usage(
                "--json and --output - both want standard output; write to a file, or leave one out",
            ));
        }
        Ok(Self {
            link: link(&args.link)?,
            uplink: args.uplink.or(file.uplink),
            output,
            http: args.http.or(file.http),
            player: None,
            buffer: buffer(args.buffer.or(file.buffer))?,
            listen: args.listen.or(file.listen),
            relay_only: args.relay_only || file.relay_only,
            part: Part::Watch,
            sponsor,
            json: args.json,
        })
    }
}

impl Watch {
    /// Who comes to sponsor, and does not watch.
    ///
    /// # Errors
    /// [`Error::Usage`] if the link is malformed.
    pub fn sponsor(args: args::SponsorRelay, cloud: file::Cloud) -> Result<Self, Error> {
        if args.hours.is_zero() {
            return Err(usage("--hours 0 sponsors nothing"));
        }
        Ok(Self {
            link: link(&args.link)?,
            uplink: Some(Bitrate::ZERO),
            output: Output::None,
            http: None,
            player: None,
            buffer: DEFAULT_BUFFER,
            listen: None,
            relay_only: false,
            part: Part::Sponsor,
            sponsor: Sponsoring {
                mode: Sponsor::Yes,
                provider: args.provider,
                region: region(args.region.as_deref())?,
                hours: args.hours,
                budget: args.budget,
                relay_uplink: args.relay_uplink,
                when_leaving: args.when_leaving.unwrap_or_default(),
                cloud,
            },
            json: args.json,
        })
    }
}

/// The region of that name; `None` for the nearest, which is `auto`, or no name.
///
/// # Errors
/// [`Error::Usage`] if no region can have that name: a relay elsewhere is not what was wished for.
pub(crate) fn region(name: Option<&str>) -> Result<Option<Region>, Error> {
    let named = name.filter(|name| *name != "auto").map(str::parse).transpose();
    named.map_err(|error| usage(&format!("--region: {error}")))
}

fn link(text: &str) -> Result<ChannelLink, Error> {
    text.parse()
        .map_err(|error| usage(&format!("not a channel link: {error}")))
}

impl Output {
    fn resolve(text: Option<&str>, memory: u64) -> Self {
        match text {
            None | Some("none") => Self::None,
            Some("-") => Self::Stdout,
            Some(path) => Self::File {
                path: path.into(),
                memory,
            },
        }
    }
}

impl Sponsoring {
    fn resolve(args: &args::Watch, file: &file::Watch, cloud: file::Cloud) -> Result<Self, Error> {
        let mode = args.sponsor.or(file.sponsor).unwrap_or(Sponsor::Ask);
        let hours = args.hours.or(file.hours);
        let budget = args.budget.or(file.budget);
        if mode == Sponsor::Yes && (hours.is_none() || budget.is_none()) {
            return Err(usage(
                "--sponsor yes spends money: say how much with --hours and --budget",
            ));
        }
        if hours.is_some_and(|hours| hours.is_zero()) {
            return Err(usage("--hours 0 sponsors nothing; use --sponsor never"));
        }
        let named = args.region.as_deref().or(file.region.as_deref());
        Ok(Self {
            mode,
            provider: args.provider.or(file.provider).unwrap_or(Provider::Local),
            region: region(named)?,
            hours: hours.unwrap_or(PROPOSED_HOURS),
            budget: budget.unwrap_or(PROPOSED_BUDGET),
            relay_uplink: args.relay_uplink.or(file.relay_uplink),
            when_leaving: args.when_leaving.unwrap_or_default(),
            cloud,
        })
    }
}

fn when_full(chosen: Option<args::WhenFull>) -> WhenFull {
    match chosen {
        None | Some(args::WhenFull::Degrade) => WhenFull::Degrade,
        Some(args::WhenFull::Refuse) => WhenFull::Refuse,
    }
}

fn buffer(chosen: Option<Duration>) -> Result<Duration, Error> {
    let [least, most] = BUFFER_RANGE;
    let buffer = chosen.unwrap_or(DEFAULT_BUFFER);
    if buffer < least || buffer > most {
        return Err(usage("--buffer is between 100ms and 8s"));
    }
    Ok(buffer)
}

fn usage(text: &str) -> Error {
    Error::Usage(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    const LINK: &str = "banyan://aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq?a=192.0.2.1:4600";

    fn watch(options: &[&str]) -> Result<Watch, Error> {
        let words = [&["banyan", "watch", LINK], options].concat();
        let Command::Watch(args) = Args::try_parse_from(words).unwrap().command else {
            panic!("watch")
        };
        Watch::resolve(args, file::Watch::default(), file::Cloud::default())
    }

    fn broadcast(options: &[&str], file: file::Broadcast) -> Result<Broadcast, Error> {
        let words = [&["banyan", "broadcast"], options].concat();
        let Command::Broadcast(args) = Args::try_parse_from(words).unwrap().command else {
            panic!("broadcast")
        };
        Broadcast::resolve(args, file)
    }

    #[test]
    fn the_defaults_are_the_contracts() {
        let config = watch(&[]).unwrap();
        assert_eq!(config.buffer, Duration::from_secs(2));
        assert_eq!(config.output, Output::None);
        assert_eq!(config.sponsor.mode, Sponsor::Ask);
        assert_eq!(config.sponsor.hours, Duration::from_secs(3600));
        assert_eq!(config.sponsor.budget, Usd::from_cents(100));
        let config = broadcast(&["test:"], file::Broadcast::default()).unwrap();
        assert_eq!(config.when_full, WhenFull::Degrade);
        assert_eq!(config.listen, Listen::Default);
    }

    #[test]
    fn sponsoring_without_limits_is_a_usage_error() {
        for options in [&["--sponsor", "yes"][..], &["--sponsor", "yes", "--hours", "1"]] {
            assert_eq!(watch(options).unwrap_err().exit_code(), 2);
        }
        let config = watch(&["--sponsor", "yes", "--hours", "2", "--budget", "1.5"]).unwrap();
        assert_eq!(config.sponsor.budget, Usd::from_cents(150));
    }

    #[test]
    fn a_region_that_cannot_be_is_a_usage_error() {
        assert_eq!(watch(&["--region", "Mars!"]).unwrap_err().exit_code(), 2);
        assert_eq!(watch(&["--region", "auto"]).unwrap().sponsor.region, None);
        let named = watch(&["--region", "eu-central-1"]).unwrap().sponsor.region;
        assert_eq!(named.unwrap().as_str(), "eu-central-1");
    }

    #[test]
    fn contradictions_are_usage_errors() {
        assert_eq!(watch(&["--json", "--output", "-"]).unwrap_err().exit_code(), 2);
        assert_eq!(watch(&["--buffer", "1h"]).unwrap_err().exit_code(), 2);
        assert_eq!(
            broadcast(&[], file::Broadcast::default())
                .unwrap_err()
                .exit_code(),
            2
        );
        assert!(Args::try_parse_from(["banyan", "broadcast", "x", "--copy", "--transcode"]).is_err());
        assert!(Args::try_parse_from(["banyan", "broadcast", "x", "--uplink", "2Q"]).is_err());
        let clap = Args::try_parse_from(["banyan", "watch"]).unwrap_err();
        assert_eq!(clap.exit_code(), 2);
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file = file::Broadcast {
            input: Some("test:".into()),
            uplink: Some(Bitrate(1)),
            title: Some("from the file".into()),
            ..Default::default()
        };
        let config = broadcast(&["--uplink", "5M"], file).unwrap();
        assert_eq!(config.uplink, Some(Bitrate(5_000_000)));
        assert_eq!(config.title, "from the file");
        assert_eq!(config.input, "test:");
    }

    #[test]
    fn the_output_is_a_file_stdout_or_nothing() {
        assert_eq!(watch(&["--output", "none"]).unwrap().output, Output::None);
        assert_eq!(watch(&["--output", "-"]).unwrap().output, Output::Stdout);
        let Output::File { path, .. } = watch(&["--output", "a.ts"]).unwrap().output else {
            panic!("a file")
        };
        assert_eq!(path, PathBuf::from("a.ts"));
    }
}
