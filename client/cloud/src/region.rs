//! Regions: where a provider has machines.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A region's name, `eu-central-1`: lower-case letters, digits and hyphens, so that it can stand in a host name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text can be no region's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no region; they are named like eu-central-1")]
pub struct NoRegion(String);

impl FromStr for Region {
    type Err = NoRegion;

    fn from_str(text: &str) -> Result<Self, NoRegion> {
        let parts: Vec<&str> = text.split('-').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let number = |part: &str| part.len() <= 2 && part.parse::<u8>().is_ok();
        match parts.split_last() {
            Some((last, words))
                if (2..=3).contains(&words.len()) && words.iter().all(word) && number(last) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NoRegion(text.chars().take(40).collect())),
        }
    }
}

impl TryFrom<String> for Region {
    type Error = NoRegion;

    fn try_from(text: String) -> Result<Self, NoRegion> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_stand_in_a_host_name() {
        for name in ["eu-central-1", "us-gov-west-1", "ap-northeast-3"] {
            assert_eq!(name.parse::<Region>().unwrap().as_str(), name);
        }
        for wrong in [
            "",
            "mars",
            "eu-central",
            "EU-central-1",
            "eu-central-1a",
            "a.b-c-1",
            "eu-central-1/x",
            "eu--1",
        ] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}
