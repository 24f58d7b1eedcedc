//! What a relay's program is made of.

use std::process::Command;

/// No part of FFmpeg decodes strangers' bytes in it, and nothing in it can open an account.
#[test]
fn no_ffmpeg_and_no_cloud_sdk() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "banyan-relay",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(
        names.contains(&"quinn") && names.contains(&"banyan-peer"),
        "{tree}"
    );
    for name in names {
        let foreign = [
            "aws",
            "ffmpeg",
            "hyper",
            "openssl",
            "banyan-cloud",
            "banyan-media",
        ];
        assert!(
            !foreign.iter().any(|word| name.starts_with(word)),
            "{name} is in the relay"
        );
    }
}
