//! Where one test plays: the right to make namespaces, the machine to itself, and a folder for what it leaves.

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// One test's stage. Only one is open at a time on a machine's build folder: timing is measured, so tests queue up.
pub struct Stage {
    folder: PathBuf,
    passed: bool,
    _turn: File,
}

impl Stage {
    /// Opens the stage of the test `name`, once it is free. Fails if the rig's needs are not met.
    pub fn open(name: &str) -> Result<Self> {
        check_needs()?;
        let root = build_folder()?.join("e2e");
        fs::create_dir_all(&root)?;
        let turn = File::create(root.join("turn"))?;
        flock(&turn, FlockOperation::LockExclusive)?;
        let folder = root.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            passed: false,
            _turn: turn,
        })
    }

    /// A file of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The test has passed: what it wrote goes. Without this it stays, for whoever looks for the reason.
    pub fn passed(mut self) {
        self.passed = true;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.passed {
            eprintln!(
                "rig: what the programs said and wrote is in {}",
                self.folder.display()
            );
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("rig: {} stays: {error}", self.folder.display());
        }
    }
}

/// The folder of the finished programs: the test's own is there, or in `deps` below.
pub fn build_folder() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program is in a folder")?;
    let is_deps = folder.file_name().is_some_and(|name| name == "deps");
    let folder = if is_deps {
        folder.parent().context("deps is in a folder")?
    } else {
        folder
    };
    Ok(folder.to_owned())
}

/// One of our own programs, built beside the tests.
pub fn built(name: &str) -> Result<String> {
    let path = build_folder()?.join(name);
    ensure!(
        path.exists(),
        "{} is not built: `cargo build --workspace` builds it, `cargo xtask test` does all",
        path.display()
    );
    Ok(crate::program::argument(&path))
}

fn check_needs() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "the end-to-end tests make network namespaces, which needs root: run `cargo xtask test`, which asks for sudo"
        );
    }
    for tool in [
        "ip", "bridge", "tc", "nft", "setpriv", "nsenter", "ffmpeg", "ffprobe",
    ] {
        ensure!(
            is_installed(tool),
            "the end-to-end tests need `{tool}`: `cargo xtask setup` installs it"
        );
    }
    Ok(())
}

/// Whether `tool` is on the search path, or where system tools are.
pub fn is_installed(tool: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .any(|folder| Path::new(&folder).join(tool).exists())
}
