//! User data for a machine that boots Debian's image: a script that makes it a relay.

use super::image::Release;
use crate::failure::{Failure, Why};
use banyan_protocol::role::relay::boot::Boot;

/// EC2 takes no more, before it is encoded.
const USER_DATA_MAX: usize = 16 * 1024;

const SCRIPT: &str = include_str!("debian.sh");

/// The scripts that every relay's machine has, by name: our image has them as files.
const PARTS: [(&str, &str); 4] = [
    (
        "lib.sh",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/lib.sh"),
    ),
    (
        "lease",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/lease"),
    ),
    (
        "rules",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/rules"),
    ),
    (
        "user-data",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/user-data"),
    ),
];

/// The script for these boot data, of which `data` is the text.
///
/// # Errors
/// [`Why::Image`] if the release is not one that may stand in a script, [`Why::BootData`] if the script is too long.
pub(crate) fn debian(data: &str, release: &Release, boot: &Boot) -> Result<String, Failure> {
    check(release)?;
    let script = SCRIPT
        .replace("@SCRIPTS@", &parts())
        .replace("@BYTES@", &boot.lease.bytes.to_string())
        .replace("@PORT@", &boot.listen.port().to_string())
        .replace("@URL@", &release.url)
        .replace("@SHA256@", &release.sha256)
        .replace("@BOOT@", data);
    bounded(script)
}

fn bounded(script: String) -> Result<String, Failure> {
    if script.len() > USER_DATA_MAX {
        return Err(Failure::new(
            Why::BootData,
            format!(
                "the relay's user data have {} bytes, and EC2 takes {USER_DATA_MAX}: this is a bug, please report it",
                script.len()
            ),
        ));
    }
    Ok(script)
}

/// What an image is made of besides the relay: `install.sh`, and the files of `relay-image/rootfs`.
const IMAGE: [(&str, &str); 14] = [
    (
        "install.sh",
        include_str!("../../../../packer/scripts/install.sh"),
    ),
    (
        "rootfs/etc/sysctl.d/90-banyan.conf",
        include_str!("../../../../relay-image/rootfs/etc/sysctl.d/90-banyan.conf"),
    ),
    (
        "rootfs/etc/systemd/journald.conf.d/banyan.conf",
        include_str!("../../../../relay-image/rootfs/etc/systemd/journald.conf.d/banyan.conf"),
    ),
    (
        "rootfs/etc/systemd/network/20-banyan.network",
        include_str!("../../../../relay-image/rootfs/etc/systemd/network/20-banyan.network"),
    ),
    (
        "rootfs/etc/systemd/system/banyan-boot.service",
        include_str!("../../../../relay-image/rootfs/etc/systemd/system/banyan-boot.service"),
    ),
    (
        "rootfs/etc/systemd/system/banyan-lease.service",
        include_str!("../../../../relay-image/rootfs/etc/systemd/system/banyan-lease.service"),
    ),
    (
        "rootfs/etc/systemd/system/banyan-lease.timer",
        include_str!("../../../../relay-image/rootfs/etc/systemd/system/banyan-lease.timer"),
    ),
    (
        "rootfs/etc/systemd/system/banyan-relay.service",
        include_str!("../../../../relay-image/rootfs/etc/systemd/system/banyan-relay.service"),
    ),
    (
        "rootfs/etc/systemd/timesyncd.conf.d/banyan.conf",
        include_str!("../../../../relay-image/rootfs/etc/systemd/timesyncd.conf.d/banyan.conf"),
    ),
    (
        "rootfs/usr/lib/banyan/boot",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/boot"),
    ),
    (
        "rootfs/usr/lib/banyan/lease",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/lease"),
    ),
    (
        "rootfs/usr/lib/banyan/lib.sh",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/lib.sh"),
    ),
    (
        "rootfs/usr/lib/banyan/rules",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/rules"),
    ),
    (
        "rootfs/usr/lib/banyan/user-data",
        include_str!("../../../../relay-image/rootfs/usr/lib/banyan/user-data"),
    ),
];

const BUILDER: &str = include_str!("builder.sh");

/// The script for a machine whose disk is to become an image.
///
/// # Errors
/// As [`debian`].
pub(crate) fn builder(release: &Release) -> Result<String, Failure> {
    check(release)?;
    let write = |(name, text): &(&str, &str)| {
        let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
        format!("mkdir -p {folder}\ncat > {name} << 'BANYAN_FILE'\n{text}BANYAN_FILE\n")
    };
    let files: String = IMAGE.iter().map(write).collect();
    let script = BUILDER
        .replace("@FILES@", &files)
        .replace("@URL@", &release.url)
        .replace("@SHA256@", &release.sha256);
    bounded(script)
}

/// Writes the scripts where our image has them.
fn parts() -> String {
    let write = |(name, text): &(&str, &str)| {
        format!(
            "cat > /usr/lib/banyan/{name} << 'BANYAN_SCRIPT'\n{text}BANYAN_SCRIPT\nchmod 0755 /usr/lib/banyan/{name}\n"
        )
    };
    PARTS.iter().map(write).collect()
}

/// Letters that mean nothing to a shell within quotes, and a digest that is one.
fn check(release: &Release) -> Result<(), Failure> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~/:%?&=+".contains(letter);
    let url_is_good = release.url.starts_with("https://") && release.url.chars().all(plain);
    let digest_is_good = release.sha256.len() == 64
        && release
            .sha256
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if url_is_good && digest_is_good {
        return Ok(());
    }
    Err(Failure::new(
        Why::Image,
        "the released relay needs an https:// address without quotes or spaces, and a SHA-256 of 64 digits in lower case: correct [cloud] in the config file",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::tests::boot;

    fn release() -> Release {
        Release {
            architecture: "x86_64".into(),
            url: "https://example.org/v1/banyan-relay".into(),
            sha256: "ab".repeat(32),
        }
    }

    #[test]
    fn the_script_has_everything_filled_in() {
        let data = crate::boot::text(&boot()).unwrap();
        let script = debian(&data, &release(), &boot()).unwrap();
        assert!(script.starts_with("#!/bin/sh\n"));
        assert!(script.contains(&data) && script.contains("https://example.org/v1/banyan-relay"));
        assert!(
            script.contains("/usr/lib/banyan/rules 4600 11000000000 0"),
            "{script}"
        );
        for line in script.lines() {
            let filled = !line.contains("@BOOT@") && !line.contains("@URL@") && !line.contains("@PORT@");
            let filled = filled && !line.contains("@SCRIPTS@");
            assert!(
                filled && !line.contains("@BYTES@") && !line.contains("@SHA256@"),
                "{line}"
            );
        }
    }

    #[test]
    fn an_image_is_made_of_every_file_that_ours_has() {
        let script = builder(&release()).unwrap();
        for left in ["@FILES@", "@URL@", "@SHA256@"] {
            assert!(!script.contains(left), "{left} is not filled in");
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../relay-image/rootfs");
        let mut folders = vec![root.clone()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                assert!(
                    script.contains(&format!("cat > rootfs/{name} <<")),
                    "{name} is left out"
                );
                files += 1;
            }
        }
        assert_eq!(files + 1, IMAGE.len());
        assert_is_a_script(&script);
    }

    #[test]
    fn a_shell_can_read_it() {
        let data = crate::boot::text(&boot()).unwrap();
        assert_is_a_script(&debian(&data, &release(), &boot()).unwrap());
    }

    fn assert_is_a_script(script: &str) {
        let mut shell = std::process::Command::new("sh")
            .arg("-n")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, script.as_bytes()).unwrap();
        drop(input);
        assert!(shell.wait().unwrap().success());
    }

    #[test]
    fn nothing_gets_out_of_the_quotes() {
        for url in [
            "http://example.org/r",
            "https://x/'; rm -rf /; '",
            "https://x/$(id)",
            "https://x/a b",
        ] {
            let release = Release {
                url: url.into(),
                ..release()
            };
            assert_eq!(
                debian("{}", &release, &boot()).unwrap_err().why,
                Why::Image,
                "{url}"
            );
        }
        for sha256 in ["", "AB", &"AB".repeat(32), &"zz".repeat(32)] {
            let release = Release {
                sha256: sha256.into(),
                ..release()
            };
            assert_eq!(debian("{}", &release, &boot()).unwrap_err().why, Why::Image);
        }
    }

    #[test]
    fn user_data_that_are_too_large_are_refused_before_anything_is_asked() {
        let data = "x".repeat(USER_DATA_MAX);
        assert_eq!(debian(&data, &release(), &boot()).unwrap_err().why, Why::BootData);
    }
}
