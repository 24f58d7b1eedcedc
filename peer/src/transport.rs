//! How QUIC behaves on our links (`ARCHITECTURE.md`, “Where the design was changed”), with why each number.

use banyan_protocol::limits::{CONTROL_IDLE, DATA_IDLE, LINK_BACKLOG_MAX, TIERS_MAX};
use quinn::{
    AckFrequencyConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt, congestion::CubicConfig,
};
use std::sync::Arc;
use std::time::Duration;

/// Data lanes that a peer may have open to us at once: one a tier, and as many again that are being reset, twice over.
/// Memory follows this limit, not the use: at 64 a link costs 63 KiB, at 10,000 it costs 464.
const DATA_LANES_MAX: u32 = 4 * TIERS_MAX as u32;

/// What a data lane may have in flight: over a second of 4 Mbit/s, so that a joiner's backlog comes in one round trip.
const LANE_WINDOW: u32 = 512 * 1024;

/// What all lanes of a link may have in flight: the backlog of every tier.
const LINK_WINDOW: u32 = TIERS_MAX as u32 * LANE_WINDOW;

/// How a link is kept alive while nothing is said. The dialler pings; the time-out is the lesser of both ends'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Whoever accepts: the dialler knows what the link is for.
    Acceptor,
    /// A link to the coordinator, which has one to every viewer: a ping costs it an acknowledgement of some 90 wire bytes,
    /// 180 bit/s at the pace of neighbours. A viewer that vanishes is noticed at the next message to it, see
    /// [`Pulse`](crate::pulse::Pulse).
    Coordinator,
    /// Any other link: it may be a spare, which is to be there at once when a parent fails.
    Neighbour,
}

impl Keep {
    fn idle(self) -> Duration {
        match self {
            Self::Acceptor | Self::Coordinator => CONTROL_IDLE,
            Self::Neighbour => DATA_IDLE,
        }
    }

    /// Two pings, or one of the coordinator's, may get lost before the other end gives the link up.
    fn ping_every(self) -> Option<Duration> {
        match self {
            Self::Acceptor => None,
            Self::Coordinator => Some(Duration::from_secs(25)),
            Self::Neighbour => Some(Duration::from_secs(4)),
        }
    }
}

/// How often QUIC may send before it is told that something arrived. More than RFC 6928's ten: a joiner's backlog of
/// some hundred kilobytes is what its start-up waits for.
const INITIAL_WINDOW: u64 = 32 * 1200;

/// Packets that a receiver may hold before it acknowledges; every acknowledgement costs both ends a packet. A write of
/// three chunks of 4 Mbit/s arrives at once and is acknowledged once, with ten as with thirty: in `cargo xtask bench relay`
/// they are not told apart. Without this extension it is every other packet.
const ACK_EVERY: u32 = 10;

/// The longest that an acknowledgement waits for company.
const ACK_DELAY: Duration = Duration::from_millis(25);

/// How near path MTU discovery comes to what the path bears, in bytes of payload. With more than half of the way from 1200 to
/// 1452 it asks for 1452 at once, which most paths bear, and otherwise for the middle. quinn's 20 would send four probes on
/// every new link, 5.8 KB: with the links of a newcomer they keep an uplink of 400 kbit/s busy for most of a second.
const MTU_STEP: u16 = 127;

/// How this end looks for the path's MTU. A probe is a full datagram, so it is sent only where chunks may follow: never to the
/// coordinator, and not at all from an uplink that cannot carry a stripe (`feeds`).
fn mtu_discovery(keep: Keep, feeds: bool) -> Option<MtuDiscoveryConfig> {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.minimum_change(MTU_STEP);
    (feeds && keep != Keep::Coordinator).then_some(discovery)
}

/// For links that are kept alive in this way; `gso` off for network drivers that break segmentation offload, `feeds` off where
/// no chunk is ever sent.
pub(crate) fn config(keep: Keep, gso: bool, feeds: bool) -> Arc<TransportConfig> {
    let idle = IdleTimeout::try_from(keep.idle()).expect("a minute fits");
    let mut cubic = CubicConfig::default();
    cubic.initial_window(INITIAL_WINDOW);
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(ACK_EVERY.into());
    acks.max_ack_delay(Some(ACK_DELAY));
    let mut config = TransportConfig::default();
    config
        .mtu_discovery_config(mtu_discovery(keep, feeds))
        .max_concurrent_uni_streams(DATA_LANES_MAX.into())
        // The control lane.
        .max_concurrent_bidi_streams(1u32.into())
        .stream_receive_window(LANE_WINDOW.into())
        .receive_window(VarInt::from_u32(LINK_WINDOW))
        .send_window(LINK_BACKLOG_MAX)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(keep.ping_every())
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(acks))
        .congestion_controller_factory(Arc::new(cubic))
        .enable_segmentation_offload(gso);
    Arc::new(config)
}
