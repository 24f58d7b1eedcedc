//! The byte stream of H.264 and H.265: units behind start codes (ITU-T H.264 and H.265, Annex B).

use banyan_protocol::media::Codec;
use bytes::Bytes;

/// The units of a byte stream, without their start codes.
pub(crate) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let current = rest?;
        rest = after_start_code(current);
        let end = rest.map_or(current.len(), |next| current.len() - next.len() - 3);
        let unit = &current[..end];
        let zeros = unit.iter().rev().take_while(|&&byte| byte == 0).count();
        Some(&unit[..unit.len() - zeros])
    })
}

/// What follows the next start code.
fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    let at = stream.windows(3).position(|three| three == [0, 0, 1])?;
    Some(&stream[at + 3..])
}

/// What a unit is for, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Delimiter,
    ParameterSet,
    Other,
}

fn role(codec: Codec, unit: &[u8]) -> Role {
    let Some(&first) = unit.first() else {
        return Role::Other;
    };
    match (codec, first & 0x1f, (first >> 1) & 0x3f) {
        (Codec::H264, 9, _) | (Codec::H265, _, 35) => Role::Delimiter,
        (Codec::H264, 7 | 8, _) | (Codec::H265, _, 32..=34) => Role::ParameterSet,
        _ => Role::Other,
    }
}

/// The parameter sets of a byte stream, each behind a start code; empty if it has none.
pub(crate) fn parameter_sets(codec: Codec, stream: &[u8]) -> Vec<u8> {
    let mut sets = Vec::new();
    for unit in units(stream) {
        match role(codec, unit) {
            Role::ParameterSet => push(&mut sets, unit),
            Role::Delimiter => (),
            Role::Other if is_slice(codec, unit) => break,
            Role::Other => (),
        }
    }
    sets
}

/// The sequence parameter sets among parameter sets: what says how large the picture is.
pub(crate) fn sequence_sets(codec: Codec, sets: &[u8]) -> Vec<u8> {
    let is_sequence = |unit: &&[u8]| match (codec, unit.first()) {
        (Codec::H264, Some(first)) => first & 0x1f == 7,
        (_, Some(first)) => (first >> 1) & 0x3f == 33,
        _ => false,
    };
    let mut sequence = Vec::new();
    units(sets)
        .filter(is_sequence)
        .for_each(|unit| push(&mut sequence, unit));
    sequence
}

fn is_slice(codec: Codec, unit: &[u8]) -> bool {
    unit.first().is_some_and(|&first| match codec {
        Codec::H264 => matches!(first & 0x1f, 1..=5),
        _ => (first >> 1) & 0x3f < 32,
    })
}

fn push(stream: &mut Vec<u8>, unit: &[u8]) {
    stream.extend_from_slice(&[0, 0, 0, 1]);
    stream.extend_from_slice(unit);
}

/// A keyframe that begins with `setup`, behind its delimiter if it has one; as it is if it has parameter sets itself.
pub(crate) fn with_setup(codec: Codec, frame: &[u8], setup: &[u8]) -> Bytes {
    if !parameter_sets(codec, frame).is_empty() {
        return Bytes::copy_from_slice(frame);
    }
    let mut whole = Vec::with_capacity(frame.len() + setup.len() + 8);
    let mut rest = frame;
    if let Some(first) = units(frame)
        .next()
        .filter(|unit| role(codec, unit) == Role::Delimiter)
    {
        push(&mut whole, first);
        let behind = first.as_ptr_range().end as usize - frame.as_ptr() as usize;
        rest = &frame[behind..];
    }
    whole.extend_from_slice(setup);
    whole.extend_from_slice(rest);
    Bytes::from(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: &[u8] = &[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3];

    #[test]
    fn units_are_what_lies_between_start_codes() {
        let found: Vec<_> = units(&[0, 0, 0, 1, 9, 240, 0, 0, 1, 0x65, 7, 0, 0, 0, 1, 0x41]).collect();
        assert_eq!(found, [&[9, 240][..], &[0x65, 7], &[0x41]]);
        assert_eq!(units(b"none at all").count(), 0);
    }

    #[test]
    fn a_bare_keyframe_gets_the_setup_behind_its_delimiter() {
        let whole = with_setup(Codec::H264, &[0, 0, 0, 1, 9, 240, 0, 0, 1, 0x65, 7], SETUP);
        let found: Vec<_> = units(&whole).collect();
        assert_eq!(found, [&[9, 240][..], &[0x67, 1, 2], &[0x68, 3], &[0x65, 7]]);
        let bare = with_setup(Codec::H264, &[0, 0, 1, 0x65, 7], SETUP);
        assert_eq!(parameter_sets(Codec::H264, &bare), SETUP);
    }

    #[test]
    fn a_keyframe_with_parameter_sets_stays_as_it_is() {
        let own = [0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x65, 7];
        assert_eq!(with_setup(Codec::H264, &own, SETUP), &own[..]);
        assert_eq!(parameter_sets(Codec::H264, &own), [0, 0, 0, 1, 0x67, 9]);
    }
}
