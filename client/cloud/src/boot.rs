//! A relay's boot data as text.

use crate::failure::{Failure, Why};
use banyan_protocol::role::relay::boot::{BOOT_DATA_MAX, Boot};

/// The boot data as the relay reads them: one line of JSON.
///
/// # Errors
/// [`Why::BootData`] if they are larger than a relay takes.
pub fn text(boot: &Boot) -> Result<String, Failure> {
    let text = serde_json::to_string(boot).expect("boot data are plain data with text keys");
    if text.len() > BOOT_DATA_MAX {
        return Err(Failure::new(
            Why::BootData,
            format!(
                "the relay's boot data have {} bytes, and {BOOT_DATA_MAX} is the limit: this is a bug, please report it",
                text.len()
            ),
        ));
    }
    Ok(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use banyan_protocol::id::PublicKey;
    use banyan_protocol::role::relay::boot::{Enrol, EnrolSecret, Key, Version};
    use banyan_protocol::time::Utc;
    use banyan_protocol::wire::lease::{Lease, LeaseId};

    pub(crate) fn boot() -> Boot {
        Boot {
            version: Version,
            channel: Key(PublicKey([1; 32])),
            sponsor: Key(PublicKey([2; 32])),
            lease: lease(),
            enrol: Enrol {
                secret: EnrolSecret([3; 16]),
                until: Utc::from_secs(1_800_000_600),
            },
            listen: "[::]:4600".parse().unwrap(),
            uplink_bps: None,
        }
    }

    pub(crate) fn lease() -> Lease {
        Lease {
            id: LeaseId([4; 16]),
            ends: Utc::from_secs(1_800_003_600),
            bytes: 11_000_000_000,
        }
    }

    #[test]
    fn boot_data_are_as_the_relay_reads_them() {
        let read = include_str!("../../../protocol/tests/golden/boot-data.json");
        assert_eq!(text(&boot()).unwrap(), read.trim());
    }

    #[test]
    fn the_secret_is_not_shown() {
        let boot = boot();
        let shown = format!("{boot:?}");
        assert!(!shown.contains("0303") && !shown.contains("3, 3"), "{shown}");
        let wrong = serde_json::from_str::<EnrolSecret>("\"5ec3e7\"").unwrap_err();
        assert!(!wrong.to_string().contains("5ec3e7"), "{wrong}");
    }

    #[test]
    fn what_is_read_is_what_was_written_and_nothing_else_is_taken() {
        let text = text(&boot()).unwrap();
        assert_eq!(serde_json::from_str::<Boot>(&text).unwrap(), boot());
        let refused = |text: String| serde_json::from_str::<Boot>(&text).unwrap_err().to_string();
        let unknown = refused(text.replacen('{', r#"{"aws_key":"x","#, 1));
        assert!(unknown.contains("aws_key"), "{unknown}");
        let missing = refused(text.replace(r#","listen":"[::]:4600""#, ""));
        assert!(missing.contains("listen"), "{missing}");
        let newer = refused(text.replace(r#""banyan":1"#, r#""banyan":2"#));
        assert!(newer.contains("version 2"), "{newer}");
    }
}
