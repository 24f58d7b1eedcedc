//! Delegations.
#![no_main]

#[path = "../trusting.rs"]
mod trusting;

use banyan_protocol::id::{PublicKey, SecretKey};
use banyan_protocol::wire::order::Delegation;
use libfuzzer_sys::fuzz_target;
use trusting::Trusting;

fuzz_target!(|bytes: &[u8]| {
    let sponsor = PublicKey([0; 32]);
    if let Ok(delegation) = Delegation::open(bytes, &sponsor, &Trusting) {
        let again = delegation.seal(&SecretKey::from_bytes(&[1; 32]));
        assert_eq!(Delegation::open(&again, &sponsor, &Trusting), Ok(delegation));
    }
});
