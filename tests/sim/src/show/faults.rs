//! What goes wrong.

use super::{Alarm, Show};
use crate::chance::Chance;
use crate::net::{Micros, SECOND};
use crate::world::NodeIndex;
use banyan_protocol::io::{Command, Input};

/// Who went is replaced after so many seconds at most.
const REPLACED_WITHIN: Micros = 5 * SECOND;

/// A killed broadcaster is away for so long at least, and so much longer at most.
const AWAY: (Micros, Micros) = (2 * SECOND, 20 * SECOND);

/// Rates of faults a second, drawn once a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FaultRates {
    leaves: f64,
    crashes: f64,
    freezes: f64,
}

impl FaultRates {
    fn sum(&self) -> f64 {
        self.leaves + self.crashes + self.freezes
    }
}

impl Show {
    pub(super) fn plan_faults(&mut self) {
        let faults = &self.scenario.faults;
        let scale = self.scenario.viewers as f64 / 100.0 / 60.0;
        let mut draw = |range: &crate::scenario::Range| range.draw(&mut self.rng) * scale;
        self.rates = FaultRates {
            leaves: draw(&faults.leaves),
            crashes: draw(&faults.crashes),
            freezes: draw(&faults.freezes),
        };
        let from = (faults.from_s * 1e6) as Micros;
        self.plan_fault(from);
        let span = self.quiet_from().saturating_sub(from + AWAY.0 + AWAY.1).max(1);
        for _ in 0..self.scenario.source.restarts {
            let at = from + self.rng.below(span);
            self.world.set_alarm(at, Alarm::KillSource);
        }
    }

    fn plan_fault(&mut self, after: Micros) {
        if self.rates.sum() <= 0.0 {
            return;
        }
        let apart = (self.scenario.faults.apart_s * 1e6) as Micros;
        let wait = (self.rng.until_next(self.rates.sum()) * 1e6) as Micros;
        let at = after + wait.max(apart);
        if at < self.quiet_from() {
            self.world.set_alarm(at, Alarm::Fault);
        }
    }

    pub(super) fn fault(&mut self) {
        self.plan_fault(self.world.now());
        let Some(victim) = self.victim() else { return };
        self.count_fault();
        let kind = self.rng.unit() * self.rates.sum();
        if kind < self.rates.leaves {
            self.checks.disturbed();
            self.world.tell(victim, Input::Command(Command::Leave));
            self.gone(victim);
        } else if kind < self.rates.leaves + self.rates.crashes {
            self.checks.failed(&self.world, victim);
            self.world.crash(victim);
            self.gone(victim);
        } else {
            self.freeze(victim);
        }
    }

    /// Somebody who watches, and if the scenario says so, feeds others.
    fn victim(&mut self) -> Option<NodeIndex> {
        let interior = self.scenario.faults.interior_only;
        let fits = |node: &NodeIndex| {
            let node = self.world.node(*node);
            let feeds = || {
                node.machine()
                    .is_some_and(|machine| !machine.children().is_empty())
            };
            node.runs() && (!interior || feeds())
        };
        let all: Vec<NodeIndex> = self.cast.iter().copied().filter(fits).collect();
        (!all.is_empty()).then(|| all[self.rng.below(all.len() as u64) as usize])
    }

    /// Somebody leaves for good.
    pub(super) fn one_leaves(&mut self) {
        let all: Vec<NodeIndex> = self.cast.iter().copied().collect();
        if all.is_empty() {
            return;
        }
        let node = all[self.rng.below(all.len() as u64) as usize];
        self.world.tell(node, Input::Command(Command::Leave));
        self.goes(node);
    }

    pub(super) fn count_fault(&mut self) {
        self.faults += 1;
        self.last_fault = self.world.now();
    }

    pub(super) fn goes(&mut self, node: NodeIndex) {
        let now = self.world.now();
        if let Some(seat) = self.world.watch.seats.get_mut(&node) {
            seat.leave(now);
        }
        self.cast.remove(&node);
    }

    fn gone(&mut self, node: NodeIndex) {
        self.goes(node);
        if self.rng.happens(self.scenario.faults.replaced) {
            let at = self.world.now() + self.rng.below(REPLACED_WITHIN);
            self.world.set_alarm(at, Alarm::Join);
        }
    }

    /// A frozen viewer goes on before faults must have stopped.
    fn freeze(&mut self, node: NodeIndex) {
        self.checks.failed(&self.world, node);
        let span = self.scenario.faults.freeze_s.draw_seconds(&mut self.rng);
        let until = (self.world.now() + span).min(self.quiet_from());
        self.world.freeze(node);
        let now = self.world.now();
        if let Some(seat) = self.world.watch.seats.get_mut(&node) {
            seat.excuse(now, until);
        }
        self.world.set_alarm(until, Alarm::Thaw(node));
    }

    pub(super) fn kill_source(&mut self) {
        if !self.world.node(self.source).is_here() {
            return;
        }
        self.faults += 1;
        self.world.crash(self.source);
        let away = AWAY.0 + self.rng.below(AWAY.1 - AWAY.0);
        let now = self.world.now();
        for seat in self.world.watch.seats.values_mut() {
            seat.excuse(now, now + away);
        }
        self.world.set_alarm(now + away, Alarm::StartSource);
    }
}
