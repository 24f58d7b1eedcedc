//! A lease made longer, as the relay leaves it for the timer that ends its machine: the timer believes the sponsor alone, so the
//! note is the sponsor's own order. `relay (16 bytes) ‖ sealed order`.

use banyan_protocol::id::{Ed25519, PeerId};
use banyan_protocol::role::relay::boot::Boot;
use banyan_protocol::wire::lease::Lease;
use banyan_protocol::wire::order::{Numbered, Order};
use bytes::Bytes;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names the folder for the note; systemd does (`RuntimeDirectory=`). Without it nobody wants one.
const FOLDER_VARIABLE: &str = "RUNTIME_DIRECTORY";

/// The note's name there.
const NAME: &str = "extension";

/// No lease that the sponsor has signed.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not the sponsor's order to make this lease longer.
    #[error("the sponsor has not signed this extension of the lease")]
    Forged,
}

/// Where a relay notes the order that made its lease longer.
#[derive(Debug)]
pub struct Note {
    relay: PeerId,
    folder: Option<PathBuf>,
    kept: Option<Bytes>,
}

impl Note {
    /// The note of `relay`, in the folder that the environment names, if it does.
    pub fn of(relay: PeerId) -> Self {
        Self {
            relay,
            folder: std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from),
            kept: None,
        }
    }

    /// Writes `order` down, unless it is written already. A relay that cannot write it serves on: its machine ends when it always
    /// would have.
    pub fn keep(&mut self, order: Option<Bytes>) {
        let (Some(folder), Some(order)) = (&self.folder, order) else {
            return;
        };
        if self.kept.as_ref() == Some(&order) {
            return;
        }
        if let Err(error) = write(folder, &[&self.relay.0[..], &order].concat()) {
            tracing::warn!(%error, "the machine's timer is not told of the longer lease");
        }
        self.kept = Some(order);
    }
}

/// Whole or not at all.
fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let (new, path) = (folder.join("extension.new"), folder.join(NAME));
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

/// The lease in the note at `path`, if the sponsor in `boot` has signed it for the lease there.
///
/// # Errors
/// If it cannot be read, or was signed by somebody else, or for another lease.
pub fn read(boot: &Boot, path: &Path) -> Result<Lease, Unsigned> {
    let note = fs::read(path).map_err(|source| Unsigned::File {
        path: path.to_owned(),
        source,
    })?;
    open(boot, &note).ok_or(Unsigned::Forged)
}

fn open(boot: &Boot, note: &[u8]) -> Option<Lease> {
    let (relay, sealed) = note.split_first_chunk()?;
    let numbered = Numbered::open(sealed, &boot.sponsor.0, &PeerId(*relay), &Ed25519).ok()?;
    match numbered.order {
        Order::Extend(lease) if numbered.lease == boot.lease.id && lease.id == boot.lease.id => Some(lease),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::id::{PublicKey, SecretKey, Sign};
    use banyan_protocol::role::relay::boot::{Enrol, EnrolSecret, Key, Version};
    use banyan_protocol::time::Utc;
    use banyan_protocol::wire::lease::LeaseId;

    const RELAY: PeerId = PeerId([9; PeerId::LEN]);

    fn lease(id: u8, ends_s: u64) -> Lease {
        Lease {
            id: LeaseId([id; 16]),
            ends: Utc::from_secs(ends_s),
            bytes: 1_000,
        }
    }

    fn boot(sponsor: &SecretKey) -> Boot {
        Boot {
            version: Version,
            channel: Key(PublicKey([1; 32])),
            sponsor: Key(sponsor.public()),
            lease: lease(4, 1_000),
            enrol: Enrol {
                secret: EnrolSecret([3; 16]),
                until: Utc::from_secs(600),
            },
            listen: "[::]:4600".parse().unwrap(),
            uplink_bps: None,
        }
    }

    fn note(signer: &dyn Sign, of: u8, order: Order) -> Vec<u8> {
        let numbered = Numbered {
            lease: LeaseId([of; 16]),
            sequence: 1,
            order,
        };
        [&RELAY.0[..], &numbered.seal(signer, &RELAY)].concat()
    }

    #[test]
    fn the_sponsors_word_counts_for_its_lease_and_nobody_elses_does() {
        let (sponsor, stranger) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
        let (boot, longer) = (boot(&sponsor), lease(4, 2_000));
        assert_eq!(
            open(&boot, &note(&sponsor, 4, Order::Extend(longer))),
            Some(longer)
        );
        for other in [
            note(&stranger, 4, Order::Extend(longer)),
            note(&sponsor, 5, Order::Extend(lease(5, 2_000))),
            note(&sponsor, 4, Order::Extend(lease(5, 2_000))),
            note(&sponsor, 4, Order::Report),
            Vec::new(),
            vec![0; 200],
        ] {
            assert_eq!(open(&boot, &other), None);
        }
    }

    #[test]
    fn what_is_noted_is_read() {
        let folder = std::env::temp_dir().join(format!("banyan-relay-note-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let sponsor = SecretKey::from_bytes(&[1; 32]);
        let (boot, longer) = (boot(&sponsor), lease(4, 2_000));
        let sealed = Bytes::from(note(&sponsor, 4, Order::Extend(longer)).split_off(PeerId::LEN));
        let mut kept = Note {
            relay: RELAY,
            folder: Some(folder.clone()),
            kept: None,
        };
        kept.keep(None);
        assert!(matches!(
            read(&boot, &folder.join(NAME)),
            Err(Unsigned::File { .. })
        ));
        kept.keep(Some(sealed));
        assert_eq!(read(&boot, &folder.join(NAME)).unwrap(), longer);
        fs::remove_dir_all(&folder).unwrap();
    }
}
