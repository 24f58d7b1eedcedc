//! Reading boot data: one JSON object of at most 4 KiB, of which every word must be understood.

use banyan_protocol::role::relay::boot::{BOOT_DATA_MAX, Boot};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Boot data that tell this relay nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file cannot be read.
    #[error("the boot data in {} cannot be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is more than any relay is told.
    #[error("the boot data are longer than {BOOT_DATA_MAX} bytes: they are not a relay's")]
    TooLong,
    /// They are no boot data, or not those of this version. The error quotes no secret.
    #[error("the boot data are damaged, or not for this relay: {0}")]
    Damaged(#[from] serde_json::Error),
}

/// The boot data in the file at `path`.
///
/// # Errors
/// If it cannot be read, or holds anything else.
pub fn read(path: &Path) -> Result<Boot, Unreadable> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| {
        let mut bounded = file.take(BOOT_DATA_MAX as u64 + 1);
        bounded.read_to_end(&mut text)
    });
    read.map_err(|source| Unreadable::File {
        path: path.to_owned(),
        source,
    })?;
    parse(&text)
}

/// The boot data in `text`.
///
/// # Errors
/// If it is longer than [`BOOT_DATA_MAX`], or anything else.
pub fn parse(text: &[u8]) -> Result<Boot, Unreadable> {
    if text.len() > BOOT_DATA_MAX {
        return Err(Unreadable::TooLong);
    }
    Ok(serde_json::from_slice(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::id::PublicKey;

    const SECRET: &str = "03030303030303030303030303030303";

    /// What a sponsor's client writes.
    fn text() -> String {
        include_str!("../../protocol/tests/golden/boot-data.json")
            .trim()
            .to_owned()
    }

    fn refused(text: &str) -> String {
        let sentence = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(
            !sentence.contains('\n') && !sentence.contains(SECRET),
            "{sentence}"
        );
        sentence
    }

    #[test]
    fn what_a_sponsor_writes_is_understood() {
        let boot = parse(text().as_bytes()).unwrap();
        assert_eq!(boot.sponsor.0, PublicKey([2; 32]));
        assert_eq!((boot.lease.bytes, boot.uplink_bps), (11_000_000_000, None));
        assert_eq!(boot.listen.port(), 4600);
    }

    #[test]
    fn what_is_missing_is_named() {
        for key in ["banyan", "channel", "sponsor", "lease", "enrol", "listen"] {
            let renamed = text().replacen(&format!("\"{key}\""), "\"other\"", 1);
            let without = refused(&renamed.replacen("\"other\"", "\"uplink_bps\"", 1).replacen(
                ",\"uplink_bps\":null",
                "",
                1,
            ));
            assert!(
                without.contains(key) || without.contains("invalid type"),
                "{key}: {without}"
            );
        }
        for (part, name) in [
            (r#","ends":1800003600"#, "ends"),
            (r#","until":1800000600"#, "until"),
        ] {
            assert!(refused(&text().replace(part, "")).contains(name));
        }
    }

    #[test]
    fn what_is_unknown_is_refused_at_every_depth() {
        for (place, with) in [
            ("{\"banyan\"", "{\"aws_key\":1,\"banyan\""),
            ("{\"id\"", "{\"aws_key\":1,\"id\""),
            ("{\"secret\"", "{\"aws_key\":1,\"secret\""),
        ] {
            let sentence = refused(&text().replace(place, with));
            assert!(sentence.contains("aws_key"), "{sentence}");
        }
    }

    #[test]
    fn what_is_damaged_is_said_to_be() {
        for damaged in ["", "{", "null", "[]", "#!/bin/sh\n", "{\"banyan\":1}", "\u{fffd}"] {
            assert!(refused(damaged).contains("damaged"), "{damaged:?}");
        }
        for cut in 1..text().len() {
            refused(&text()[..cut]);
        }
        refused(&format!("{} {{}}", text()));
        let longer = format!("{}{}", text(), " ".repeat(BOOT_DATA_MAX));
        assert!(refused(&longer).contains("4096 bytes"));
    }

    #[test]
    fn another_version_is_told_as_such() {
        let sentence = refused(&text().replace("\"banyan\":1", "\"banyan\":2"));
        assert!(
            sentence.contains("version 2") && sentence.contains("version 1"),
            "{sentence}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let sentence = read(Path::new("/nonexistent/boot.json")).unwrap_err().to_string();
        assert!(sentence.contains("/nonexistent/boot.json"), "{sentence}");
    }
}
