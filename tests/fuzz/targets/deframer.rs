//! The cutting of a lane's bytes into frames. The first byte says in which portions they come.
#![no_main]

use banyan_protocol::limits::CONTROL_FRAME_MAX;
use banyan_protocol::wire::framing::Deframer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((portion, stream)) = bytes.split_first() else {
        return;
    };
    let mut deframer = Deframer::new(CONTROL_FRAME_MAX);
    let mut taken = 0;
    for part in stream.chunks(1 + usize::from(*portion)) {
        deframer.push(part);
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => {
                    assert_eq!(frame, stream[taken..taken + frame.len()]);
                    taken += frame.len();
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
