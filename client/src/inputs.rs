//! What this machine has for a broadcast: cameras and tuners, and where a program on another machine finds it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Where Linux lists capture devices.
const DEVICES: &str = "/sys/class/video4linux";

/// A camera or a capture card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    /// What a broadcast's input is called with it.
    pub input: String,
    /// What people call it.
    pub name: String,
}

/// Cameras and capture cards that there are, in the system's order.
pub fn cameras() -> Vec<Camera> {
    cameras_in(Path::new(DEVICES))
}

fn cameras_in(devices: &Path) -> Vec<Camera> {
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    let camera = |entry: fs::DirEntry| {
        let name = fs::read_to_string(entry.path().join("name")).ok()?;
        Some(Camera {
            input: format!("/dev/{}", entry.file_name().to_str()?),
            name: name.trim().to_owned(),
        })
    };
    let mut cameras: Vec<Camera> = entries.filter_map(camera).collect();
    cameras.retain(|camera| camera.input.starts_with("/dev/video"));
    cameras.sort_by(|a, b| (a.input.len(), &a.input).cmp(&(b.input.len(), &b.input)));
    cameras
}

/// Where Linux lists TV tuners.
const TUNERS: &str = "/dev/dvb";

/// Numbers of the TV tuners that there are. They are no inputs: FFmpeg does not tune, a tuner program does.
pub fn tuners() -> Vec<u32> {
    tuners_in(Path::new(TUNERS))
}

fn tuners_in(devices: &Path) -> Vec<u32> {
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix("adapter")?.parse().ok();
    let mut tuners: Vec<u32> = entries.filter_map(number).collect();
    tuners.sort_unstable();
    tuners
}

/// A new passphrase for an input that listens for SRT: only who knows it can send.
///
/// # Panics
/// If the system has no random numbers.
pub fn passphrase() -> String {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    data_encoding::HEXLOWER.encode(&bytes)
}

/// Where programs on other machines reach this one, the best first.
pub fn reached_at() -> Vec<IpAddr> {
    // Of any port: that it listens at all addresses counts.
    let found = banyan_peer::candidates((Ipv4Addr::UNSPECIFIED, 1).into(), false);
    let found = found.into_iter().map(|address| address.ip());
    found.filter(|ip| !ip.is_loopback()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuners_are_listed_by_their_numbers() {
        let folder = std::env::temp_dir().join(format!("banyan-tuners-{}", std::process::id()));
        for device in ["adapter1", "adapter0", "by-path"] {
            fs::create_dir_all(folder.join(device)).unwrap();
        }
        assert_eq!(tuners_in(&folder), [0, 1]);
        fs::remove_dir_all(&folder).unwrap();
        assert!(tuners_in(&folder).is_empty());
    }

    #[test]
    fn a_passphrase_is_as_long_as_srt_wants_and_never_the_same() {
        let (one, other) = (passphrase(), passphrase());
        // FFmpeg and OBS take 10 to 79 letters.
        assert!(one.len() == 20 && one != other);
    }

    #[test]
    fn cameras_are_listed_in_order_and_radios_are_not() {
        let folder = std::env::temp_dir().join(format!("banyan-cameras-{}", std::process::id()));
        for (device, name) in [
            ("video10", "Capture\n"),
            ("video2", "Webcam\n"),
            ("radio0", "Tuner\n"),
        ] {
            fs::create_dir_all(folder.join(device)).unwrap();
            fs::write(folder.join(device).join("name"), name).unwrap();
        }
        let found = cameras_in(&folder);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|camera| (&*camera.input, &*camera.name))
            .collect();
        assert_eq!(found, [("/dev/video2", "Webcam"), ("/dev/video10", "Capture")]);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(cameras_in(&folder), []);
    }
}
