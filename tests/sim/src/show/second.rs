//! Once a simulated second: everything is checked, and what the result needs is sampled.

use super::stop_watch::StopWatch;
use super::{Alarm, Show};
use crate::check::{Broken, least_depth};
use crate::net::{MILLISECOND, Micros, SECOND};
use crate::score::{SimResult, percentile};
use crate::world::NodeIndex;
use banyan_protocol::media::TierId;
use banyan_protocol::overlay::Overlay;
use std::collections::BTreeMap;

/// So long after the last fault everybody must be at the live edge.
const SETTLED_WITHIN: Micros = 10 * SECOND;

/// So long after the last fault the coordinator's picture is what is.
const AGREED_WITHIN: Micros = 30 * SECOND;

/// So many hundredths of what is needed are more than enough.
const AMPLE_PERCENT: u64 = 130;

/// So many of those who are not at the live edge are named.
const LATE_NAMED: usize = 8;

/// Slots are counted over the last so much of the time without faults.
const SLOTS_WINDOW: Micros = 120 * SECOND;

/// A second's samples, summed.
#[derive(Debug, Default)]
pub(super) struct Samples {
    seconds: u64,
    served: f64,
    ceiling: f64,
    viewer_seconds: u64,
    data_bytes: u64,
    copies_max: f64,
    /// The last time after faults had stopped that somebody was not at the live edge, and who.
    late: Option<(Micros, Vec<NodeIndex>)>,
    /// The last time after faults had stopped that somebody did not hang where the coordinator believed.
    astray: Option<Broken>,
    /// The last time after faults had stopped that somebody had less than the full stream, and there was plenty.
    less: Option<Broken>,
    /// Since when viewers lack the full stream while there is room.
    kept_low: BTreeMap<NodeIndex, Micros>,
    kept_low_max: Micros,
}

impl Show {
    pub(super) fn second(&mut self) -> Result<(), Broken> {
        self.world.set_alarm(self.world.now() + SECOND, Alarm::Second);
        let (now, handled) = (self.world.now(), self.world.handled());
        if let Some(pulse) = &mut self.world.watch.pulse {
            pulse.beat(now, handled);
        }
        if self.tells_late {
            self.tell_late();
        }
        self.checks.whole(&self.world)?;
        self.world.watch.broken()?;
        self.sample();
        self.see_who_is_live();
        self.sample_kept_low();
        if self.tells_room {
            self.tell_room();
        }
        if now > self.quiet_from() {
            self.see_who_is_by_plan();
            self.see_who_has_less();
        }
        Ok(())
    }

    /// When the uplinks that anybody can reach are more than enough, notes who does not have the full stream.
    fn see_who_has_less(&mut self) {
        let now = self.world.now();
        let prices = self.world.watch.prices.clone();
        let (top, slot) = (prices.top(), prices.slot(prices.top()));
        let open = |node: &NodeIndex| Some(&self.world.watch.seats[node].person).filter(|person| !person.nat);
        let reachable = self
            .watching()
            .filter_map(|node| Some(open(&node)?.uplink.slots(slot)));
        let slots = self.source_uplink.slots(slot) + reachable.sum::<u64>();
        let demand = self.watching().count() as u64 * u64::from(prices.stripes(top));
        let less: Vec<_> = self.playing().filter(|(_, tier)| *tier < top).collect();
        self.checks.count += 1;
        if !less.is_empty() && slots * 100 >= demand * AMPLE_PERCENT {
            let what = format!("{slots} slots for {demand}, and yet these play less (node, tier): {less:?}");
            self.samples.less = Some(Broken { at: now, what });
        }
    }

    /// Notes who hangs elsewhere than the coordinator believes.
    fn see_who_is_by_plan(&mut self) {
        for node in self.watching().collect::<Vec<_>>() {
            if let Err(astray) = self.checks.by_plan(&self.world, node) {
                self.samples.astray = Some(astray);
            }
        }
    }

    /// How long after the end of faults this was seen last.
    fn after_faults(&self, seen: Option<&Broken>) -> Micros {
        seen.map_or(0, |seen| seen.at - self.quiet_from())
    }

    /// What was not as it should be when it had to be, the last time that it was so, each in a sentence.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let seen = [&self.samples.astray, &self.samples.less].into_iter().flatten();
        let overdue = seen.filter(|seen| self.after_faults(Some(seen)) > AGREED_WITHIN);
        self.late()
            .into_iter()
            .chain(overdue.map(ToString::to_string))
            .chain(self.wrongly_named())
            .collect()
    }

    /// Whom the broadcaster named though they do no wrong, where somebody does.
    fn wrongly_named(&self) -> impl Iterator<Item = String> + '_ {
        let wrongs = &self.world.watch.wrongs;
        let watched = wrongs.count() > 0 || wrongs.crowd_share() > 0.0;
        let named = wrongs.wrongly_named.iter().filter(move |_| watched);
        named.map(|(peer, (at, what))| {
            let (node, second) = (self.checks.node(peer), *at as f64 / SECOND as f64);
            format!("node {node:?} is named at {second:.3} s: it {what}")
        })
    }

    /// Viewers who watch, as far as the world knows.
    pub(super) fn watching(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let nodes = self.cast.iter().copied();
        nodes.filter(|node| self.world.node(*node).is_here())
    }

    /// Viewers who play what is live, and which tier.
    fn playing(&self) -> impl Iterator<Item = (NodeIndex, TierId)> + '_ {
        let now = self.world.now();
        self.watching().filter_map(move |node| {
            let seat = &self.world.watch.seats[&node];
            Some((node, seat.tier.filter(|_| seat.is_live(now))?))
        })
    }

    fn sample(&mut self) {
        let now = self.world.now();
        self.samples.viewer_seconds += self.watching().count() as u64;
        let data = self.world.watch.data_bytes;
        let rate = 8.0 * (data - self.samples.data_bytes) as f64;
        let copies = rate / self.world.watch.prices.copy().as_bps() as f64;
        self.samples.data_bytes = data;
        self.samples.copies_max = self.samples.copies_max.max(copies);
        let from = (self.quiet_from() + SETTLED_WITHIN).max(self.end().saturating_sub(SLOTS_WINDOW));
        if now > from {
            let (served, ceiling) = self.slots();
            self.samples.seconds += 1;
            self.samples.served += served;
            self.samples.ceiling += ceiling;
        }
    }

    /// Who lacks the full stream by the coordinator's own plan while, as it counts, there is room for one more: and since
    /// when.
    fn sample_kept_low(&mut self) {
        let now = self.world.now();
        let plan = self
            .world
            .node(self.source)
            .machine()
            .and_then(|machine| machine.plan());
        let roomy = |plan: &&Overlay| plan.room().free >= plan.stripes().top_len() as u64;
        let low: BTreeMap<NodeIndex, Micros> = plan.filter(roomy).map_or_else(BTreeMap::new, |plan| {
            let lacks = |node: &NodeIndex| {
                let member = plan.find(&self.world.node(*node).id);
                member.is_some_and(|member| plan.member(member).tier != plan.stripes().top())
            };
            let since = |node| (node, *self.samples.kept_low.get(&node).unwrap_or(&now));
            self.watching().filter(lacks).map(since).collect()
        });
        let longest = low.values().map(|since| now - since).max().unwrap_or(0);
        self.samples.kept_low_max = self.samples.kept_low_max.max(longest);
        self.samples.kept_low = low;
    }

    /// Slots of the full stream that reach viewers now, and how many could.
    fn slots(&self) -> (f64, f64) {
        let now = self.world.now();
        let prices = &self.world.watch.prices;
        let slot = prices.slot(prices.top());
        let mut slots = self.source_uplink.slots(slot);
        let (mut served, mut viewers) = (0.0, 0);
        for node in self.watching() {
            let seat = &self.world.watch.seats[&node];
            slots += seat.person.uplink.slots(slot);
            viewers += 1;
            if let Some(tier) = seat.tier.filter(|_| seat.is_live(now)) {
                served += prices.weight(tier);
            }
        }
        let demand = viewers * u64::from(prices.stripes(prices.top()));
        (served, slots.min(demand) as f64)
    }

    /// When faults have stopped, notes who does not play what is live though it had the time to.
    fn see_who_is_live(&mut self) {
        let now = self.world.now();
        if now <= self.quiet_from() {
            return;
        }
        let late = self.watching().filter(|node| {
            let seat = &self.world.watch.seats[node];
            seat.joined + SETTLED_WITHIN < now && !seat.is_live(now)
        });
        let late: Vec<NodeIndex> = late.collect();
        self.checks.count += 1;
        if !late.is_empty() {
            self.samples.late = Some((now, late));
        }
    }

    /// How long after the end of faults somebody was still not at the live edge.
    fn live_after(&self) -> Micros {
        let last = self.samples.late.as_ref().map(|(at, _)| *at);
        last.map_or(0, |at| at - self.quiet_from())
    }

    /// Who was not at the live edge when everybody had to be, in a sentence; the last time that it was so.
    fn late(&self) -> Option<String> {
        let (at, nodes) = self.samples.late.as_ref()?;
        if self.live_after() <= SETTLED_WITHIN {
            return None;
        }
        let seen = |node: &NodeIndex| {
            let seat = &self.world.watch.seats[node];
            (*node, seat.tier, seat.last)
        };
        let some: Vec<_> = nodes.iter().take(LATE_NAMED).map(seen).collect();
        let (at, stopped) = (at / SECOND, self.quiet_from() / SECOND);
        Some(format!(
            "faults stopped at {stopped} s, and at {at} s {} were not at the live edge, among them (node, tier, last \
             played) {some:?}",
            nodes.len()
        ))
    }

    pub(super) fn print_ledger(&self) {
        if let Some(ledger) = &self.world.watch.ledger {
            eprintln!("{}", ledger.table(self.samples.viewer_seconds.max(1) as f64));
        }
    }

    pub(super) fn result(&self, watch: &StopWatch) -> SimResult {
        let (now, score) = (self.world.now(), &self.world.watch);
        let (cheat_favoured, fed_by_cheats) = self.cheats_gain();
        let wrongs = &score.wrongs;
        let top = score.prices.top();
        let playing: Vec<(NodeIndex, TierId)> = self.playing().collect();
        let slots = |node: &NodeIndex| score.seats[node].person.uplink.slots(score.prices.slot(top));
        let uplinks: Vec<u64> = playing.iter().map(|(node, _)| slots(node)).collect();
        let seats = playing
            .iter()
            .map(|(_, tier)| u64::from(score.prices.stripes(*tier)))
            .sum();
        let served_full = playing.iter().filter(|(_, tier)| *tier == top).count();
        let source_slots = self.source_uplink.slots(score.prices.slot(top));
        let seconds = self.samples.seconds.max(1) as f64;
        let due: u64 = score.seats.values().map(|seat| seat.due(now)).sum();
        let in_time: u64 = score.seats.values().map(|seat| seat.in_time).sum();
        SimResult {
            t: now / 1000,
            seed: self.seed,
            viewers: self.watching().count(),
            sim_s: now as f64 / SECOND as f64,
            wall_ms: watch.wall_ms(),
            cpu_ms: watch.thread_ms(),
            trace_hash: format!("{:016x}", self.world.trace()),
            served_full,
            degraded: playing.len() - served_full,
            refused: score.refused,
            kept_low_s: self.samples.kept_low_max / SECOND,
            slots_served: self.samples.served / seconds,
            slots_ceiling: self.samples.ceiling / seconds,
            agreed_after_s: self.after_faults(self.samples.astray.as_ref()) as f64 / SECOND as f64,
            full_after_s: self.after_faults(self.samples.less.as_ref()) as f64 / SECOND as f64,
            live_after_s: self.live_after() as f64 / SECOND as f64,
            depth_mean: self.checks.mean_depth(playing.iter().copied()).unwrap_or(0.0),
            depth_least: least_depth(source_slots, &uplinks, seats),
            startup_ms_p95: percentile(&score.startups_ms, 95),
            continuity: if due == 0 {
                1.0
            } else {
                (in_time as f64 / due as f64).min(1.0)
            },
            stalls: score.stalls.all,
            stalls_settled: score.stalls.settled,
            stalls_kept: score.stalls.kept(),
            repair_ms_p95: percentile(&score.repairs_ms, 95),
            strangers_moved: self.checks.strangers_moved(),
            moved_again: self.checks.moved_again(),
            control_bps_per_viewer: 8.0 * score.control_bytes as f64
                / self.samples.viewer_seconds.max(1) as f64,
            source_copies_max: self.samples.copies_max,
            cheats: wrongs.count().max(self.cheats_planned()),
            cheats_named: wrongs.named.len() as u64,
            named_after_ms: wrongs.named_after() / MILLISECOND,
            wrongly_named: wrongs.wrongly_named.len() as u64,
            stalls_by_cheats: wrongs.stalls,
            cheat_favoured,
            fed_by_cheats,
            sponsor_stalls: wrongs.sponsor_stalls,
            sponsor_falls: wrongs.sponsor_falls,
            sponsor_blocks_lost: wrongs.sponsors_lost(),
            sheds: self.sheds,
            unfair_sheds: self.unfair_sheds,
            prompts_by_crowd: wrongs.prompts_max(),
            crowd_share: wrongs.crowd_share(),
            faults: self.faults,
            invariant_checks: self.checks.count,
        }
    }
}
