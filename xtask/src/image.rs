//! The relay's machine: its files are looked at, and a disk for QEMU is made of them.
//!
//! Packer makes the same from the same files and script (`packer/relay.pkr.hcl`), where there is KVM or an account. Here Debian's
//! own tools do, as root, and nothing is booted.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// Where the disk, kernel and initial RAM disk are left.
const FOLDER: &str = "target/image";

/// The Debian that the disk holds: the oldest whose C library the relay that was built here runs with.
const DEBIAN: &str = "bookworm";

/// Beyond Debian's smallest.
const PACKAGES: &str =
    "linux-image-cloud-amd64,initramfs-tools,systemd-sysv,systemd-timesyncd,nftables,curl,e2fsprogs";

/// The disk's size: what is in it, and room for nothing.
const DISK: &str = "768M";

/// Looks at templates, units and scripts; those whose tool is not installed are named and left out.
pub(crate) fn check() -> Result<()> {
    let scripts = ["boot", "lease", "lib.sh", "rules", "user-data"].map(script);
    for script in scripts.iter().map(String::as_str).chain([INSTALL]) {
        shell::run(&mut shell::command(&["sh", "-n", script]))?;
    }
    if !shell::has(&["packer"]) {
        eprintln!("packer is not installed, so its template is left out: `apt-get install packer`");
        return Ok(());
    }
    // The digest of Debian's disk is Debian's to say, and is not asked for here.
    let offline = "debian_checksum=sha512:00";
    // Any file stands for the relay, which need not have been built.
    let relay = format!("relay={INSTALL}");
    shell::run(&mut shell::command(&[
        "packer",
        "validate",
        "-var",
        offline,
        "-var",
        &relay,
        "packer/relay.pkr.hcl",
    ]))
}

const INSTALL: &str = "packer/scripts/install.sh";

fn script(name: &str) -> String {
    format!("relay-image/rootfs/usr/lib/banyan/{name}")
}

/// Makes `target/image/relay.raw`, with its kernel and initial RAM disk beside it.
pub(crate) fn build() -> Result<()> {
    check()?;
    for tool in ["mmdebstrap", "mke2fs"] {
        ensure!(
            shell::has(&[tool]) || tool == "mke2fs",
            "{tool} is not installed: `apt-get install mmdebstrap e2fsprogs`"
        );
    }
    shell::run(&mut shell::cargo(&[
        "build",
        "--release",
        "--package",
        "banyan-relay",
    ]))?;
    let _ = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(FOLDER)?;
    shell::run(&mut shell::command(&[
        "strip",
        "-o",
        &format!("{FOLDER}/banyan-relay"),
        "target/release/banyan-relay",
    ]))?;
    bootstrap()?;
    kernel()?;
    disk()
}

/// Debian's smallest, and the relay's files and script in it.
fn bootstrap() -> Result<()> {
    let root = format!("{FOLDER}/root");
    let hooks = [
        format!("--customize-hook=copy-in relay-image/rootfs {INSTALL} {FOLDER}/banyan-relay /tmp"),
        "--customize-hook=chroot \"$1\" env BANYAN_IMAGE=build sh -eu /tmp/install.sh /tmp/rootfs /tmp/banyan-relay".to_owned(),
        "--customize-hook=rm \"$1/tmp/install.sh\"".to_owned(),
    ];
    let include = format!("--include={PACKAGES}");
    let mut words = shell::as_root()?.to_vec();
    words.extend(["mmdebstrap", "--variant=minbase", "--mode=root", &include]);
    words.extend(hooks.iter().map(String::as_str));
    words.extend([DEBIAN, &root]);
    shell::run(&mut shell::command(&words))
}

fn kernel() -> Result<()> {
    for (prefix, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        let boot = Path::new(FOLDER).join("root/boot");
        let names = fs::read_dir(&boot)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let found = names.filter(|name| name.starts_with(prefix)).max();
        let found = found.with_context(|| format!("no {prefix}* in {}", boot.display()))?;
        fs::copy(boot.join(found), Path::new(FOLDER).join(name))?;
    }
    Ok(())
}

fn disk() -> Result<()> {
    let (root, disk) = (format!("{FOLDER}/root"), format!("{FOLDER}/relay.raw"));
    let mut words = shell::as_root()?.to_vec();
    words.extend([
        "mke2fs", "-q", "-t", "ext4", "-L", "banyan", "-d", &root, &disk, DISK,
    ]);
    shell::run(&mut shell::command(&words))?;
    eprintln!(
        "{disk}: boot it with -kernel {FOLDER}/vmlinuz -initrd {FOLDER}/initrd -append 'root=/dev/vda ro console=ttyS0'"
    );
    Ok(())
}
