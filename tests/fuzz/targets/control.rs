//! Frames of a control lane.
#![no_main]

use banyan_protocol::wire::control::Message;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(message) = Message::parse(&Bytes::copy_from_slice(frame)) {
        assert_eq!(Message::parse(&message.frame()), Ok(message));
    }
});
