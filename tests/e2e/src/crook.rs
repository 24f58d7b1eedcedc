//! Somebody whose relays cheat: the real client, beside a relay's program that is not the one we ship.

use crate::program::argument;
use crate::stage::{Stage, built};
use anyhow::Result;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

/// A `banyan` beside which the program called `banyan-relay` is one of `conduct`.
///
/// A client starts the relay that is beside itself, so it is the same file under another name.
pub fn beside(stage: &Stage, conduct: &str) -> Result<String> {
    let folder = stage.path(conduct);
    fs::create_dir(&folder)?;
    let banyan = folder.join("banyan");
    fs::hard_link(built("banyan")?, &banyan)?;
    let mut relay = File::create_new(folder.join("banyan-relay"))?;
    let crooked = built("crooked-relay")?;
    writeln!(relay, "#!/bin/sh\nexec '{crooked}' {conduct} \"$@\"")?;
    relay.set_permissions(Permissions::from_mode(0o755))?;
    Ok(argument(&banyan))
}
