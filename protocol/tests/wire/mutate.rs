//! Deterministic mutations of sound inputs.

use banyan_protocol::rng::Rng;
use bytes::Bytes;

/// What breaks readers of lengths and numbers.
const PROVOKING: [&[u8]; 8] = [
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0xff, 0xff, 0xff, 0xff],
    &[251, 0xff, 0xff],
    &[252, 0xff, 0xff, 0xff, 0xff],
    &[253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/// `sound`, bent in one to four places.
pub(crate) fn mutate(sound: &[u8], corpus: &[Bytes], rng: &mut Rng) -> Vec<u8> {
    let mut bent = sound.to_vec();
    for _ in 0..=rng.below(4) {
        bend(&mut bent, corpus, rng);
    }
    bent
}

fn bend(bytes: &mut Vec<u8>, corpus: &[Bytes], rng: &mut Rng) {
    let at = rng.below(bytes.len() as u64 + 1) as usize;
    match rng.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.next() as u8),
        2 => flip(bytes, at, rng),
        3 => overwrite(bytes, at, PROVOKING[rng.below(PROVOKING.len() as u64) as usize]),
        4 => drop(bytes.drain(at..(at + rng.below(9) as usize).min(bytes.len()))),
        _ => splice(bytes, at, &corpus[rng.below(corpus.len() as u64) as usize], rng),
    }
}

fn flip(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, with) in bytes[at..].iter_mut().zip(with) {
        *byte = *with;
    }
}

/// Goes on as another input does.
fn splice(bytes: &mut Vec<u8>, at: usize, other: &[u8], rng: &mut Rng) {
    let from = rng.below(other.len() as u64 + 1) as usize;
    bytes.truncate(at);
    bytes.extend_from_slice(&other[from..]);
}
