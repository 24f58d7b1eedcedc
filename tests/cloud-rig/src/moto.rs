//! moto's server, as a process.

use anyhow::{Context, Result, bail, ensure};
use axum::http::StatusCode;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The one header that moto looks at, for what the rig itself asks: it says for which service and region a request is.
pub(crate) const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=rig/20260101/eu-central-1/ec2/aws4_request";

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
        open_account(address).await?;
        Ok(Self {
            _child: child,
            address,
        })
    }
}

/// Its first request makes moto load what EC2 has, all images and machine types, which takes it seconds: that is its own
/// start, and no part of a launch.
async fn open_account(moto: SocketAddr) -> Result<()> {
    let (status, text) = post(moto, SIGNED, b"Action=DescribeSubnets&Version=2016-11-15").await?;
    ensure!(status == StatusCode::OK, "moto has no EC2: {text}");
    Ok(())
}

/// To moto and back: the status and the document.
pub(crate) async fn post(moto: SocketAddr, authorization: &str, body: &[u8]) -> Result<(StatusCode, String)> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {moto}\r\nAuthorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(moto).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, text) = answer
        .split_once("\r\n\r\n")
        .context("moto's answer has no body")?;
    let status = head.split(' ').nth(1).context("moto's answer has no status")?;
    Ok((status.parse()?, text.to_owned()))
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
