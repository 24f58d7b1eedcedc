//! What is kept between runs: settings and channels, in the platform's own folders.

use crate::model::{Channels, Settings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files.
#[derive(Clone, Debug)]
pub struct Store {
    settings: PathBuf,
    channels: PathBuf,
}

/// What was kept, and what is to be said about it.
#[derive(Debug, Default)]
pub struct Kept {
    /// Settings, or the usual ones.
    pub settings: Settings,
    /// Channels.
    pub channels: Channels,
    /// A sentence for each file that could not be read.
    pub complaints: Vec<String>,
}

impl Store {
    /// In the folder of settings and the folder of data.
    pub fn new(config: &Path, data: &Path) -> Self {
        Self {
            settings: config.join("tv.json"),
            channels: data.join("channels.json"),
        }
    }

    /// Reads all. A damaged file is kept aside, and the usual settings are used.
    pub fn load(&self) -> Kept {
        let mut complaints = Vec::new();
        let settings: Settings = read(&self.settings, &mut complaints);
        let channels = read(&self.channels, &mut complaints);
        Kept {
            settings: settings.in_range(),
            channels,
            complaints,
        }
    }

    /// Keeps the settings.
    ///
    /// # Errors
    /// If they cannot be written; what was kept before stays.
    pub fn keep_settings(&self, settings: &Settings) -> io::Result<()> {
        write(&self.settings, settings)
    }

    /// Keeps the channels.
    ///
    /// # Errors
    /// If they cannot be written; what was kept before stays.
    pub fn keep_channels(&self, channels: &Channels) -> io::Result<()> {
        write(&self.channels, channels)
    }
}

fn read<T: DeserializeOwned + Default>(path: &Path, complaints: &mut Vec<String>) -> T {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return T::default(),
        Err(error) => {
            complaints.push(format!(
                "{} cannot be read ({error}); the usual settings are used.",
                path.display()
            ));
            return T::default();
        }
    };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        complaints.push(set_aside(path, &error));
        T::default()
    })
}

/// Keeps a damaged file where a person can look at it.
fn set_aside(path: &Path, error: &serde_json::Error) -> String {
    let aside = path.with_extension("damaged");
    match fs::rename(path, &aside) {
        Ok(()) => format!(
            "{} is damaged ({error}); it was set aside as {}, and the usual settings are used.",
            path.display(),
            aside.display()
        ),
        Err(_) => format!(
            "{} is damaged ({error}); the usual settings are used.",
            path.display()
        ),
    }
}

/// Whole or not at all: a full disk leaves what was there.
fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_vec_pretty(value)?)?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> (Store, PathBuf) {
        let folder = std::env::temp_dir().join(format!("banyan-tv-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        (Store::new(&folder, &folder), folder)
    }

    #[test]
    fn what_is_kept_comes_back() {
        let (store, folder) = store("kept");
        let settings = Settings {
            scale: 1.5,
            muted: true,
            ..Settings::default()
        };
        store.keep_settings(&settings).unwrap();
        let kept = store.load();
        assert_eq!((kept.settings, kept.complaints.len()), (settings, 0));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_said() {
        let (store, folder) = store("damaged");
        fs::create_dir_all(&folder).unwrap();
        for damaged in ["{ \"scale\": ", "{ \"colour\": 3 }", "nonsense"] {
            fs::write(folder.join("tv.json"), damaged).unwrap();
            let kept = store.load();
            assert_eq!(kept.settings, Settings::default());
            assert!(kept.complaints[0].contains("set aside"), "{:?}", kept.complaints);
            assert_eq!(fs::read_to_string(folder.join("tv.damaged")).unwrap(), damaged);
            assert!(!folder.join("tv.json").exists());
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
