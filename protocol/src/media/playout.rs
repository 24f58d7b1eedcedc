//! Playout: what a viewer has received becomes packets again, each as long after its capture as the viewer's buffer is.
//!
//! A block is due at its capture time and the buffer; it is handed over then, and never later blocks before it. What is
//! due and not there makes a stall. What comes late is handed over at once, so that the latency stays what it was.
//!
//! A stall ends with the next block that is handed over, also when that is late: the screen shows it, and has run out
//! only when the block after it is later still. Whoever works off a backlog at little more than its rate plays on, behind
//! time, until the buffer fills again.

mod arrival;
mod leap;
mod run;
mod shown;
mod switch;
mod tell;

use super::join::{Join, copied};
use super::{StripeId, TierId};
use crate::io::Play;
use crate::limits::STORE_KEPT;
use crate::time::{ChannelTime, Duration, TICK};
use crate::wire::chunk::Chunk;
use crate::wire::layout::Layout;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use run::Run;
use shown::Shown;
use switch::Switch;

pub use super::reassemble::{Inserted, Newest};
pub use tell::{Missing, PlayoutEvent, PlayoutStats};

/// How long a block that is due is waited for. A spare takes over within a second and the missing chunks are pulled in
/// another; when that spare fails too, a third passes. Longer, and half of what peers keep (10 s) would be gone before
/// the viewer sees anything again.
pub const GIVE_UP: Duration = Duration::from_secs(3);

/// How long a joiner waits for a start after which nothing that is due is missing. Then it begins with what there is; sooner, and
/// it would stall at once where its parents catch up themselves.
const START_PATIENCE: Duration = GIVE_UP;

/// Blocks that lie ready, at most half a buffer of them, when a screen that was behind is in time again: what comes just
/// in time may come just too late the next moment.
const IN_TIME: u64 = 5;

/// A viewer's output, driven by the channel's clock. Call [`poll`](Self::poll) after each [`insert`](Self::insert) and
/// when [`next_wake`](Self::next_wake) has come.
#[derive(Debug)]
#[repr(C)]
pub struct Playout {
    /// Whether the last chunk began or completed a block.
    news: bool,
    started: bool,
    /// The epoch that is played, and behind it the one that comes next.
    runs: VecDeque<Run>,
    switch: Option<Switch>,
    /// What is shown of the first run; nothing before the start.
    shown: Option<Shown>,
    /// How far behind time the screen is; nothing when it is [in time](Self::is_in_time).
    lag: Duration,
    buffer: Duration,
    join: Join,
    /// What was asked for before any layout was known.
    asked: Option<(TierId, u64)>,
    /// When the stall began.
    stall: Option<ChannelTime>,
    stats: PlayoutStats,
    events: Vec<PlayoutEvent>,
}

impl Playout {
    /// One that plays `buffer` behind capture.
    pub fn new(buffer: Duration) -> Self {
        Self {
            buffer,
            join: copied,
            asked: None,
            runs: VecDeque::new(),
            shown: None,
            switch: None,
            stall: None,
            lag: Duration::ZERO,
            started: false,
            news: false,
            stats: PlayoutStats::default(),
            events: Vec::new(),
        }
    }

    /// From now on what came in parts is put together by `join`.
    pub fn join_by(&mut self, join: Join) {
        self.join = join;
    }

    /// Learns a verified layout. One of a later epoch begins that epoch: it is played when what is due of the present one
    /// has been played, or cannot be. Layouts of past epochs are passed over.
    pub fn layout(&mut self, layout: Arc<Layout>) {
        let window = ticks(self.buffer + GIVE_UP + STORE_KEPT);
        let newest = self.epoch();
        match self.runs.iter_mut().find(|run| run.epoch() == layout.epoch) {
            Some(run) => run.learn(layout),
            None if newest.is_some_and(|newest| newest > layout.epoch) => {}
            None => {
                let from_start = (self.wanted().unwrap_or(layout.top().id), layout.from_block);
                let (tier, from_block) = self.asked.take().unwrap_or(from_start);
                self.runs.truncate(usize::from(self.shown.is_some()));
                self.runs.push_back(Run::new(layout, tier, from_block, window));
            }
        }
    }

    /// Shows `tier` of the newest epoch, from its first keyframe block at or after `from_block`. What is shown now goes on
    /// until then. Asked again, it changes nothing.
    pub fn show(&mut self, tier: TierId, from_block: u64) {
        let is_played = self.runs.len() == 1;
        let Some(run) = self.runs.back_mut() else {
            self.asked = Some((tier, from_block));
            return;
        };
        run.wanted = tier;
        let shown = self.shown.as_mut().filter(|_| is_played);
        let showing = shown.as_ref().map(|shown| shown.tier);
        if showing != Some(tier) {
            run.open(tier, from_block);
        }
        run.keep(|kept| kept == tier || Some(kept) == showing);
        if let Some(shown) = shown {
            self.switch = self.switch.filter(|switch| switch.to == tier);
            if self.switch.is_none() {
                shown.output.cut_at(None);
            }
            if shown.tier != tier {
                let (to, from) = (tier, from_block);
                self.switch.get_or_insert(Switch { to, from, plan: None });
            }
        }
    }

    /// Whether chunks of `tier` are of use: it is shown, or about to be.
    pub fn wants(&self, tier: TierId) -> bool {
        self.runs.iter().any(|run| run.intake(tier).is_some())
    }

    /// The tiers whose chunks are of use.
    pub fn tiers(&self) -> impl Iterator<Item = TierId> + '_ {
        self.runs.back().into_iter().flat_map(Run::tiers)
    }

    /// The newest epoch known.
    pub fn epoch(&self) -> Option<u64> {
        self.runs.back().map(Run::epoch)
    }

    /// The tier that is shown, if any is.
    pub fn shown_tier(&self) -> Option<TierId> {
        self.shown.as_ref().map(|shown| shown.tier)
    }

    /// Whether the last chunk may have changed what is due: it was the first of its block, or the last, or else it is still to be
    /// seen where playing begins.
    pub fn has_news(&self) -> bool {
        let settled = self.shown.is_some() && self.switch.is_none() && self.runs.len() == 1;
        self.news || !settled
    }

    /// Takes in a chunk that was verified.
    pub fn insert(&mut self, now: ChannelTime, chunk: &Chunk) -> Inserted {
        let epoch = chunk.header.epoch;
        let newest = self.epoch();
        self.news = false;
        let news = &mut self.news;
        match self.runs.iter_mut().find(|run| run.epoch() == epoch) {
            Some(run) => run.insert(now, chunk, news),
            None if newest.is_some_and(|newest| newest > epoch) => Inserted::TooOld,
            None => Inserted::UnknownLayout,
        }
    }

    /// The chunks of `stripe`, in the newest epoch, that are wanted and not there, up to the newest block seen on any
    /// stripe of its tier, and in any case those before `until`; oldest first. Those that parity stands in for are not among them.
    pub fn missing(&self, stripe: StripeId, until: u64) -> impl Iterator<Item = Missing> + '_ {
        let ring = self.runs.back().and_then(|run| run.ring(stripe.tier));
        ring.into_iter().flat_map(move |ring| {
            ring.missing(stripe, until).map(move |block| Missing {
                block,
                due: ring.captured(block).map(|captured| captured + self.buffer),
            })
        })
    }

    /// How far `stripe` has come in the newest epoch; `None` if nothing has.
    pub fn newest(&self, stripe: StripeId) -> Option<Newest> {
        self.runs.back()?.ring(stripe.tier)?.reached(stripe)
    }

    /// Hands over all that is due at `now`, in order.
    pub fn poll(&mut self, now: ChannelTime, out: &mut Vec<Play>) {
        let mut before = out.len();
        while self.step(now, out) {
            self.note_start(&out[before..]);
            before = out.len();
        }
        if self.lag > Duration::ZERO && self.is_in_time(now) {
            self.lag = Duration::ZERO;
        }
    }

    /// When [`poll`](Self::poll) has something to do, if nothing comes before.
    pub fn next_wake(&self, now: ChannelTime) -> Option<ChannelTime> {
        let next = self.next_due();
        let give_up = next.map(|due| due + GIVE_UP);
        let plan = self.switch.and_then(|switch| switch.plan).map(|plan| plan.due);
        let lag = plan.map(|due| due + switch::SWITCH_PATIENCE);
        let runs_out = next.map(|due| due + self.lag);
        let times = [
            next,
            runs_out,
            give_up,
            plan,
            lag,
            self.start_wake(now),
            self.skip_wake(now),
        ];
        times.into_iter().flatten().filter(|&time| time > now).min()
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> impl Iterator<Item = PlayoutEvent> + use<> {
        core::mem::take(&mut self.events).into_iter()
    }

    /// What playing is like at `now`.
    pub fn stats(&self, now: ChannelTime) -> PlayoutStats {
        let run = self.runs.front();
        let tier = self.shown_tier();
        let intake = run.and_then(|run| run.intake(tier.unwrap_or(run.wanted)));
        let ahead = intake.map_or(0, |intake| {
            let next = self
                .shown
                .as_ref()
                .map_or(intake.ring.first(), |shown| shown.next);
            intake.ring.complete_from(next)
        });
        PlayoutStats {
            tier,
            buffered: TICK * ahead as u32,
            stalled: self.stats.stalled + self.stall.map_or(Duration::ZERO, |since| now.since(since)),
            arrival_p99: intake.map_or(Duration::ZERO, |intake| intake.arrivals.p99(now)),
            ..self.stats
        }
    }

    /// Panics if the state contradicts itself.
    pub fn check_invariants(&self) {
        assert!(self.runs.len() <= 2, "one epoch is played, one may come next");
        assert!(
            self.shown.is_some() || self.runs.len() <= 1,
            "nothing is shown: the newest epoch is played"
        );
        self.runs.iter().for_each(Run::check_invariants);
        if let Some(shown) = &self.shown {
            let run = self.runs.front().expect("what is shown is of an epoch");
            assert!(run.ring(shown.tier).is_some(), "the tier shown is collected");
            shown.output.check_invariants();
        }
        assert!(
            self.switch.is_none() || self.shown.is_some(),
            "only what is shown is switched"
        );
    }

    fn wanted(&self) -> Option<TierId> {
        self.runs.back().map(|run| run.wanted)
    }

    /// When the next block of the tier shown is due.
    fn next_due(&self) -> Option<ChannelTime> {
        let shown = self.shown.as_ref()?;
        let ring = self.runs.front()?.ring(shown.tier)?;
        let captured = ring.captured(shown.next.max(ring.first()))?;
        Some(shown.due(captured, self.buffer))
    }

    /// Whether all that is due has been handed over, and what comes next lies ready.
    fn is_in_time(&self, now: ChannelTime) -> bool {
        let (Some(shown), Some(run)) = (&self.shown, self.runs.front()) else {
            return false;
        };
        let ready = run
            .ring(shown.tier)
            .map_or(0, |ring| ring.complete_from(shown.next));
        let enough = IN_TIME.min(ticks(self.buffer) / 2);
        self.next_due().is_some_and(|due| due > now) && ready >= enough
    }

    /// Does the next thing that is due; says whether there was one.
    fn step(&mut self, now: ChannelTime, out: &mut Vec<Play>) -> bool {
        if self.shown.is_none() {
            return self.start(now);
        }
        self.drop_slid();
        self.make_switch(now, out) || self.play_next(now, out) || self.next_epoch(now)
    }

    fn note_start(&mut self, played: &[Play]) {
        if !self.started && played.iter().any(|play| matches!(play, Play::Packet(_))) {
            self.started = true;
            self.events.push(PlayoutEvent::Started);
        }
    }

    fn start(&mut self, now: ChannelTime) -> bool {
        let Some(run) = self.runs.front() else {
            return false;
        };
        let tier = run.wanted;
        let Some(start) = run.start(tier, now, self.buffer, START_PATIENCE) else {
            return false;
        };
        self.enter(tier, start, None, false);
        true
    }

    /// Shows `tier` from its block `start` on.
    fn enter(&mut self, tier: TierId, start: u64, before: Option<Shown>, same_clock: bool) {
        let run = self.runs.front_mut().expect("what is shown is of an epoch");
        let ring = run.ring_mut(tier).expect("the tier to be shown is collected");
        ring.advance(start);
        let was = before.as_ref().map(|before| before.tier);
        if let Some(was) = was.filter(|&was| was != tier) {
            self.events.push(PlayoutEvent::TierShown { tier, was });
        }
        let output = before.map(|before| before.output);
        self.shown = Some(Shown::new(tier, start, output, same_clock, self.join));
        self.switch = None;
    }

    /// The window slid past the next block: nothing was polled for very long, or the clocks disagree.
    fn drop_slid(&mut self) {
        let (Some(shown), Some(run)) = (&mut self.shown, self.runs.front()) else {
            return;
        };
        let first = run.ring(shown.tier).map_or(0, |ring| ring.first());
        if first > shown.next {
            self.stats.blocks_lost += first - shown.next;
            shown.skip_to(first);
        }
    }

    fn play_next(&mut self, now: ChannelTime, out: &mut Vec<Play>) -> bool {
        let Some(due) = self.next_due().filter(|&due| due <= now) else {
            return false;
        };
        let (Some(shown), Some(run)) = (&mut self.shown, self.runs.front_mut()) else {
            return false;
        };
        shown.output.release(out);
        let ring = run.ring(shown.tier).expect("the tier shown is collected");
        let Some(next) = ring.get(shown.next, self.join) else {
            self.run_out(now, due);
            return now >= due + GIVE_UP && self.skip(now);
        };
        let layout = run
            .layout(next.layout)
            .expect("chunks of unknown layouts are not taken in")
            .clone();
        shown.play(&next, &layout, due, out);
        let (tier, done) = (shown.tier, shown.next);
        run.ring_mut(tier)
            .expect("the tier shown is collected")
            .advance(done);
        self.stats.latency = now.since(next.block.captured);
        self.lag = self.lag.max(now.since(due));
        self.end_stall(now);
        true
    }

    /// A block that was due at `due` is not there: the screen may have something to show yet.
    fn run_out(&mut self, now: ChannelTime, due: ChannelTime) {
        let since = due + self.lag;
        if self.started && self.stall.is_none() && since <= now {
            self.stall = Some(since);
            self.stats.stalls += 1;
            self.events.push(PlayoutEvent::Stall);
        }
    }

    /// Something was handed over.
    fn end_stall(&mut self, now: ChannelTime) {
        if let Some(since) = self.stall.take() {
            let stood = now.since(since);
            self.stats.stalled += stood;
            let ms = stood.as_millis() as u64;
            self.events.push(PlayoutEvent::Resumed { ms });
        }
    }

    /// When the run that is to begin may do so.
    fn start_wake(&self, now: ChannelTime) -> Option<ChannelTime> {
        let run = self.runs.back()?;
        if self.shown.is_some() && self.runs.len() == 1 {
            return None;
        }
        run.start_wake(run.wanted, now, self.buffer, START_PATIENCE)
    }
}

/// `time` in ticks.
fn ticks(time: Duration) -> u64 {
    (time.as_millis() / TICK.as_millis()) as u64
}

#[cfg(test)]
mod tests;
