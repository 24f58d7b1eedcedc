//! The ledger: what was launched, written down before it is. Whatever fails, and whoever is killed, it says what may be
//! running and costing money.
//!
//! A file of JSON lines in the data folder that is only ever appended to. Each line is on the disk before what it
//! announces is done. Several processes may write to it at once.

mod book;
mod entry;

pub use book::{Account, Attempt, Book, State};
pub use entry::{Entry, InstallId, Token};

use crate::failure::{Failure, Why};
use banyan_protocol::time::Utc;
use entry::Line;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file's name in the data folder.
const FILE: &str = "relays.ledger";

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    install: InstallId,
}

impl Ledger {
    /// Whether there is one in the data folder: else nothing was ever launched.
    pub fn is_there(data: &Path) -> bool {
        data.join(FILE).exists()
    }

    /// Opens the ledger in the data folder, or begins one.
    ///
    /// # Errors
    /// [`Why::Ledger`] if it cannot be read or written: then nothing may be launched.
    pub fn open(data: &Path) -> Result<Self, Failure> {
        let path = data.join(FILE);
        Self::open_file(&path).map_err(|error| broken(&path, &error))
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        // A new file's name is on the disk when its folder is.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        file.lock()?;
        let install = install(&file);
        file.unlock()?;
        Ok(Self {
            path: path.to_path_buf(),
            install: install?,
            file,
        })
    }

    /// Which installation this is: in the tags of all it launches.
    pub fn install(&self) -> InstallId {
        self.install
    }

    /// Writes an entry, and returns when the disk has it.
    ///
    /// # Errors
    /// [`Why::Ledger`]; what the entry announces must not be done then.
    pub fn write(&self, entry: &Entry) -> Result<(), Failure> {
        self.file
            .lock()
            .and_then(|()| append(&self.file, entry))
            .and_then(|()| self.file.unlock())
            .map_err(|error| broken(&self.path, &error))
    }

    /// What all entries so far amount to.
    ///
    /// # Errors
    /// [`Why::Ledger`] if they cannot be read.
    pub fn book(&self) -> Result<Book, Failure> {
        let text = read(&self.file).map_err(|error| broken(&self.path, &error))?;
        Ok(Book::of(lines(&text)))
    }
}

fn broken(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Why::Ledger,
        format!(
            "{}: the ledger of relays cannot be used: {error}; nothing is launched without it",
            path.display()
        ),
    )
}

/// The installation's id, from the first line that has one, or a new one.
fn install(file: &File) -> io::Result<InstallId> {
    let text = read(file)?;
    let found = lines(&text).find_map(|(_, entry)| match entry {
        Entry::Install { install } => Some(install),
        _ => None,
    });
    match found {
        Some(install) => Ok(install),
        None => {
            let install = InstallId::random();
            append(file, &Entry::Install { install })?;
            Ok(install)
        }
    }
}

/// Appends a line; behind a torn one on a line of its own.
fn append(mut file: &File, entry: &Entry) -> io::Result<()> {
    let line = Line {
        t: crate::clock::now(),
        entry: entry.clone(),
    };
    let mut text = serde_json::to_string(&line).expect("entries are plain data with text keys");
    if is_torn(file)? {
        text.insert(0, '\n');
    }
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Whether the last line has no end: the power went while it was written.
fn is_torn(mut file: &File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn read(mut file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The entries; what is none is left out. A torn line announced something that was then not done.
fn lines(text: &str) -> impl Iterator<Item = (Utc, Entry)> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.filter_map(|line| match serde_json::from_str::<Line>(line) {
        Ok(line) => Some((line.t, line.entry)),
        Err(error) => {
            tracing::debug!(%error, "a line of the ledger is torn or unknown");
            None
        }
    })
}

#[cfg(test)]
mod tests;
