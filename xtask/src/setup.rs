//! What Banyan is built and tested with: FFmpeg's libraries and programs, the network tools, and moto.

use crate::{moto, shell};
use anyhow::Result;
use std::collections::BTreeSet;
use std::process::Command;

/// What a Debian or Ubuntu needs beside Rust.
const PACKAGES: &[&str] = &[
    "build-essential",
    "clang",
    "dbus",
    "ffmpeg",
    "iproute2",
    "libasound2-dev",
    "libavcodec-dev",
    "libavdevice-dev",
    "libavfilter-dev",
    "libavformat-dev",
    "libavutil-dev",
    "libclang-dev",
    "libswresample-dev",
    "libswscale-dev",
    "libxkbcommon-x11-0",
    "mesa-vulkan-drivers",
    "mpv",
    "nftables",
    "pkg-config",
    "procps",
    "python3-venv",
    "util-linux",
    "xclip",
    "xdotool",
    "xvfb",
];

/// Installs what is missing, after saying what that is; sudo is used only then.
pub(crate) fn run() -> Result<()> {
    packages(PACKAGES)?;
    moto::install()
}

/// Installs those of the Debian packages `wanted` that are missing, after saying which.
pub(crate) fn packages(wanted: &[&str]) -> Result<()> {
    let Some(installed) = installed(wanted)? else {
        eprintln!(
            "This is no Debian or Ubuntu. Banyan needs what these packages hold: {}",
            wanted.join(" ")
        );
        return Ok(());
    };
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|package| !installed.contains(*package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!(
        "These system packages are missing and will be installed: {}",
        missing.join(" ")
    );
    let as_root = shell::as_root()?;
    if !as_root.is_empty() {
        eprintln!("That needs root: sudo may ask for your password.");
    }
    apt(as_root, &["update"])?;
    let install = [
        &["install", "--yes", "--no-install-recommends"],
        missing.as_slice(),
    ];
    apt(as_root, &install.concat())
}

fn apt(as_root: &[&str], words: &[&str]) -> Result<()> {
    let command = [as_root, &["apt-get"], words].concat();
    shell::run(shell::command(&command).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Which of `wanted` are installed; `None` where there is no dpkg.
fn installed(wanted: &[&str]) -> Result<Option<BTreeSet<String>>> {
    if !shell::has(&["dpkg-query"]) || !shell::has(&["apt-get"]) {
        return Ok(None);
    }
    // It fails if it never heard of one of them, and still lists the others.
    let mut query = Command::new("dpkg-query");
    query
        .args(["-W", "-f", "${db:Status-Status} ${Package}\\n"])
        .args(wanted);
    Ok(Some(parse(&String::from_utf8_lossy(&query.output()?.stdout))))
}

fn parse(listed: &str) -> BTreeSet<String> {
    listed
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_is_installed_counts() {
        let listed = "installed ffmpeg\nnot-installed clang\nconfig-files nftables\ninstalled iproute2\n";
        assert_eq!(
            super::parse(listed).into_iter().collect::<Vec<_>>(),
            ["ffmpeg", "iproute2"]
        );
    }
}
