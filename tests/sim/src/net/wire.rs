//! What frames cost on the wire, Ethernet to QUIC.

use banyan_protocol::media::schedule::wire::wire_bytes;

/// A packet with nothing but an acknowledgement.
const ACKNOWLEDGEMENT: u64 = 90;

/// Bytes of frames that share a packet, about.
const PACKET: u64 = 1416;

/// One end's part of a handshake: its Initials are padded to 1,200 bytes.
pub const HANDSHAKE: u64 = 2 * 1242;

/// A packet that closes a link.
pub const CLOSE: u64 = 100;

/// What one more frame costs its sender; `alone` if it begins a packet, else it shares one.
pub const fn sent(bytes: u64, alone: bool) -> u64 {
    let whole = wire_bytes(bytes);
    if alone {
        whole
    } else {
        whole - (whole - bytes) / bytes.div_ceil(PACKET)
    }
}

/// How many packets carry `bytes` of frames.
pub const fn packets(bytes: u64) -> u64 {
    bytes.div_ceil(PACKET)
}

/// What acknowledging them costs their receiver: every second packet is answered.
pub const fn acknowledged(bytes: u64) -> u64 {
    packets(bytes).div_ceil(2) * ACKNOWLEDGEMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_share_packets_cost_less() {
        assert_eq!(sent(100, true), wire_bytes(100));
        assert_eq!(sent(100, false), 100, "it rides along");
        assert!(sent(6000, false) > 6000 && sent(6000, false) < sent(6000, true));
        assert_eq!(acknowledged(6000), 3 * ACKNOWLEDGEMENT);
    }
}
