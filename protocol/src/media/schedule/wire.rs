//! What a frame costs on the wire, and so what a slot is.

use crate::time::{Duration, TICK};
use crate::units::Bitrate;
use crate::wire::chunk;

/// Bytes of a UDP datagram once path MTU discovery is through: Ethernet's 1500 less IPv6 and UDP.
const DATAGRAM: u64 = 1452;

/// Ethernet, IPv6 and UDP in front of each datagram. IPv4 is 20 bytes less; the rest pays for acknowledgements.
const BELOW_QUIC: u64 = 14 + 40 + 8;

/// Within each datagram: QUIC's short header with an 8-byte connection id, the AEAD tag, and the STREAM frame's header.
const QUIC: u64 = 27 + 9;

/// How far above its mean a tier's ticks may go, in hundredths: what the broadcaster's smoothing lets through.
const PEAK_PERCENT: u64 = 110;

/// Wire bytes, Ethernet to QUIC, of a frame of `frame_bytes` that is sent by itself. Frames that are written together
/// share datagrams and cost a little less.
pub const fn wire_bytes(frame_bytes: u64) -> u64 {
    frame_bytes + frame_bytes.div_ceil(DATAGRAM - QUIC) * (BELOW_QUIC + QUIC)
}

/// A slot: the uplink in wire bits that one of the `stripes` of a tier of mean payload rate `rate` costs for one child.
///
/// It is reckoned at the highest rate that smoothing lets through, with headers, signature and datagrams that are not
/// full. A tier's mean is a tenth below that, which leaves room for acknowledgements, control and retransmission: so as
/// many slots as fit into an uplink are really carried by it.
pub const fn slot(rate: Bitrate, stripes: u8) -> Bitrate {
    let stripes = if stripes == 0 { 1 } else { stripes as u64 };
    let payload = rate.percent(PEAK_PERCENT).bytes_in(TICK).div_ceil(stripes);
    let wire = wire_bytes(payload + chunk::OVERHEAD as u64);
    Bitrate(wire * 8 * (Duration::from_secs(1).as_micros() / TICK.as_micros()) as u64)
}

/// What is sent in the mean where these slots are used: slots are reckoned at the peak. What uplink must have is slots; what
/// bytes cost is this.
pub const fn mean_of(slots: Bitrate) -> Bitrate {
    Bitrate((slots.0 as u128 * 100 / PEAK_PERCENT as u128) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datagram_begun_is_paid_for() {
        assert_eq!(wire_bytes(0), 0);
        assert_eq!(wire_bytes(1), 1 + 98);
        assert_eq!(wire_bytes(1416), 1416 + 98);
        assert_eq!(wire_bytes(1417), 1417 + 2 * 98);
    }

    #[test]
    fn a_slot_is_the_peak_of_a_stripe_with_all_headers() {
        // 4 Mbit/s in 5 stripes: 1.1 times 10,000 bytes a tick each, 111 bytes of overhead, 8 datagrams.
        assert_eq!(
            slot(Bitrate::from_kbps(4000), 5),
            Bitrate((11_000 + 111 + 8 * 98) * 80)
        );
        assert!(slot(Bitrate::from_kbps(500), 1) > Bitrate::from_kbps(550));
        assert_eq!(slot(Bitrate::from_kbps(500), 0), slot(Bitrate::from_kbps(500), 1));
    }
}
