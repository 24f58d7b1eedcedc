//! Where the program keeps its files: the platform's folders for settings and for data.

use crate::error::Error;
use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};
use std::path::PathBuf;

/// The folders of this person.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The config file, there or not.
    pub config_file: PathBuf,
    /// Keys and what must outlive a run.
    pub data: PathBuf,
}

impl Folders {
    /// The platform's: on Linux `~/.config/banyan` and `~/.local/share/banyan`, or what XDG's variables say.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no home folder.
    pub fn find() -> Result<Self, Error> {
        let strategy = choose_app_strategy(AppStrategyArgs {
            top_level_domain: "org".into(),
            author: "Banyan".into(),
            app_name: "banyan".into(),
        });
        let strategy = strategy.map_err(|_| Error::Usage("there is no home folder: set HOME".into()))?;
        Ok(Self {
            config_file: strategy.config_dir().join("config.toml"),
            data: strategy.data_dir(),
        })
    }
}
