//! A machine that is the relay's process alone: nothing boots, and all else is as it would be.

use super::{Started, net};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Asks the metadata service from the machine's own address, as the relay does that is told nowhere else, and becomes it.
const SCRIPT: &str = r#"
exec 2>&1
ask() { curl --silent --show-error --fail --interface "$1" "$2" "$3" "$4" "$5" "http://169.254.169.254/latest/$6"; }
token=$(ask "$1" --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' api/token)
ask "$1" --request GET --header "X-aws-ec2-metadata-token: $token" user-data | sed "s/\[::\]/$1/" > "$3"
exec "$2" --config "$3"
"#;

/// Starts the relay of the machine of this number.
pub(super) fn start(relay: &Path, number: u8, file: &Path) -> Result<Started> {
    net::local(number)?;
    let config = file.with_extension("json");
    let mut child = Command::new("sh")
        .args(["-euc", SCRIPT, "sh", &net::address(number).to_string()])
        .args([relay, &config])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the relay")?;
    let console = Box::new(child.stdout.take().context("it is piped")?);
    let monitor = None;
    Ok(Started {
        child,
        console,
        monitor,
    })
}
