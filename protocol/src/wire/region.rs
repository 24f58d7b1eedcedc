//! Names of regions, in which sponsors' providers have machines (`docs/protocol.md` §8).

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The longest name: `ap-southeast-2` has 14 bytes.
const NAME_MAX: usize = 24;

/// A region's name, `eu-central-1`: at most 24 lower-case letters, digits and hyphens. What it stands for only its provider knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionName(String);

impl RegionName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text can be no region's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no region is named like that")]
pub struct NoRegionName;

impl TryFrom<String> for RegionName {
    type Error = NoRegionName;

    fn try_from(text: String) -> Result<Self, NoRegionName> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(NoRegionName)
        }
    }
}

impl From<RegionName> for String {
    fn from(name: RegionName) -> Self {
        name.0
    }
}

impl fmt::Display for RegionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["eu-central-1", "a"] {
            assert_eq!(RegionName::try_from(String::from(name)).unwrap().as_str(), name);
        }
        for wrong in [
            "",
            "EU",
            "eu.central",
            "eu/1",
            "\u{e9}",
            "a-name-of-25-bytes-is-long",
        ] {
            assert!(RegionName::try_from(String::from(wrong)).is_err(), "{wrong}");
        }
    }
}
