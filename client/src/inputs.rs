//! What this machine has for a broadcast: cameras, and where a program on another machine finds it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
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

/// Where programs on other machines reach a port of this one, the best first.
pub fn reached_at(port: u16) -> Vec<SocketAddr> {
    let mut found = banyan_peer::candidates((Ipv4Addr::UNSPECIFIED, port).into(), false);
    found.retain(|address| !address.ip().is_loopback());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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
