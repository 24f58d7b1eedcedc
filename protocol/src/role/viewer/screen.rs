//! What is played, and what the person is told of it.

use super::{Phase, Viewer};
use crate::event::Event;
use crate::io::{Outbox, Output, Play};
use crate::media::join::Join;
use crate::media::playout::{Missing, Newest, Playout, PlayoutEvent, PlayoutStats};
use crate::media::{StripeId, TierId};
use crate::time::{ChannelTime, Duration, Instant};
use crate::wire::chunk::Chunk;
use crate::wire::control::TierReason;
use crate::wire::layout::Layout;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The playout, and what it is to show.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Screen {
    /// Whether something came that may have changed what is due: most chunks neither begin nor complete a block.
    stirred: bool,
    wake: Option<ChannelTime>,
    plays: Vec<Play>,
    playout: Playout,
    /// The tier that the coordinator wants shown, and why.
    target: Option<(TierId, TierReason)>,
}

impl Screen {
    pub(super) fn new(buffer: Duration) -> Self {
        Self {
            playout: Playout::new(buffer),
            target: None,
            plays: Vec::new(),
            wake: None,
            stirred: false,
        }
    }

    pub(super) fn join_by(&mut self, join: Join) {
        self.playout.join_by(join);
    }

    pub(super) fn layout(&mut self, layout: Arc<Layout>) {
        self.playout.layout(layout);
        self.stirred = true;
    }

    pub(super) fn insert(&mut self, at: ChannelTime, chunk: &Chunk) {
        if self.playout.wants(chunk.header.stripe.tier) {
            self.playout.insert(at, chunk);
            self.stirred |= self.playout.has_news();
        }
    }

    /// The tier to be shown.
    pub(super) fn target(&self) -> Option<TierId> {
        self.target.map(|(tier, _)| tier)
    }

    /// Whether chunks of a tier are of use here.
    pub(super) fn wants(&self, tier: TierId) -> bool {
        self.playout.wants(tier)
    }

    pub(super) fn missing(&self, stripe: StripeId, until: u64) -> impl Iterator<Item = Missing> + '_ {
        self.playout.missing(stripe, until)
    }

    /// See [`Playout::takes_over_at`].
    pub(super) fn takes_over_at(&self, tier: TierId) -> Option<u64> {
        self.playout.takes_over_at(tier)
    }

    pub(super) fn newest(&self, stripe: StripeId) -> Option<Newest> {
        self.playout.newest(stripe)
    }

    pub(super) fn stats(&self, at: ChannelTime) -> PlayoutStats {
        self.playout.stats(at)
    }

    /// Whether it shows anything yet.
    pub(super) fn has_begun(&self) -> bool {
        self.playout.shown_tier().is_some()
    }

    /// Whether all that came has been played.
    pub(super) fn is_empty(&self, at: ChannelTime) -> bool {
        let stats = self.playout.stats(at);
        stats.tier.is_none() || stats.buffered.is_zero()
    }

    pub(super) fn check_invariants(&self) {
        self.playout.check_invariants();
    }
}

impl Viewer {
    /// Shows what the coordinator says.
    pub(super) fn show(
        &mut self,
        now: Instant,
        (tier, why): (TierId, TierReason),
        from_block: u64,
        out: &mut Outbox,
    ) {
        let is_first = self.screen.target.is_none();
        if self.screen.target() != Some(tier) {
            self.screen.playout.show(tier, from_block);
            self.screen.stirred = true;
            self.recall(now, tier, from_block);
        }
        self.screen.target = Some((tier, why));
        if let Some((_, layout)) = self.layout.as_ref().filter(|_| is_first) {
            out.event(Event::Joined {
                peer: self.config.id,
                stripes: layout.tier(tier).map_or(0, |tier| usize::from(tier.stripes)),
                tiers: layout.tiers.len(),
            });
        }
    }

    /// What came of a tier while nobody here watched it, for children or on a seat that is kept for a while, is played too: it comes
    /// no second time.
    fn recall(&mut self, now: Instant, tier: TierId, from_block: u64) {
        let at = self.at(now);
        let layout = self.layout.as_ref().and_then(|(_, layout)| layout.tier(tier));
        let stripes = layout.map_or(0, |tier| tier.stripes + u8::from(tier.parity));
        for index in 0..stripes {
            for chunk in self.forwarder.store().from(StripeId { tier, index }, from_block) {
                self.screen.insert(at, chunk);
            }
        }
    }

    pub(super) fn screen_due(&self, now: Instant) -> Option<Instant> {
        let wake = self.screen.wake.map(|wake| self.clock.instant(wake));
        // Channel time is rounded: never the same instant again.
        wake.map(|wake| wake.max(now + Duration::from_micros(1)))
    }

    pub(super) fn run_screen(&mut self, now: Instant, out: &mut Outbox) {
        let at = self.at(now);
        let screen = &mut self.screen;
        if !screen.stirred && screen.wake.is_none_or(|wake| at < wake) {
            return;
        }
        screen.stirred = false;
        screen.playout.poll(at, &mut screen.plays);
        screen.wake = screen.playout.next_wake(at);
        for play in screen.plays.drain(..) {
            out.push(Output::Play(play));
        }
        for event in self.screen.playout.take_events() {
            self.calm.end();
            self.on_playout(now, event, out);
        }
    }

    fn on_playout(&mut self, now: Instant, event: PlayoutEvent, out: &mut Outbox) {
        match event {
            PlayoutEvent::Started => {
                let startup_ms = now.since(self.config.now).as_millis() as u64;
                out.event(Event::Playing { startup_ms });
                self.dials.hurry(now);
            }
            // At the end of the channel nothing is missing, and who leaves has stopped watching.
            PlayoutEvent::Stall | PlayoutEvent::Resumed { .. } if self.phase != Phase::Member => {}
            PlayoutEvent::Stall => out.event(Event::Stall),
            PlayoutEvent::Resumed { ms } => out.event(Event::Resumed { ms }),
            PlayoutEvent::TierShown { tier, was } => {
                let why = self.screen.target.map_or("", |(_, why)| sentence(why));
                let why = why.into();
                out.event(Event::Tier { tier, was, why });
                self.drop_withdrawn(now, out);
            }
        }
    }
}

const fn sentence(why: TierReason) -> &'static str {
    match why {
        TierReason::Full => "there is room for full quality",
        TierReason::Capacity => "the viewers' uplinks do not suffice for full quality",
        TierReason::Waiting => "somebody is being asked to sponsor",
    }
}
