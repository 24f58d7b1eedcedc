//! How QUIC behaves on our links (`ARCHITECTURE.md`, “Data plane”), with why each number.

use banyan_protocol::limits::{DATA_IDLE, LINK_BACKLOG_MAX, TIERS_MAX};
use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt, congestion::CubicConfig};
use std::sync::Arc;
use std::time::Duration;

/// Data lanes that a peer may have open to us at once: one a tier, and as many again that are being reset, twice over.
/// Memory follows this limit, not the use: at 64 a link costs 63 KiB, at 10,000 it costs 464.
const DATA_LANES_MAX: u32 = 4 * TIERS_MAX as u32;

/// What a data lane may have in flight: over a second of 4 Mbit/s, so that a joiner's backlog comes in one round trip.
const LANE_WINDOW: u32 = 512 * 1024;

/// What all lanes of a link may have in flight: the backlog of every tier.
const LINK_WINDOW: u32 = TIERS_MAX as u32 * LANE_WINDOW;

/// Two may get lost before the other end gives the link up.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// How often QUIC may send before it is told that something arrived. More than RFC 6928's ten: a joiner's backlog of
/// some hundred kilobytes is what its start-up waits for.
const INITIAL_WINDOW: u64 = 32 * 1200;

/// Packets that a receiver may hold before it acknowledges; every acknowledgement costs both ends a packet. Measured with
/// `examples/fanout.rs` at 50 children, three runs each, on a machine busy with other work, so a direction and no promise:
/// 0.63 to 0.65 CPU-s/Gbit at ten, 0.72 to 0.77 without this extension; thirty is not told apart from ten.
const ACK_EVERY: u32 = 10;

/// The longest that an acknowledgement waits for company.
const ACK_DELAY: Duration = Duration::from_millis(25);

/// For links, of both ends; `gso` off for network drivers that break segmentation offload.
pub(crate) fn config(gso: bool) -> Arc<TransportConfig> {
    let idle = IdleTimeout::try_from(DATA_IDLE).expect("ten seconds fit");
    let mut cubic = CubicConfig::default();
    cubic.initial_window(INITIAL_WINDOW);
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(ACK_EVERY.into());
    acks.max_ack_delay(Some(ACK_DELAY));
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(DATA_LANES_MAX.into())
        // The control lane.
        .max_concurrent_bidi_streams(1u32.into())
        .stream_receive_window(LANE_WINDOW.into())
        .receive_window(VarInt::from_u32(LINK_WINDOW))
        .send_window(LINK_BACKLOG_MAX)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(acks))
        .congestion_controller_factory(Arc::new(cubic))
        .enable_segmentation_offload(gso);
    Arc::new(config)
}
