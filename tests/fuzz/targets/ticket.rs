//! Tickets.
#![no_main]

#[path = "../trusting.rs"]
mod trusting;

use banyan_protocol::id::{PeerId, PublicKey, SecretKey};
use banyan_protocol::wire::ticket::Ticket;
use libfuzzer_sys::fuzz_target;
use trusting::Trusting;

fuzz_target!(|bytes: &[u8]| {
    let (child, channel) = (PeerId([9; 16]), PublicKey([0; 32]));
    if let Ok(ticket) = Ticket::open(bytes, &child, &channel, &Trusting) {
        let again = ticket.seal(&SecretKey::from_bytes(&[1; 32]));
        assert_eq!(Ticket::open(&again, &child, &channel, &Trusting), Ok(ticket));
    }
});
