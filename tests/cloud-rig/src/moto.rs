//! moto's server, as a process.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running moto; ends when dropped.
#[derive(Debug)]
pub struct Moto {
    _child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Moto {
    /// Starts one at a free port, with an account that is empty but for the default networks.
    ///
    /// # Errors
    /// If it is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        let program = program()?;
        let mut child = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut lines = BufReader::new(child.stderr.take().context("it is piped")?).lines();
        let address = loop {
            let Some(line) = lines.next_line().await? else {
                bail!("moto ended without a word on where it listens");
            };
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().parse()?;
            }
        };
        // It writes a line a request, and would wait for whoever reads it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            _child: child,
            address,
        })
    }
}

/// `moto_server` where `cargo xtask setup` puts it, or where `BANYAN_MOTO_SERVER` says.
fn program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("BANYAN_MOTO_SERVER") {
        return Ok(named.into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or_else(home).context("there is no home folder: set HOME")?;
    let program = cache.join("banyan/moto/bin/moto_server");
    if !program.exists() {
        bail!(
            "{} is not there: run cargo xtask setup, which installs moto",
            program.display()
        );
    }
    Ok(program)
}
