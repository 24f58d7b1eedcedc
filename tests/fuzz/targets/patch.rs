//! Patches: the first byte says how much of the rest is what both ends have.
#![no_main]

use banyan_protocol::wire::patch;
use libfuzzer_sys::fuzz_target;

const MOST: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let Some((len, rest)) = bytes.split_first() else { return };
    let (old, patched) = rest.split_at(usize::from(*len).min(rest.len()));
    if let Ok(new) = patch::apply(old, patched, MOST) {
        assert!(new.len() <= MOST);
        let again = patch::between(old, &new);
        assert_eq!(patch::apply(old, &again, MOST), Ok(new));
    }
});
