//! A broadcaster's channel on disk: its key, the newest epoch, and the join secret, each in a file beside the other.

use crate::error::Error;
use banyan_protocol::id::SecretKey;
use banyan_protocol::wire::link::JoinSecret;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file's name in the data folder, unless `--channel-key` names one.
pub(crate) const KEY_FILE: &str = "channel.key";

/// A channel that this process alone broadcasts.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Its key.
    pub(crate) key: Arc<SecretKey>,
    /// This run: greater than that of every earlier run.
    pub(crate) epoch: u64,
    /// What viewers of the private channel must know.
    pub(crate) secret: Option<JoinSecret>,
    /// Held as long as the channel is; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Channel {
    /// Opens the channel whose key is at `path`, or makes a new one there, and begins its next epoch.
    ///
    /// # Errors
    /// [`Error::State`] if another process broadcasts it, or a file cannot be read or written.
    pub(crate) fn open(path: &Path, private: bool) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| state(folder, error))?;
        }
        let lock = lock(&beside(path, "lock"))?;
        let key = banyan_peer::identity::load_or_create(path).map_err(|error| Error::State {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            key: Arc::new(key),
            epoch: next_epoch(&beside(path, "epoch"), unix_seconds())?,
            secret: private.then(|| secret(&beside(path, "secret"))).transpose()?,
            _lock: lock,
        })
    }
}

/// `channel.key` → `channel.key.epoch`
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

fn lock(path: &Path) -> Result<File, Error> {
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = open.map_err(|error| state(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(state(path, error)),
        Err(TryLockError::WouldBlock) => Err(Error::State {
            path: path.into(),
            reason:
                "this channel is on the air already; for a second one name another key with --channel-key"
                    .into(),
        }),
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The seconds of the day's clock, so that a lost file does no harm; but more than the last, so that a clock set back
/// does none either.
fn next_epoch(path: &Path, now: u64) -> Result<u64, Error> {
    let last = match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse().unwrap_or(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(state(path, error)),
    };
    let epoch = now.max(last + 1);
    write_private(path, format!("{epoch}\n").as_bytes())?;
    Ok(epoch)
}

/// The secret stays the same from run to run, so that links stay good.
fn secret(path: &Path) -> Result<JoinSecret, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let value = u128::from_str_radix(text.trim(), 16).map_err(|_| Error::State {
                path: path.into(),
                reason: "this is no join secret; remove the file, and hand out the new link".into(),
            })?;
            Ok(JoinSecret(value.to_be_bytes()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).expect("the system has random numbers");
            let text = format!("{:032x}\n", u128::from_be_bytes(bytes));
            write_private(path, text.as_bytes())?;
            Ok(JoinSecret(bytes))
        }
        Err(error) => Err(state(path, error)),
    }
}

/// Writes a file that its owner alone can read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fresh = beside(path, "new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || -> std::io::Result<()> {
        let mut file = options.open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().map_err(|error| state(path, error))
}

fn state(path: &Path, error: std::io::Error) -> Error {
    Error::State {
        path: path.into(),
        reason: format!("cannot be used: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("banyan-channel-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_channel_keeps_its_key_and_secret_and_grows_its_epoch() {
        let folder = folder("keeps");
        let path = folder.join(KEY_FILE);
        let first = Channel::open(&path, true).unwrap();
        let (id, epoch, secret) = (first.key.public(), first.epoch, first.secret);
        drop(first);
        let second = Channel::open(&path, true).unwrap();
        assert_eq!(second.key.public(), id);
        assert_eq!(second.secret, secret);
        assert!(secret.is_some() && second.epoch > epoch);
        for file in ["channel.key", "channel.key.secret"] {
            let mode = folder.join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_epoch_grows_when_the_clock_does_not() {
        let folder = folder("epoch");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("epoch");
        assert_eq!(next_epoch(&path, 1000).unwrap(), 1000);
        assert_eq!(next_epoch(&path, 900).unwrap(), 1001);
        assert_eq!(next_epoch(&path, 2000).unwrap(), 2000);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_channel_has_one_broadcaster() {
        let folder = folder("one");
        let path = folder.join(KEY_FILE);
        let first = Channel::open(&path, false).unwrap();
        let second = Channel::open(&path, false).unwrap_err();
        assert!(second.to_string().contains("on the air already"), "{second}");
        assert!(first.secret.is_none());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
