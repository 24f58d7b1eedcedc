//! The config file, as written: TOML, every key optional, unknown keys refused. The command line goes before it.

use crate::args::{Provider, Sponsor, WhenFull};
use crate::error::Error;
use crate::quantity::{self, QuantityError};
use banyan_cloud::ec2::image::{Release, Wish as ImageWish};
use banyan_cloud::money::Usd;
use banyan_protocol::time::Duration;
use banyan_protocol::units::Bitrate;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The whole file.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// For `banyan broadcast`.
    pub broadcast: Broadcast,
    /// For `banyan watch`.
    pub watch: Watch,
    /// For relays in the cloud, whoever sponsors them.
    pub cloud: Cloud,
}

/// `[cloud]`: what a relay's machine is, and what it boots from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cloud {
    /// The account that publishes relay images: twelve digits, or `self`.
    pub owner: Option<String>,
    /// What their names look like, with `*`.
    pub name: Option<String>,
    /// Released relays, one an architecture, for Debian's image.
    pub releases: Vec<Release>,
    /// The subnet; without it, those of the account's default network.
    pub subnet: Option<String>,
    /// Machine types, the best first; without them, the usual ones.
    pub types: Vec<String>,
}

impl Cloud {
    /// What is booted from.
    pub fn image(&self) -> ImageWish {
        ImageWish {
            owner: self.owner.clone(),
            name: self.name.clone(),
            releases: self.releases.clone(),
            makes: false,
        }
    }
}

/// `[broadcast]`: the keys are the names of the options.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Broadcast {
    /// The input.
    pub input: Option<String>,
    /// The channel's title.
    pub title: Option<String>,
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// Addresses first in the link.
    pub advertise: Vec<SocketAddr>,
    /// Cap of the uplink, wire bits a second.
    #[serde(deserialize_with = "rate")]
    pub uplink: Option<Bitrate>,
    /// What happens to a viewer for whom there is no room.
    pub when_full: Option<WhenFull>,
    /// The most viewers admitted.
    pub max_viewers: Option<usize>,
    /// Whether the link carries a join secret.
    pub private: bool,
    /// The key's file.
    pub channel_key: Option<PathBuf>,
}

/// `[watch]`: the keys are the names of the options.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Watch {
    /// Cap of the uplink, wire bits a second.
    #[serde(deserialize_with = "rate")]
    pub uplink: Option<Bitrate>,
    /// What `--output` takes.
    pub output: Option<String>,
    /// The most memory that frames may take that the file's disk has not taken yet.
    #[serde(deserialize_with = "size")]
    pub output_memory: Option<u64>,
    /// Where to serve.
    pub http: Option<SocketAddr>,
    /// How far behind capture to play.
    #[serde(deserialize_with = "duration")]
    pub buffer: Option<Duration>,
    /// Where to listen for peers.
    pub listen: Option<SocketAddr>,
    /// Whether the address is shown to relays and the broadcaster alone.
    pub relay_only: bool,
    /// Whether to sponsor.
    pub sponsor: Option<Sponsor>,
    /// Where a sponsored relay runs.
    pub provider: Option<Provider>,
    /// The provider's region.
    pub region: Option<String>,
    /// The longest lease.
    #[serde(deserialize_with = "hours")]
    pub hours: Option<Duration>,
    /// The most money.
    #[serde(deserialize_with = "usd")]
    pub budget: Option<Usd>,
    /// Cap of a sponsored relay's uplink.
    #[serde(deserialize_with = "rate")]
    pub relay_uplink: Option<Bitrate>,
}

impl File {
    /// Reads the file that was named, or else the one in the config folder if there is one.
    ///
    /// # Errors
    /// [`Error::Usage`] if a named file cannot be read, or the file is not as described here.
    pub fn load(named: Option<&Path>, usual: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = named.or_else(|| usual.filter(|path| path.exists())) else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Usage(format!("cannot read {}: {error}", path.display())))?;
        toml::from_str(&text)
            .map_err(|error| Error::Usage(format!("{}: {}", path.display(), one_line(&error))))
    }
}

/// What is wrong, and where, on one line.
fn one_line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A quantity in the file: a text, read as on the command line.
fn read<'de, T, D: Deserializer<'de>>(
    from: D,
    parse: fn(&str) -> Result<T, QuantityError>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).map(Some).map_err(serde::de::Error::custom)
}

fn rate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bitrate>, D::Error> {
    read(from, quantity::rate)
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    read(from, quantity::size)
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    read(from, quantity::duration)
}

fn hours<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    read(from, quantity::hours)
}

fn usd<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Usd>, D::Error> {
    read(from, quantity::usd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_names_of_the_options() {
        let file: File = toml::from_str(
            "[broadcast]\nuplink = '10M'\nwhen-full = 'refuse'\n[watch]\nbuffer = '3s'\noutput-memory = '1MiB'",
        )
        .unwrap();
        assert_eq!(file.broadcast.uplink, Some(Bitrate(10_000_000)));
        assert_eq!(file.broadcast.when_full, Some(WhenFull::Refuse));
        assert_eq!(file.watch.buffer, Some(Duration::from_secs(3)));
        assert_eq!(file.watch.output_memory, Some(1 << 20));
    }

    #[test]
    fn what_relays_boot_from_is_in_a_section_of_its_own() {
        let file: File = toml::from_str(
            "[cloud]\nowner = 'self'\nsubnet = 'subnet-1'\ntypes = ['c7i.large']\n[[cloud.releases]]\narchitecture = 'x86_64'\nurl = 'https://x/y'\nsha256 = '00'",
        )
        .unwrap();
        assert_eq!(file.cloud.image().owner.as_deref(), Some("self"));
        assert_eq!(file.cloud.image().releases[0].architecture, "x86_64");
        assert_eq!(
            (file.cloud.types.len(), file.cloud.subnet.as_deref()),
            (1, Some("subnet-1"))
        );
        assert!(toml::from_str::<File>("[cloud]\nkey = 'AKIA'").is_err());
    }

    #[test]
    fn an_unknown_key_or_a_bad_quantity_is_named() {
        let read = |text| toml::from_str::<File>(text).map_err(|error| one_line(&error));
        assert!(read("[watch]\nbufer = '3s'").unwrap_err().contains("bufer"));
        assert!(
            read("[watch]\nbuffer = '3'")
                .unwrap_err()
                .contains("250ms, 2s or 1h30m")
        );
    }

    #[test]
    fn a_named_file_must_be_there() {
        let nowhere = Path::new("/nonexistent/banyan.toml");
        assert!(matches!(File::load(Some(nowhere), None), Err(Error::Usage(_))));
        assert_eq!(File::load(None, Some(nowhere)).unwrap(), File::default());
    }
}
