//! Orders to relays.
#![no_main]

#[path = "../trusting.rs"]
mod trusting;

use banyan_protocol::id::{PeerId, PublicKey, SecretKey};
use banyan_protocol::wire::order::Numbered;
use libfuzzer_sys::fuzz_target;
use trusting::Trusting;

fuzz_target!(|bytes: &[u8]| {
    let (relay, sponsor) = (PeerId([9; 16]), PublicKey([0; 32]));
    if let Ok(order) = Numbered::open(bytes, &sponsor, &relay, &Trusting) {
        let again = order.seal(&SecretKey::from_bytes(&[1; 32]), &relay);
        assert_eq!(Numbered::open(&again, &sponsor, &relay, &Trusting), Ok(order));
    }
});
