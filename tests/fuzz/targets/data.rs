//! Frames of a data lane.
#![no_main]

use banyan_protocol::wire::chunk::{Data, PAYLOAD_MAX};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(Data::Chunk(chunk)) = Data::parse(Bytes::copy_from_slice(frame)) {
        assert_eq!(chunk.frame(), frame);
        assert!(chunk.payload().len() <= PAYLOAD_MAX);
    }
});
