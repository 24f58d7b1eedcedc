//! What a relay's machine boots from.

use super::call::{Architecture, Image};
use super::user_data;
use crate::failure::{Failure, Why};
use banyan_protocol::role::relay::boot::Boot;
use serde::{Deserialize, Serialize};

/// Debian's account, from which it publishes its images.
const DEBIAN: &str = "136693071363";

/// The Debian whose image is taken where there is none of ours.
const DEBIAN_RELEASE: &str = "13";

/// Where a relay's image or program comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wish {
    /// The account that publishes relay images: twelve digits, or `self`.
    pub owner: Option<String>,
    /// What their names look like, with `*`; without it `banyan-relay-*`.
    pub name: Option<String>,
    /// Released relays, one an architecture, for Debian's image.
    pub releases: Vec<Release>,
    /// Whether the machine is to make an image, in place of a relay.
    pub makes: bool,
}

/// A released relay program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// For which processors: `x86_64` or `arm64`.
    pub architecture: String,
    /// Where it is, `https://…`.
    pub url: String,
    /// Its SHA-256: 64 hexadecimal digits.
    pub sha256: String,
}

/// One way to boot a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An image with a relay in it, by owner and name.
    Own { owner: String, name: String },
    /// Debian's image, which fetches a relay.
    Debian(Release),
    /// Debian's image, which becomes one with that relay in it.
    Builder(Release),
}

impl Wish {
    /// What an image of the release is called that machines of these types boot: one name for one program.
    ///
    /// # Errors
    /// [`Why::Image`] if no release is known for all of them.
    pub(crate) fn image_name(&self, kinds: &[String]) -> Result<String, Failure> {
        let none = || {
            Failure::new(
                Why::Image,
                "an image is made of a released relay; name one for the machine's processors under [cloud] in the config file, with its address and SHA-256",
            )
        };
        let fits = |release: &&Release| {
            let of = |kind: &String| Architecture::of(kind).ec2();
            kinds.iter().all(|kind| of(kind) == release.architecture)
        };
        let release = self.releases.iter().find(fits).ok_or_else(none)?;
        let digest = release.sha256.get(..12).unwrap_or(&release.sha256);
        let version = env!("CARGO_PKG_VERSION");
        Ok(format!(
            "banyan-relay-{version}-{}-{digest}",
            release.architecture
        ))
    }

    /// The ways to try, in order.
    pub(crate) fn sources(&self, architecture: Architecture) -> Vec<Source> {
        let own = Source::Own {
            owner: self.owner.clone().unwrap_or_else(|| "self".into()),
            name: self.name.clone().unwrap_or_else(|| "banyan-relay-*".into()),
        };
        let fits = |release: &&Release| release.architecture == architecture.ec2();
        let release = self.releases.iter().find(fits).cloned();
        if self.makes {
            return release.map(Source::Builder).into_iter().collect();
        }
        std::iter::once(own).chain(release.map(Source::Debian)).collect()
    }
}

impl Source {
    /// Whose images, and what their names look like.
    pub(crate) fn query(&self, architecture: Architecture) -> (String, String) {
        match self {
            Self::Own { owner, name } => (owner.clone(), name.clone()),
            Self::Debian(_) | Self::Builder(_) => (
                DEBIAN.into(),
                format!("debian-{DEBIAN_RELEASE}-{}-*", architecture.debian()),
            ),
        }
    }

    /// What a machine that boots so is told.
    ///
    /// # Errors
    /// If the boot data do not fit.
    pub(crate) fn user_data(&self, boot: &Boot) -> Result<String, Failure> {
        let data = crate::boot::text(boot)?;
        match self {
            Self::Own { .. } => Ok(data),
            Self::Debian(release) => user_data::debian(&data, release, boot),
            Self::Builder(release) => user_data::builder(release),
        }
    }
}

/// The largest disk that a price holds for.
pub(crate) const DISK_GIB_MAX: i32 = 16;

/// The newest of those whose disk costs no more than was reckoned.
pub(crate) fn newest(images: Vec<Image>) -> Option<Image> {
    let fit = images.into_iter().filter(|image| image.gib <= DISK_GIB_MAX);
    fit.max_by(|a, b| a.created.cmp(&b.created))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(architecture: &str) -> Release {
        Release {
            architecture: architecture.into(),
            url: "https://example.org/banyan-relay".into(),
            sha256: "00".repeat(32),
        }
    }

    #[test]
    fn an_image_of_ours_is_tried_before_debians() {
        let wish = Wish {
            releases: vec![release("arm64"), release("x86_64")],
            ..Wish::default()
        };
        let sources = wish.sources(Architecture::X86);
        assert_eq!(sources.len(), 2);
        let query = |index: usize| sources[index].query(Architecture::X86);
        assert_eq!(query(0), ("self".into(), "banyan-relay-*".into()));
        assert_eq!(query(1), (DEBIAN.into(), "debian-13-amd64-*".into()));
    }

    #[test]
    fn without_a_release_there_is_only_an_image_of_ours() {
        let wish = Wish {
            owner: Some("123456789012".into()),
            releases: vec![release("x86_64")],
            ..Wish::default()
        };
        let sources = wish.sources(Architecture::Arm);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].query(Architecture::Arm).0, "123456789012");
    }

    #[test]
    fn an_image_is_made_of_debians_and_of_a_release() {
        let wish = Wish {
            releases: vec![release("x86_64")],
            makes: true,
            ..Wish::default()
        };
        let sources = wish.sources(Architecture::X86);
        assert_eq!(
            (sources.len(), &sources[0]),
            (1, &Source::Builder(release("x86_64")))
        );
        assert_eq!(sources[0].query(Architecture::X86).0, DEBIAN);
        let name = wish.image_name(&["t3.small".into()]).unwrap();
        assert!(
            name.starts_with("banyan-relay-") && name.ends_with("-x86_64-000000000000"),
            "{name}"
        );
        assert_eq!(
            wish.image_name(&["t4g.small".into()]).unwrap_err().why,
            Why::Image
        );
    }

    #[test]
    fn the_newest_image_is_taken() {
        let image = |id: &str, created: &str| Image {
            id: id.into(),
            name: String::new(),
            created: created.into(),
            root: "/dev/xvda".into(),
            gib: if id == "huge" { 500 } else { 2 },
            snapshot: None,
            architecture: "x86_64".into(),
        };
        let images = vec![
            image("a", "2026-01-01T00:00:00.000Z"),
            image("b", "2026-10-01T00:00:00.000Z"),
            image("c", "2025-12-31T00:00:00.000Z"),
            image("huge", "2026-11-01T00:00:00.000Z"),
        ];
        assert_eq!(newest(images).unwrap().id, "b");
        assert_eq!(newest(Vec::new()), None);
    }
}
