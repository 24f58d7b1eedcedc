//! The command line, as typed: everything optional that the config file may give. [`crate::config`] resolves the two.

use crate::quantity;
use banyan_cloud::money::Usd;
use banyan_cloud::region::Region;
use banyan_protocol::time::Duration;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::lease::LeaseId;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Live TV that anyone can run from home: viewers pass the stream on to each other.
#[derive(Debug, Parser)]
#[command(
    name = "banyan",
    version,
    about,
    after_help = "Example: banyan broadcast test: --title \"Hello\""
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Read settings from this file instead of banyan/config.toml in the config folder.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Broadcast a channel.
    Broadcast(Broadcast),
    /// Watch a channel, and pass it on.
    Watch(Watch),
    /// Sponsor a relay for a channel, without watching.
    Sponsor(SponsorRelay),
    /// See and end sponsored relays.
    Relays {
        /// What to do with them.
        #[command(subcommand)]
        what: Relays,
    },
    /// Prepare a cloud account for relays.
    Cloud {
        /// What to do.
        #[command(subcommand)]
        what: Cloud,
    },
    /// Measure this program.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: Bench,
    },
    /// Print completions for a shell.
    #[command(
        after_help = "Example: banyan completions bash > ~/.local/share/bash-completion/completions/banyan"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// The forwarding process of `bench relay`.
    #[command(hide = true)]
    BenchForwarder(banyan_relay::forwarder::Args),
    /// The process that reads cloud credentials, started by others of this program.
    #[command(hide = true)]
    CloudChild(CloudChild),
    /// Starts a program in a session of its own.
    #[command(hide = true)]
    Detach(Detach),
}

/// `banyan broadcast`.
#[derive(Debug, ClapArgs, Default)]
#[command(after_help = "Examples:
  banyan broadcast film.mkv --title \"Film night\" --uplink 10M
  banyan broadcast rtmp://127.0.0.1:1935/live/key        (then push to it from OBS on this machine)
  banyan broadcast 'srt://0.0.0.0:9000?mode=listener&passphrase=…' --private

Whoever reaches the port of an rtmp:// input can push to it, whatever stream key they name: listen at 127.0.0.1 where you can.")]
pub struct Broadcast {
    /// What FFmpeg opens: a file, http(s)://, rtsp://, udp://, srt://…?mode=listener, rtmp:// (listens), a capture
    /// device, screen: (what an X11 display shows), or test: (moving pattern and tone).
    pub input: Option<String>,

    /// The channel's title.
    #[arg(long, value_name = "T")]
    pub title: Option<String>,

    /// Listen here instead of at the default port (4600).
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// An address where viewers reach this machine, first in the link. May be given several times.
    #[arg(long, value_name = "ADDR:PORT")]
    pub advertise: Vec<SocketAddr>,

    /// Use at most this much uplink (wire bits per second, 10M); without it, it is measured.
    #[arg(long, value_name = "RATE", value_parser = quantity::rate)]
    pub uplink: Option<Bitrate>,

    /// What happens to a viewer for whom there is no room (degrade, unless given).
    #[arg(long, value_enum)]
    pub when_full: Option<WhenFull>,

    /// Admit at most so many viewers.
    #[arg(long, value_name = "N")]
    pub max_viewers: Option<usize>,

    /// Begin a file again when it ends.
    #[arg(long = "loop")]
    pub looped: bool,

    /// Copy the picture whatever it is; there is then one tier only, and --when-full degrade refuses, too.
    #[arg(long, conflicts_with = "transcode")]
    pub copy: bool,

    /// Encode the picture even if it could be copied.
    #[arg(long)]
    pub transcode: bool,

    /// Put a join secret into the link, so that only its holders can watch.
    #[arg(long)]
    pub private: bool,

    /// Keep the channel's key in this file instead of the data folder.
    #[arg(long, value_name = "FILE")]
    pub channel_key: Option<PathBuf>,

    /// Print events as JSON Lines.
    #[arg(long)]
    pub json: bool,
}

/// `banyan watch`.
#[derive(Debug, ClapArgs, Default)]
#[command(after_help = "Examples:
  banyan watch 'banyan://…' --http 127.0.0.1:8080          (then open http://127.0.0.1:8080/)
  banyan watch 'banyan://…' --output - | mpv -
  banyan watch 'banyan://…' --uplink 5M --output recording.ts")]
pub struct Watch {
    /// The channel's link, banyan://…
    pub link: String,

    /// Give at most this much uplink (wire bits per second, 5M); without it, it is measured.
    #[arg(long, value_name = "RATE", value_parser = quantity::rate)]
    pub uplink: Option<Bitrate>,

    /// Write MPEG-TS to a file, to standard output (-), or nowhere (none, the default).
    #[arg(long, value_name = "FILE|-|none")]
    pub output: Option<String>,

    /// Serve /stream.ts, /live.m3u8 and a player page here.
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,

    /// Play this far behind capture (2s; 100ms to 8s).
    #[arg(long, value_name = "DUR", value_parser = quantity::duration)]
    pub buffer: Option<Duration>,

    /// Listen here for peers instead of at any free port.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Show this machine's address to relays and the broadcaster alone.
    #[arg(long)]
    pub relay_only: bool,

    /// Whether this viewer sponsors a relay when the channel runs out of capacity (ask, unless given); yes needs --hours and --budget.
    #[arg(long, value_enum)]
    pub sponsor: Option<Sponsor>,

    /// Where a sponsored relay runs (local, unless given).
    #[arg(long, value_enum)]
    pub provider: Option<Provider>,

    /// The provider's region, or auto (unless given): the nearest to the viewers.
    #[arg(long, value_name = "NAME|auto")]
    pub region: Option<String>,

    /// Sponsor for at most this long, in hours (1 is proposed).
    #[arg(long, value_name = "H", value_parser = quantity::hours)]
    pub hours: Option<Duration>,

    /// Spend at most so many US dollars (1 is proposed).
    #[arg(long, value_name = "USD", value_parser = quantity::usd)]
    pub budget: Option<Usd>,

    /// What a sponsored relay gives at most; without it, it is measured.
    #[arg(long, value_name = "RATE", value_parser = quantity::rate)]
    pub relay_uplink: Option<Bitrate>,

    /// What becomes of a sponsored relay when this viewer leaves (stop, unless given).
    #[arg(long, value_enum, value_name = "WHAT")]
    pub when_leaving: Option<WhenLeaving>,

    /// Print events as JSON Lines.
    #[arg(long)]
    pub json: bool,
}

/// `banyan sponsor`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  banyan sponsor 'banyan://…' --provider local --hours 2 --budget 0
  banyan sponsor 'banyan://…' --provider ec2 --hours 1 --budget 1 --region eu-central-1")]
pub struct SponsorRelay {
    /// The channel's link, banyan://…
    pub link: String,

    /// Where the relay runs.
    #[arg(long, value_enum)]
    pub provider: Provider,

    /// The provider's region, or auto (unless given): the nearest to the viewers.
    #[arg(long, value_name = "NAME|auto")]
    pub region: Option<String>,

    /// For at most this long.
    #[arg(long, value_name = "H", value_parser = quantity::hours)]
    pub hours: Duration,

    /// Spend at most so many US dollars.
    #[arg(long, value_name = "USD", value_parser = quantity::usd)]
    pub budget: Usd,

    /// What the relay gives at most; without it, it is measured.
    #[arg(long, value_name = "RATE", value_parser = quantity::rate)]
    pub relay_uplink: Option<Bitrate>,

    /// What becomes of the relay when this program is ended (stop, unless given).
    #[arg(long, value_enum, value_name = "WHAT")]
    pub when_leaving: Option<WhenLeaving>,

    /// Print events as JSON Lines.
    #[arg(long)]
    pub json: bool,
}

/// `banyan relays …`.
#[derive(Debug, Subcommand)]
pub enum Relays {
    /// List the relays that run, with what they cost.
    #[command(after_help = "Example: banyan relays list --provider ec2 --region eu-central-1")]
    List(Where),
    /// Make a relay's lease longer. It obeys whoever launched it, from the same machine.
    #[command(after_help = "Example: banyan relays extend 0123…cdef --hours 1 --budget 0.50")]
    Extend {
        /// The relay's lease, as listed.
        lease: LeaseId,
        /// How much longer.
        #[arg(long, value_name = "H", value_parser = quantity::hours)]
        hours: Duration,
        /// The most that it may cost more, machine and bytes; without it, the machine's time, and no more bytes.
        #[arg(long, value_name = "USD", value_parser = quantity::usd)]
        budget: Option<Usd>,
        /// Print JSON Lines.
        #[arg(long)]
        json: bool,
    },
    /// End a relay.
    #[command(after_help = "Example: banyan relays stop 0123…cdef")]
    Stop {
        /// The relay's lease, as listed.
        lease: LeaseId,
        /// Where it is.
        #[command(flatten)]
        place: Where,
    },
    /// End the relays that are past their lease or dead.
    #[command(after_help = "Example: banyan relays sweep --provider ec2")]
    Sweep {
        /// End all relays, whatever they do; asks first.
        #[arg(long)]
        all: bool,
        /// Where they are.
        #[command(flatten)]
        place: Where,
    },
}

/// Which relays are meant.
#[derive(Clone, Debug, ClapArgs)]
pub struct Where {
    /// Only this provider's; ec2 looks into every region, local at this machine.
    #[arg(long, value_enum)]
    pub provider: Option<Provider>,

    /// Look into this region too.
    #[arg(long, value_name = "NAME")]
    pub region: Option<Region>,

    /// Print JSON Lines.
    #[arg(long)]
    pub json: bool,
}

/// `banyan cloud …`.
#[derive(Debug, Subcommand)]
pub enum Cloud {
    /// Print the least that relays need of an account, as a policy to attach.
    #[command(after_help = "Example: banyan cloud policy --region eu-central-1 > banyan-policy.json")]
    Policy(Account),
    /// Look, by dry runs, whether the account is ready, and say what is missing.
    #[command(after_help = "Example: banyan cloud check --region eu-central-1")]
    Check(Account),
    /// Show what a relay would boot from, or make an image of it in the account.
    #[command(after_help = "Example: banyan cloud image --region eu-central-1 --make")]
    Image {
        /// Make an image of the released relay that the config file names: a small machine for some minutes, and a
        /// snapshot that is kept until banyan relays sweep drops it, for a newer one or with --all.
        #[arg(long)]
        make: bool,
        /// Which account, and where.
        #[command(flatten)]
        account: Account,
    },
}

/// Which account, and where.
#[derive(Clone, Debug, ClapArgs)]
pub struct Account {
    /// Whose cloud; there is one for now.
    #[arg(long, value_enum, default_value = "ec2")]
    pub provider: Provider,

    /// The region, or auto for the nearest.
    #[arg(long, value_name = "NAME|auto", default_value = "auto")]
    pub region: String,

    /// Print JSON Lines.
    #[arg(long)]
    pub json: bool,
}

/// `banyan cloud-child`, started by sessions.
#[derive(Debug, ClapArgs)]
pub struct CloudChild {
    /// The data folder.
    #[arg(long)]
    pub data: PathBuf,

    /// The relay's program.
    #[arg(long)]
    pub relay: PathBuf,

    /// How often to end by itself what should not run, usually and in the minutes after a launch.
    #[arg(long, num_args = 2, value_parser = quantity::duration)]
    pub sweep_every: Vec<Duration>,
}

/// `banyan detach`, started by the cloud child.
#[derive(Debug, ClapArgs)]
pub struct Detach {
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<std::ffi::OsString>,
}

/// `banyan bench …`.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Load one forwarding process with many children.
    Relay(BenchRelay),
}

/// `banyan bench relay`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: banyan bench relay --children 200 --rate 4M --seconds 20 --pin 3")]
pub struct BenchRelay {
    /// How many children it feeds.
    #[arg(long, value_name = "K", default_value_t = 200)]
    pub children: usize,

    /// The stream's payload rate (bits per second).
    #[arg(long, value_name = "RATE", default_value = "4M", value_parser = quantity::rate)]
    pub rate: Bitrate,

    /// How long to measure.
    #[arg(long, value_name = "S", default_value_t = 20)]
    pub seconds: u64,

    /// Pin the forwarding process to this core, and the load to the others.
    #[arg(long, value_name = "CORE")]
    pub pin: Option<usize>,

    /// The program whose forwarding is measured; this one, unless given.
    #[arg(long, value_name = "PATH")]
    pub forwarder: Option<PathBuf>,

    /// So many of the children stop reading as soon as they are fed, and stay.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub stalled: usize,

    /// Measure QUIC alone, without the forwarding engine, to compare with.
    #[arg(long)]
    pub bare: bool,

    /// Print the result as a JSON line.
    #[arg(long)]
    pub json: bool,
}

/// What happens to a viewer for whom there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// Free riders share what there is at a lower quality.
    Degrade,
    /// It is refused.
    Refuse,
}

/// Whether to sponsor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sponsor {
    /// Decline every request.
    Never,
    /// Ask the person.
    Ask,
    /// Accept the first request within --hours and --budget.
    Yes,
}

/// Where a sponsored relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// As a process on this machine.
    Local,
    /// As a VM in Amazon's cloud.
    Ec2,
}

/// What becomes of a relay when its sponsor leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhenLeaving {
    /// It hands its viewers over, and ends.
    #[default]
    Stop,
    /// It runs on to the end of its lease, and the broadcaster commands it.
    Keep,
}
