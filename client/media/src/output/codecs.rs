//! What browsers call a codec (RFC 6381, ISO/IEC 14496-15 annex E).

use crate::ingest::annexb;
use banyan_protocol::media::{Codec, Track};

/// The names of all tracks, separated by commas.
pub(crate) fn names(tracks: &[Track]) -> String {
    let names: Vec<_> = tracks.iter().map(name).collect();
    names.join(",")
}

fn name(track: &Track) -> String {
    match track.codec {
        Codec::H264 => h264(&track.setup),
        Codec::H265 => h265(&track.setup),
        Codec::Aac => aac(&track.setup),
    }
}

/// Profile, constraints and level are the three bytes behind the header of the sequence parameter set.
fn h264(setup: &[u8]) -> String {
    let set = annexb::units(setup).find(|unit| unit.len() > 3 && unit[0] & 0x1f == 7);
    match set {
        Some(set) => format!("avc1.{:02x}{:02x}{:02x}", set[1], set[2], set[3]),
        None => "avc1.640028".into(),
    }
}

/// Profile, compatibility (backwards), tier and level, and constraints, from the sequence parameter set.
fn h265(setup: &[u8]) -> String {
    let set = annexb::units(setup).find(|unit| unit.len() > 14 && (unit[0] >> 1) & 0x3f == 33);
    let Some(set) = set.map(unescaped).filter(|set| set.len() > 14) else {
        return "hvc1.1.6.L120.B0".into();
    };
    let general = &set[3..15];
    let space = ["", "A", "B", "C"][usize::from(general[0] >> 6)];
    let tier = if general[0] & 0x20 == 0 { 'L' } else { 'H' };
    let profile = general[0] & 0x1f;
    let compatible = u32::from_be_bytes([general[1], general[2], general[3], general[4]]);
    let constraints = &general[5..11];
    let used = constraints
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    let mut name = format!(
        "hvc1.{space}{profile}.{:X}.{tier}{}",
        compatible.reverse_bits(),
        general[11]
    );
    for byte in &constraints[..used] {
        name += &format!(".{byte:X}");
    }
    name
}

/// Without the bytes that keep start codes from appearing inside.
fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

/// The object type is the first five bits.
fn aac(setup: &[u8]) -> String {
    let object = setup.first().map_or(2, |byte| byte >> 3);
    format!("mp4a.40.{object}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_setup() {
        assert_eq!(h264(&[0, 0, 0, 1, 0x67, 0x4d, 0x40, 0x1e, 0xda]), "avc1.4d401e");
        assert_eq!(aac(&[0x11, 0x88]), "mp4a.40.2");
    }

    #[test]
    fn h265_is_unescaped_first() {
        let set = [
            0, 0, 0, 1, 0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x5d, 0xa0,
        ];
        assert_eq!(h265(&set), "hvc1.1.6.L93.90");
    }
}
