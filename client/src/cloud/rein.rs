//! What it takes to command a relay from another process than the one that launched it: the sponsor's key, the relay's,
//! and where it is. A file for each lease, that its owner alone can read, gone when the relay is.

use crate::channel::write_private;
use crate::error::Error;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::ledger::Book;
use banyan_protocol::id::{PeerId, SecretKey};
use banyan_protocol::wire::lease::LeaseId;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the files are, in the data folder.
const FOLDER: &str = "reins";

/// A relay that can be commanded.
pub(crate) struct Rein {
    /// Whose word it obeys.
    pub(crate) sponsor: SecretKey,
    /// Which one it is.
    pub(crate) relay: PeerId,
    /// Where it is.
    pub(crate) addresses: Vec<SocketAddr>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    sponsor: String,
    relay: String,
    addresses: Vec<SocketAddr>,
}

impl Rein {
    /// Keeps it for `banyan relays`.
    ///
    /// # Errors
    /// [`Error::State`] if it cannot be written.
    pub(crate) fn keep(&self, data: &Path, lease: LeaseId) -> Result<(), Error> {
        let kept = Kept {
            sponsor: HEXLOWER.encode(&self.sponsor.to_bytes()),
            relay: HEXLOWER.encode(&self.relay.0),
            addresses: self.addresses.clone(),
        };
        let path = path(data, lease);
        fs::create_dir_all(data.join(FOLDER))?;
        let text = serde_json::to_vec(&kept).expect("it is plain data with text keys");
        write_private(&path, &text)
    }

    /// The one of a lease.
    ///
    /// # Errors
    /// [`Why::NoRelay`] if it is not kept here.
    pub(crate) fn of(data: &Path, lease: LeaseId) -> Result<Self, Failure> {
        let text = fs::read(path(data, lease)).map_err(|_| not_here(lease))?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|_| not_here(lease))?;
        let parts = bytes(&kept.sponsor).zip(bytes(&kept.relay));
        let (sponsor, relay) = parts.ok_or_else(|| not_here(lease))?;
        Ok(Self {
            sponsor: SecretKey::from_bytes(&sponsor),
            relay: PeerId(relay),
            addresses: kept.addresses,
        })
    }
}

/// Drops those of relays that run no longer.
pub(crate) fn tidy(data: &Path, book: &Book) {
    let entries = fs::read_dir(data.join(FOLDER)).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().into_string().unwrap_or_default();
        let lease = name.strip_suffix(".json").and_then(|lease| lease.parse().ok());
        let account = lease.and_then(|lease: LeaseId| book.account(lease));
        let runs = account.is_some_and(|account| {
            account.open().is_some() && account.lease.ends > banyan_cloud::clock::now()
        });
        if !runs {
            // The next one to look tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn bytes<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn path(data: &Path, lease: LeaseId) -> PathBuf {
    data.join(FOLDER).join(format!("{lease}.json"))
}

fn not_here(lease: LeaseId) -> Failure {
    Failure::new(
        Why::NoRelay,
        format!(
            "the key of the sponsor of relay {lease} is not kept here; a relay obeys whoever launched it, from the same machine"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_cloud::ledger::Ledger;
    use std::os::unix::fs::PermissionsExt;

    const LEASE: LeaseId = LeaseId([7; 16]);

    #[test]
    fn it_is_kept_from_everybody_else_and_goes_with_the_relay() {
        let data = std::env::temp_dir().join(format!("banyan-rein-{}", std::process::id()));
        let rein = Rein {
            sponsor: SecretKey::from_bytes(&[1; 32]),
            relay: PeerId([2; 16]),
            addresses: vec!["203.0.113.2:4600".parse().unwrap()],
        };
        rein.keep(&data, LEASE).unwrap();
        let read = Rein::of(&data, LEASE).unwrap();
        assert_eq!(read.sponsor.to_bytes(), rein.sponsor.to_bytes());
        assert_eq!((read.relay, read.addresses), (rein.relay, rein.addresses));
        let mode = fs::metadata(path(&data, LEASE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        tidy(&data, &Ledger::open(&data).unwrap().book().unwrap());
        assert_eq!(Rein::of(&data, LEASE).err().unwrap().why, Why::NoRelay);
        fs::remove_dir_all(&data).unwrap();
    }
}
