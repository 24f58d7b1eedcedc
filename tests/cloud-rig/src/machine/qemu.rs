//! A machine that is a VM: QEMU in software, with the disk, kernel and initial RAM disk of `cargo xtask image`.

use super::{Started, dhcp, net};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

/// What the kernel is told. A processor that is computed on a busy machine is too slow for the check of its timer, which then
/// stops the boot.
const KERNEL: &str = "root=/dev/vda ro console=ttyS0 quiet no_timer_check panic=5";

/// Boots the machine of this number. Its disk is the image's, and what it writes there goes with it.
pub(super) fn start(image: &Path, number: u8, file: &Path) -> Result<Started> {
    let disk = image.join("relay.raw");
    ensure!(
        disk.exists(),
        "{} is not there: cargo xtask image",
        disk.display()
    );
    let wire = net::wire(number)?;
    dhcp::serve(&wire, number)?;
    let monitor = file.with_extension("monitor");
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args([
            "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512",
        ])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .arg("-kernel")
        .arg(image.join("vmlinuz"))
        .arg("-initrd")
        .arg(image.join("initrd"))
        .args(["-append", KERNEL])
        .arg("-drive")
        .arg(format!(
            "file={},format=raw,if=virtio,snapshot=on",
            disk.display()
        ))
        .args([
            "-netdev",
            &format!("tap,id=net,ifname={wire},script=no,downscript=no"),
        ])
        .args([
            "-device",
            &format!("virtio-net-pci,netdev=net,mac=52:54:00:00:00:{number:02x}"),
        ])
        .args(["-device", "virtio-rng-pci"])
        .args(["-serial", "stdio"])
        .arg("-qmp")
        .arg(format!("unix:{},server=on,wait=off", monitor.display()));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start qemu-system-x86_64: apt-get install qemu-system-x86")?;
    let console = Box::new(child.stdout.take().context("it is piped")?);
    let monitor = Some(monitor);
    Ok(Started {
        child,
        console,
        monitor,
    })
}

/// Resets the VM whose monitor that is.
pub(super) async fn reset(monitor: &Path) -> Result<()> {
    let (from, mut to) = UnixStream::connect(monitor).await?.into_split();
    let mut lines = BufReader::new(from).lines();
    // It greets, and answers each command.
    lines.next_line().await?.context("the monitor is silent")?;
    for command in ["qmp_capabilities", "system_reset"] {
        to.write_all(format!("{{\"execute\":\"{command}\"}}\n").as_bytes())
            .await?;
        let answer = lines.next_line().await?.context("the monitor is silent")?;
        ensure!(!answer.contains("error"), "{command}: {answer}");
    }
    Ok(())
}
