//! A network of a test's own: a namespace with the loopback interface, EC2's metadata address, and a wire to each machine.

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use std::net::Ipv4Addr;
use std::process::Command;

/// Where machines find their user data.
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Where machines find everybody else.
pub const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// The address of the machine of this number, from 1.
pub(crate) fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, 1 + number)
}

/// Moves this thread, and what it starts from now on, into a new network. It is gone when the last of them is.
///
/// # Errors
/// If this is not root, or iproute2 is not installed.
pub fn enter() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace needs root")?;
    ip("link set lo up")?;
    ip(&format!("address add {METADATA}/32 dev lo"))?;
    ip(&format!("address add {HOST}/32 dev lo"))
}

/// Gives the machine of this number an address on this machine.
pub(crate) fn local(number: u8) -> Result<()> {
    ip(&format!("address replace {}/32 dev lo", address(number)))
}

/// Makes a wire to the machine of this number; its name.
pub(crate) fn wire(number: u8) -> Result<String> {
    let name = format!("vm{number}");
    ip(&format!("tuntap add dev {name} mode tap"))?;
    ip(&format!("link set {name} up"))?;
    ip(&format!("route add {}/32 dev {name} src {HOST}", address(number)))?;
    Ok(name)
}

fn ip(words: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(words.split(' '))
        .output()
        .context("cannot run ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {words}: {}", said.trim());
    Ok(())
}
