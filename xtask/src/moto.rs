//! moto, the EC2 of the cloud tests: a Python program in an environment of its own, outside target, so that cleaning
//! does not remove it.

use crate::shell;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// What is installed, exactly: tests are about one behaviour.
const PACKAGE: &str = "moto[ec2,server]==5.2.5";

/// Installs it unless it is there.
pub(crate) fn install() -> Result<()> {
    let folder = folder()?;
    let server = folder.join("bin/moto_server");
    let mark = folder.join("installed");
    if server.exists() && std::fs::read_to_string(&mark).is_ok_and(|text| text == PACKAGE) {
        return Ok(());
    }
    eprintln!(
        "The cloud tests need {PACKAGE}, which is installed into {}.",
        folder.display()
    );
    let path = folder.to_str().context("the cache folder's name is no text")?;
    shell::run(&mut shell::command(&["python3", "-m", "venv", "--clear", path]))?;
    let pip = format!("{path}/bin/pip");
    shell::run(&mut shell::command(&[&pip, "install", "--quiet", PACKAGE]))?;
    Ok(std::fs::write(mark, PACKAGE)?)
}

fn folder() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or_else(home).context("there is no home folder: set HOME")?;
    Ok(cache.join("banyan/moto"))
}
