//! Key files: 32 secret bytes as hexadecimal text, readable by their owner only.

use banyan_protocol::id::SecretKey;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// More than a key file holds: what is longer is some other file.
const FILE_MAX: u64 = 256;

/// What is wrong with a key file, in words for the person whose it is.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be made.
    #[error("cannot make the key file {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} is no key file: it must hold 64 hexadecimal digits", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("others may read the key file {0}; put it right with: chmod 600 {0}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

/// A new key, for a peer that needs to be nobody in particular.
///
/// # Panics
/// If the system has no random numbers.
pub fn generate() -> SecretKey {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random numbers");
    SecretKey::from_bytes(&bytes)
}

/// Reads the key in the file at `path`; if there is no file, makes a key and the file (mode 0600, whole or not at all).
///
/// # Errors
/// If the file cannot be read or made, holds something else, or may be read by others.
pub fn load_or_create(path: &Path) -> Result<SecretKey, KeyFileError> {
    match File::open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
        Err(source) => Err(KeyFileError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn load(path: &Path, file: File) -> Result<SecretKey, KeyFileError> {
    let read = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let no_key = || KeyFileError::NoKey {
        path: path.to_owned(),
    };
    let about = file.metadata().map_err(read)?;
    if !about.is_file() {
        return Err(no_key());
    }
    if is_exposed(&about) {
        return Err(KeyFileError::Exposed {
            path: path.to_owned(),
        });
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes).map_err(read)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| no_key())?;
    parse(text.trim()).ok_or_else(no_key)
}

#[cfg(unix)]
fn is_exposed(about: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &Metadata) -> bool {
    false
}

fn parse(text: &str) -> Option<SecretKey> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(SecretKey::from_bytes(&bytes))
}

/// Makes the file under another name first, then links it to its own: two programs that start at once get one key, and
/// nobody ever sees half a file.
fn create(path: &Path) -> Result<SecretKey, KeyFileError> {
    let key = generate();
    let new = path.with_extension(format!("new-{}", key.public()));
    let made = write_new(path, &new, &key);
    // Whatever became of it, the other name must go; that it may not exist is no second error.
    let _ = fs::remove_file(&new);
    match made {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load_or_create(path),
        Err(source) => Err(KeyFileError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

fn write_new(path: &Path, new: &Path, key: &SecretKey) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(new)?;
    let text: String = key.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::hard_link(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("banyan-key-{}", generate().public()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = Folder::new();
        let path = folder.0.join("deep/peer.key");
        let made = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap().public(), made.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = Folder::new();
        let path = folder.0.join("peer.key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load_or_create(&path), Err(KeyFileError::Exposed { .. })));
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        let folder = Folder::new();
        let path = folder.0.join("peer.key");
        for text in ["", "abc", &"x".repeat(64), &"ä".repeat(32), &"0".repeat(65)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(
                matches!(load_or_create(&path), Err(KeyFileError::NoKey { .. })),
                "{text}"
            );
        }
        assert!(matches!(
            load_or_create(&folder.0),
            Err(KeyFileError::NoKey { .. })
        ));
        assert!(matches!(
            load_or_create(&path.join("below")),
            Err(KeyFileError::Read { .. })
        ));
        assert!(matches!(
            load_or_create(Path::new("/proc/none/peer.key")),
            Err(KeyFileError::Create { .. })
        ));
    }
}
