//! Signed layouts.
#![no_main]

#[path = "../trusting.rs"]
mod trusting;

use banyan_protocol::id::{PublicKey, SecretKey};
use banyan_protocol::wire::layout::Layout;
use libfuzzer_sys::fuzz_target;
use trusting::Trusting;

fuzz_target!(|bytes: &[u8]| {
    let channel = PublicKey([0; 32]);
    if let Ok(layout) = Layout::open(bytes, &channel, &Trusting) {
        let again = layout.seal(&SecretKey::from_bytes(&[1; 32]));
        assert_eq!(Layout::open(&again, &channel, &Trusting), Ok(layout));
    }
});
