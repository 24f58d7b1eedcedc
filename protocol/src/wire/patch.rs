//! Patches: bytes as what is new in them against bytes that both ends have (`docs/protocol.md` §7).
//!
//! A patch is a row of steps, each a byte that says what comes and how much of it:
//!
//! - `1ccccccc` and as many bytes and one more, which are put in;
//! - `00cccccc`: as many bytes and [`COPY_MIN`] more of the old ones, on from where the last step came to;
//! - `01cccccc` and a byte: likewise, from where that says.
//!
//! A copy comes to the end of what it copied; bytes that are put in are taken to stand for as many old ones.

use crate::wire::codec::CodecError;
use alloc::vec::Vec;
use core::cmp::Reverse;

const PUT: u8 = 0x80;

/// A copy from elsewhere than the last step came to.
const FROM: u8 = 0x40;

/// The most bytes that are put in by one step.
const PUT_MAX: usize = 0x80;

/// Fewer bytes are not worth the step.
const COPY_MIN: usize = 3;

/// The most that are copied by one step.
const COPY_MAX: usize = 0x3f + COPY_MIN;

/// A patch that makes `new` of `old`. The longest row of old bytes is taken each time: takes time by the product of their lengths.
pub fn between(old: &[u8], new: &[u8]) -> Vec<u8> {
    let (mut patch, mut put, mut at, mut came_to) = (Vec::new(), 0, 0, 0);
    while at < new.len() {
        let next = came_to + (at - put);
        match longest(old, &new[at..], next) {
            Some((from, len)) => {
                put_in(&new[put..at], &mut patch);
                let len_less = (len - COPY_MIN) as u8;
                if from == next {
                    patch.push(len_less);
                } else {
                    patch.extend([FROM | len_less, from as u8]);
                }
                at += len;
                (put, came_to) = (at, from + len);
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

/// Where the longest row of old bytes is that `new` begins with, and how long it is, if it is worth a step. Of several as long it is the one
/// at `next`, or else the first. Beyond what a byte can say there is the one at `next` alone.
fn longest(old: &[u8], new: &[u8], next: usize) -> Option<(usize, usize)> {
    let begins = new.first_chunk::<COPY_MIN>()?;
    let common = |from: usize| {
        let pairs = old[from..].iter().zip(new).take(COPY_MAX);
        pairs.take_while(|(one, other)| one == other).count()
    };
    let places = old.windows(COPY_MIN).enumerate();
    let near = places.clone().take(usize::from(u8::MAX) + 1);
    let far = places.skip(next).take(usize::from(next > usize::from(u8::MAX)));
    let rows = near.chain(far).filter(|(_, there)| there == begins);
    let rows = rows.map(|(from, _)| (from, common(from)));
    rows.max_by_key(|(from, len)| (*len, *from == next, Reverse(*from)))
}

/// What `patch` makes of `old`.
///
/// # Errors
/// If it copies what is not there, is cut off, or makes more than `most` bytes.
pub fn apply(old: &[u8], mut patch: &[u8], most: usize) -> Result<Vec<u8>, CodecError> {
    let (mut new, mut came_to) = (Vec::new(), 0);
    while let Some((step, rest)) = patch.split_first() {
        let row = if *step & PUT == 0 {
            patch = rest;
            if *step & FROM != 0 {
                let (from, rest) = rest.split_first().ok_or(CodecError::Malformed)?;
                (patch, came_to) = (rest, usize::from(*from));
            }
            old.get(came_to..came_to + usize::from(*step & !FROM) + COPY_MIN)
        } else {
            let row = rest.split_at_checked(usize::from(*step & !PUT) + 1);
            patch = row.map_or(&[][..], |(_, rest)| rest);
            row.map(|(row, _)| row)
        };
        let row = row.ok_or(CodecError::Malformed)?;
        new.extend_from_slice(row);
        came_to += row.len();
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
    fn what_goes_on_where_it_came_to_is_copied_however_far_it_is() {
        let mut rng = Rng::new(9);
        let old: Vec<u8> = (0..500).map(|_| rng.below(256) as u8).collect();
        let mut new = old.clone();
        new[10] ^= 1;
        let patch = between(&old, &new);
        assert_eq!(apply(&old, &patch, MOST).as_deref(), Ok(&*new));
        let copies = 1 + (old.len() - 11).div_ceil(COPY_MAX);
        assert_eq!(patch.len(), copies + 2);
    }

    #[test]
    fn a_patch_makes_new_of_old_and_is_short_where_little_is_new() {
        let old: Vec<u8> = (0..150).collect();
        let mut new = old.clone();
        new[30] = 7;
        new.splice(60..64, [1, 1, 1, 1, 1]);
        let patch = between(&old, &new);
        assert_eq!(apply(&old, &patch, MOST).as_deref(), Ok(&*new));
        // Copy, put one in, copy on, put five in, copy from elsewhere, and on.
        assert_eq!(patch.len(), 1 + 2 + 1 + 6 + 2 + 1);
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
        let long = [FROM, 0].repeat(MOST);
        for patch in [
            &[2][..],
            &[0, 0],
            &[FROM],
            &[FROM, 2],
            &[FROM | 2, 0],
            &[FROM, 255],
            &[PUT],
            &[PUT | 1, 5],
            &[PUT, 9, 1],
            &long,
        ] {
            assert_eq!(apply(&old, patch, MOST), Err(CodecError::Malformed), "{patch:?}");
        }
        assert_eq!(
            apply(&old, &[FROM, 1, PUT, 9], MOST).as_deref(),
            Ok(&[2, 3, 4, 9][..])
        );
        assert_eq!(
            apply(&old, &[PUT, 9, 0], MOST).as_deref(),
            Ok(&[9, 2, 3, 4][..]),
            "on from behind what the nine stands for"
        );
        assert_eq!(apply(&old, &[FROM, 1, PUT, 9], 3), Err(CodecError::Malformed));
    }
}
