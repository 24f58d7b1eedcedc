//! What stands in a ledger's lines.

use crate::money::Usd;
use crate::process::Mark;
use crate::provider::Kind;
use crate::region::Region;
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// One line: when, and what.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) t: Utc,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

/// One thing that is about to happen, or has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Entry {
    /// The ledger begins.
    Install {
        /// Which installation this is.
        install: InstallId,
    },
    /// A machine is about to be asked for. Repeating the request with the same token makes no second one.
    Attempt {
        /// The lease it is for.
        lease: Lease,
        /// Who is asked.
        provider: Kind,
        /// Where.
        region: Option<Region>,
        /// In which zone of the region.
        zone: String,
        /// For which type of machine.
        kind: String,
        /// The token of the request.
        token: Token,
        /// A digest of everything else in the request.
        hash: String,
        /// What the machine costs an hour.
        hourly: Usd,
        /// What a gigabyte costs.
        egress_gb: Usd,
        /// The process that asks.
        by: Mark,
    },
    /// The request was refused: it made no machine.
    Refused {
        /// The lease it was for.
        lease: LeaseId,
        /// The token of the request.
        token: Token,
        /// Why.
        why: String,
    },
    /// The request made a machine.
    Alive {
        /// The lease it is for.
        lease: LeaseId,
        /// The token of the request.
        token: Token,
        /// The provider's name for the machine, or the process.
        handle: String,
    },
    /// The machine has an address, and whoever asked was told.
    Ready {
        /// The lease it is for.
        lease: LeaseId,
        /// The machine.
        handle: String,
        /// Where it will listen.
        address: SocketAddr,
    },
    /// The lease was changed.
    Renewed {
        /// The lease as it is now.
        lease: Lease,
    },
    /// An image of ours is being made: it is kept, and costs money, until it is dropped.
    Image {
        /// Where.
        region: Region,
        /// The provider's name for it.
        image: String,
        /// What a month costs at most, if that is known.
        month: Option<Usd>,
    },
    /// An image of ours was dropped.
    ImageDropped {
        /// Which.
        image: String,
    },
    /// The machine has ended or is ending, and will not come back.
    Ended {
        /// The lease it was for.
        lease: LeaseId,
        /// The machine.
        handle: String,
        /// Why.
        why: String,
    },
}

/// An installation of the program: 8 random bytes, in the tags of all it launches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstallId([u8; 8]);

impl InstallId {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has random numbers");
        Self(bytes)
    }
}

impl fmt::Display for InstallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for InstallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<InstallId> for String {
    fn from(install: InstallId) -> Self {
        install.to_string()
    }
}

impl TryFrom<String> for InstallId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or("an installation's id has 16 hexadecimal digits")
    }
}

/// A request's token: printable ASCII, 64 at most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
