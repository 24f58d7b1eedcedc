//! A relay ends: given up, lost, drained or left to run on.

use super::super::{Phase, Viewer};
use super::{Sponsored, Stage};
use crate::io::{CloudOrder, EndReason, Outbox, Output};
use crate::time::{Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::control::Message;
use crate::wire::order::Order;

/// How long a relay that was lost may take to be found again.
const LOST_PATIENCE: Duration = Duration::from_secs(30);

impl Viewer {
    pub(super) fn is_relay_over(&self, now: Instant, at: usize) -> Option<EndReason> {
        let relay = &self.sponsoring.relays[at];
        let is_late = relay
            .launched
            .as_ref()
            .is_some_and(|launched| now >= launched.until);
        let linked = relay.key.is_some_and(|key| self.links.to(&key).is_some());
        match relay.stage {
            Stage::Launching | Stage::Serving => None,
            Stage::Booting(_) | Stage::Dialling(_) | Stage::Proving { .. } => {
                is_late.then_some(EndReason::Late)
            }
            Stage::Lost(since) => (now >= since + LOST_PATIENCE).then_some(EndReason::Lost),
            Stage::Draining(why) => (!linked).then_some(why),
        }
    }

    /// A relay is gone, or is given up: nothing is left running. `end` says why it is to be ended, if it is not known to be over.
    pub(super) fn lose_relay(&mut self, now: Instant, at: usize, end: Option<EndReason>, out: &mut Outbox) {
        let relay = self.sponsoring.relays.remove(at);
        if let Stage::Dialling(link) | Stage::Proving { link, .. } = relay.stage {
            let code = CloseCode::Done;
            out.push(Output::Close { link, code });
        }
        if let Some(link) = relay.key.and_then(|key| self.links.to(&key)).map(|link| link.id) {
            self.close_link(now, link, CloseCode::Done, out);
        }
        if let Some(why) = end {
            let relay = relay.number;
            out.push(Output::Cloud(CloudOrder::Terminate { relay, why }));
        }
        let (round, relay) = (relay.round, relay.key.map(|key| key.tag()));
        self.tell_coordinator(&Message::NoRelay { round, relay }, out);
    }

    /// This person wants one relay no longer.
    pub(in crate::role::viewer) fn end_relay(&mut self, now: Instant, number: u64, out: &mut Outbox) {
        let Some(at) = self.sponsoring.find(|relay| relay.number == number) else {
            return;
        };
        match self.sponsoring.relays[at].stage {
            Stage::Serving => self.drain_relay(now, at, EndReason::Done, out),
            _ => self.lose_relay(now, at, Some(EndReason::Done), out),
        }
    }

    /// The coordinator has no use for the relay of a round: nobody is to pay for it any longer.
    pub(in crate::role::viewer) fn end_unwanted(&mut self, now: Instant, round: u64, out: &mut Outbox) {
        let is_offered = |relay: &Sponsored| matches!(relay.stage, Stage::Serving | Stage::Lost(_));
        let mut relays = self.sponsoring.relays.iter();
        // A broadcaster that was restarted counts its rounds anew.
        if let Some(at) = relays.rposition(|relay| relay.round == round && is_offered(relay)) {
            self.drain_relay(now, at, EndReason::Unwanted, out);
        }
    }

    fn drain_relay(&mut self, now: Instant, at: usize, why: EndReason, out: &mut Outbox) {
        self.order(now, at, Order::Drain, out);
        self.sponsoring.relays[at].stage = Stage::Draining(why);
    }

    /// This person leaves, and so do its relays, unless they are to run on: each hands its children over first.
    pub(in crate::role::viewer) fn dismiss_relays(&mut self, now: Instant, out: &mut Outbox) {
        if self.sponsoring.run_on {
            return;
        }
        for at in 0..self.sponsoring.relays.len() {
            if matches!(self.sponsoring.relays[at].stage, Stage::Serving | Stage::Lost(_)) {
                self.drain_relay(now, at, EndReason::Done, out);
            }
        }
    }

    /// The end: whatever does not run on is ended.
    pub(in crate::role::viewer) fn end_relays(&mut self, out: &mut Outbox) {
        for relay in core::mem::take(&mut self.sponsoring.relays) {
            let serves = matches!(relay.stage, Stage::Serving | Stage::Lost(_));
            if !(self.sponsoring.run_on && serves) {
                let (relay, why) = (relay.number, EndReason::Done);
                out.push(Output::Cloud(CloudOrder::Terminate { relay, why }));
            }
        }
    }

    /// Whether this person need not wait for anything of its relays.
    pub(in crate::role::viewer) fn relays_are_done(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_)) && !self.sponsoring.is_draining()
    }
}
