//! Patches: bytes as what is new in them against bytes that both ends have (`docs/protocol.md` §7).
//!
//! A patch is a row of steps, each a byte that says what comes and how much of it: `1ccccccc` and as many bytes and one more, which are
//! put in; `0ccccccc`, for as many bytes and [`COPY_MIN`] more of the old ones, and a byte that says from where on.

use crate::wire::codec::CodecError;
use alloc::vec::Vec;

const PUT: u8 = 0x80;

/// The most bytes that are put in by one step.
const PUT_MAX: usize = 0x80;

/// Fewer bytes are not worth the two that say where they are.
const COPY_MIN: usize = 3;

/// The most that are copied by one step.
const COPY_MAX: usize = 0x7f + COPY_MIN;

/// A patch that makes `new` of `old`. The longest row of old bytes is taken each time: takes time by the product of their lengths.
pub fn between(old: &[u8], new: &[u8]) -> Vec<u8> {
    let (mut patch, mut put, mut at) = (Vec::new(), 0, 0);
    while at < new.len() {
        match longest(old, &new[at..]) {
            Some((from, len)) => {
                put_in(&new[put..at], &mut patch);
                patch.extend([(len - COPY_MIN) as u8, from]);
                at += len;
                put = at;
            }
            None => at += 1,
        }
    }
    put_in(&new[put..], &mut patch);
    patch
}

fn put_in(bytes: &[u8], patch: &mut Vec<u8>) {
    for row in bytes.chunks(PUT_MAX) {
        patch.push(PUT | (row.len() - 1) as u8);
        patch.extend_from_slice(row);
    }
}

/// Where the longest row of old bytes is that `new` begins with, and how long it is, if it is worth a step.
fn longest(old: &[u8], new: &[u8]) -> Option<(u8, usize)> {
    let common = |from: u8| {
        let pairs = old[usize::from(from)..].iter().zip(new).take(COPY_MAX);
        pairs.take_while(|(one, other)| one == other).count()
    };
    let places = (0..=u8::MAX).take(old.len());
    let rows = places.map(|from| (from, common(from)));
    let longest = rows.max_by_key(|(from, len)| (*len, u8::MAX - from));
    longest.filter(|(_, len)| *len >= COPY_MIN)
}

/// What `patch` makes of `old`.
///
/// # Errors
/// If it copies what is not there, is cut off, or makes more than `most` bytes.
pub fn apply(old: &[u8], mut patch: &[u8], most: usize) -> Result<Vec<u8>, CodecError> {
    let mut new = Vec::new();
    while let Some((step, rest)) = patch.split_first() {
        let row = if *step & PUT == 0 {
            let (from, rest) = rest.split_first().ok_or(CodecError::Malformed)?;
            patch = rest;
            let from = usize::from(*from);
            old.get(from..from + usize::from(*step) + COPY_MIN)
        } else {
            let row = rest.split_at_checked(usize::from(*step & !PUT) + 1);
            patch = row.map_or(&[][..], |(_, rest)| rest);
            row.map(|(row, _)| row)
        };
        new.extend_from_slice(row.ok_or(CodecError::Malformed)?);
        if new.len() > most {
            return Err(CodecError::Malformed);
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const MOST: usize = 2000;

    #[test]
    fn a_patch_makes_new_of_old_and_is_short_where_little_is_new() {
        let old: Vec<u8> = (0..150).collect();
        let mut new = old.clone();
        new[30] = 7;
        new.splice(60..64, [1, 1, 1, 1, 1]);
        let patch = between(&old, &new);
        assert_eq!(apply(&old, &patch, MOST).as_deref(), Ok(&*new));
        // Copy, put one in, copy, put five in, copy.
        assert_eq!(patch.len(), 2 + 2 + 2 + 6 + 2);
    }

    #[test]
    fn of_whatever_bytes_whatever_others_are_made() {
        let mut rng = Rng::new(7);
        let mut row = |letters: u64| -> Vec<u8> {
            let len = rng.below(400);
            (0..len).map(|_| rng.below(letters) as u8).collect()
        };
        for letters in [1, 2, 3, 20, 256] {
            for _ in 0..20 {
                let (old, new) = (row(letters), row(letters));
                let patch = between(&old, &new);
                assert_eq!(apply(&old, &patch, MOST).as_deref(), Ok(&*new));
                assert!(patch.len() <= new.len() + new.len().div_ceil(PUT_MAX));
            }
        }
    }

    #[test]
    fn what_is_no_patch_of_these_bytes_is_refused() {
        let old = [1, 2, 3, 4];
        let long = [0, 0].repeat(MOST);
        for patch in [
            &[0][..],
            &[0, 2],
            &[2, 0],
            &[0, 255],
            &[PUT],
            &[PUT | 1, 5],
            &[0, 0, 0],
            &long,
        ] {
            assert_eq!(apply(&old, patch, MOST), Err(CodecError::Malformed), "{patch:?}");
        }
        assert_eq!(
            apply(&old, &[0, 1, PUT, 9], MOST).as_deref(),
            Ok(&[2, 3, 4, 9][..])
        );
        assert_eq!(apply(&old, &[0, 1, PUT, 9], 3), Err(CodecError::Malformed));
    }
}
