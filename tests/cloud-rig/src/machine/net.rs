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

/// What has come from the machine of this number since [`count`], in wire bytes, Ethernet to QUIC.
///
/// # Errors
/// If it is not counted.
pub fn counted(number: u8) -> Result<u64> {
    let listed = run("nft", &format!("list counter inet rig {}", counter(number)))?;
    let after = |word: &str| {
        let mut words = listed.split_whitespace().skip_while(|other| *other != word);
        words.nth(1).and_then(|number| number.parse::<u64>().ok())
    };
    let (packets, bytes) = after("packets").zip(after("bytes")).context("nft counts both")?;
    Ok(bytes + ETHERNET * packets)
}

/// Counts what comes from the machine of this number from now on: in the kernel, each datagram by itself.
///
/// # Errors
/// If nftables is not installed.
pub fn count(number: u8) -> Result<()> {
    // Else many datagrams would pass as one, with one header.
    ip("link set dev lo gso_max_segs 1")?;
    let (name, from) = (counter(number), address(number));
    run("nft", "add table inet rig")?;
    run("nft", &format!("add counter inet rig {name}"))?;
    run(
        "nft",
        "add chain inet rig in { type filter hook input priority 0 ; }",
    )?;
    run(
        "nft",
        &format!("add rule inet rig in ip saddr {from} meta l4proto udp counter name {name}"),
    )?;
    Ok(())
}

/// The header that the kernel does not count.
const ETHERNET: u64 = 14;

fn counter(number: u8) -> String {
    format!("vm{number}")
}

/// The processes in this network that have this name.
pub fn processes(name: &str) -> Vec<u32> {
    let here = std::fs::read_link("/proc/thread-self/ns/net").ok();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one = |pid: &u32| {
        let named = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        named.trim() == name && std::fs::read_link(format!("/proc/{pid}/ns/net")).ok() == here
    };
    pids.filter(is_one).collect()
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
    run("ip", words).map(drop)
}

fn run(program: &str, words: &str) -> Result<String> {
    let output = Command::new(program).args(words.split(' ')).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {words}: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
