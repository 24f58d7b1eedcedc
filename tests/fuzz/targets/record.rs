//! Records in the bodies of consecutive blocks. The first two bytes say how long each body is.
#![no_main]

use banyan_protocol::media::record::Decoder;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((len, stream)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes(*len)).max(1);
    let (mut decoder, mut data) = (Decoder::new(), 0);
    for body in stream.chunks(len) {
        let _ = decoder.feed(&Bytes::copy_from_slice(body), |record| {
            data += record.packet.data.len()
        });
    }
    assert!(data <= stream.len(), "no more comes out than went in");
});
