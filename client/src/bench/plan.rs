//! The stream that the benchmark sends, by number and time, and the part of it that is measured.

use banyan_protocol::id::{PeerId, PublicKey, Sign};
use banyan_protocol::io::{LinkId, Outbox, Output};
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::time::{ChannelClock, ChannelTime, Instant, TICK};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::layout::{Layout, Tier};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

/// The stripes of the stream; one chunk of each a tick.
pub(super) const STRIPES: u8 = 10;

/// The only epoch.
pub(super) const EPOCH: u64 = 1;

/// One chunk in so many is verified by each child: verifying all would measure the load.
pub(super) const VERIFY_EVERY: u64 = 50;

const TIER: TierId = TierId(0);
const TICK_US: u64 = TICK.as_micros() as u64;
const STAGGER_US: u64 = TICK_US / STRIPES as u64;

/// What everybody in the load process knows.
#[derive(Debug)]
pub(super) struct Plan {
    /// The channel.
    pub(super) channel: PublicKey,
    /// The one clock of the load process.
    pub(super) clock: ChannelClock,
    /// When block 0 begins.
    pub(super) begins: Instant,
    /// Payload of a chunk, in bytes.
    pub(super) payload: usize,
    /// The measured blocks, once they are known.
    pub(super) measured: OnceLock<std::ops::Range<u64>>,
}

impl Plan {
    pub(super) fn new(channel: PublicKey, clock: ChannelClock, begins: Instant, rate: Bitrate) -> Self {
        Self {
            channel,
            clock,
            begins,
            payload: (rate.bytes_in(TICK) / u64::from(STRIPES)) as usize,
            measured: OnceLock::new(),
        }
    }

    /// When the chunk number `turn`, counted over all stripes, is due: the stripes' ticks are staggered.
    pub(super) fn due(&self, turn: u64) -> Instant {
        self.begins + Duration::from_micros(turn * STAGGER_US)
    }

    /// The block that is being sent at `now`.
    pub(super) fn block_at(&self, now: Instant) -> u64 {
        now.since(self.begins).as_micros() as u64 / TICK_US
    }

    /// Whether a block counts.
    pub(super) fn is_measured(&self, block: u64) -> bool {
        self.measured.get().is_some_and(|blocks| blocks.contains(&block))
    }

    /// How long ago something was sent.
    pub(super) fn age(&self, now: Instant, sent: ChannelTime) -> Duration {
        self.clock.channel(now).since(sent)
    }
}

/// Stripe and block of a turn.
pub(super) fn chunk_of(turn: u64) -> (StripeId, u64) {
    let stripe = StripeId {
        tier: TIER,
        index: (turn % u64::from(STRIPES)) as u8,
    };
    (stripe, turn / u64::from(STRIPES))
}

/// All stripes.
pub(super) fn stripes() -> impl Iterator<Item = StripeId> {
    (0..STRIPES).map(|index| StripeId { tier: TIER, index })
}

/// The layout of the stream, signed.
pub(super) fn layout(rate: Bitrate, key: &dyn Sign) -> Bytes {
    let tier = Tier {
        id: TIER,
        stripes: STRIPES,
        parity: false,
        rate,
        slot: Bitrate(rate.percent(120).as_bps() / u64::from(STRIPES)),
        tracks: Vec::new(),
    };
    let layout = Layout {
        epoch: EPOCH,
        number: 1,
        from_block: 0,
        title: String::new(),
        tiers: vec![tier],
    };
    layout.seal(key)
}

/// Dials `target`, the first time that it is asked to.
pub(super) fn dial_once(link: LinkId, target: &mut Option<(PeerId, SocketAddr)>, out: &mut Outbox) {
    if let Some((peer, address)) = target.take() {
        out.push(Output::Dial {
            link,
            peer,
            addresses: vec![address],
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stripe_has_its_turn_once_a_tick() {
        let clock = ChannelClock::default();
        let plan = Plan::new(
            PublicKey([0; 32]),
            clock,
            Instant::from_micros(500),
            Bitrate(4_000_000),
        );
        assert_eq!(plan.payload, 5_000);
        let (stripe, block) = chunk_of(23);
        assert_eq!((stripe.index, block), (3, 2));
        assert_eq!(plan.due(23), Instant::from_micros(500 + 230_000));
        assert_eq!(plan.block_at(plan.due(23)), 2);
        assert!(!plan.is_measured(2));
        plan.measured.set(2..3).unwrap();
        assert!(plan.is_measured(2) && !plan.is_measured(3));
    }
}
