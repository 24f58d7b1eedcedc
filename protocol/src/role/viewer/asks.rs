//! Questions to the person: whether to sponsor.

use super::Viewer;
use crate::event::Event;
use crate::io::{CloudOrder, Outbox, Output};
use crate::limits::REGIONS_MAX;
use crate::time::{Duration, Instant};
use crate::wire::control::{Ask, Message, RoundKind, WithdrawReason};
use crate::wire::region::RegionName;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Questions that are open at once; the coordinator has one round a shortage.
const OPEN_MAX: usize = 4;

/// How long after its deadline a question is kept for the coordinator's last word on it.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    round: u64,
    deadline: Instant,
    answered: bool,
    /// Where the relay would be near to those whom it is for, the nearest first.
    near: Vec<RegionName>,
}

impl Question {
    /// As the person is told.
    pub(super) fn id(&self) -> String {
        id_of(self.round)
    }

    /// Whether an answer still counts.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        !self.answered && now < self.deadline
    }
}

fn id_of(round: u64) -> String {
    format!("r{round}")
}

/// The questions, oldest first.
#[derive(Debug, Default)]
pub(super) struct Asks {
    pub(super) questions: Vec<Question>,
    /// Where a relay would be near to those whom it is for, as the coordinator said last.
    pub(super) near: Vec<RegionName>,
    /// It was asked once how far regions are.
    located: bool,
}

impl Asks {
    /// Drops what is long over, and says which question was never answered or withdrawn.
    fn expire(&mut self, now: Instant) {
        self.questions.retain(|ask| now < ask.deadline + AFTERWARDS);
    }
}

impl Viewer {
    pub(super) fn on_ask(&mut self, now: Instant, ask: &Ask, out: &mut Outbox) {
        self.asks.expire(now);
        if self.config.sponsor.is_none() {
            let (round, yes) = (ask.round, false);
            return self.tell_coordinator(&Message::Answer { round, yes }, out);
        }
        let known = self.asks.questions.iter().any(|known| known.round == ask.round);
        if known || self.asks.questions.len() == OPEN_MAX {
            return;
        }
        let wait = Duration::from_millis(u64::from(ask.deadline_ms));
        let near = self.asks.near.clone();
        self.asks.questions.push(Question {
            round: ask.round,
            deadline: now + wait,
            answered: false,
            near: near.clone(),
        });
        out.event(Event::SponsorRequest {
            id: id_of(ask.round),
            reason: reason(ask),
            deadline_s: ask.deadline_ms.div_ceil(1000),
            estimate_usd_per_hour: 0.0,
            helps: ask.helps,
            missing_bps: ask.missing.as_bps(),
            near,
        });
    }

    /// How far are regions from here? That is found out once, and only for who may be asked to sponsor: their provider is whom that shows
    /// this address to. Where the broadcaster is on this machine, there is nothing to find out.
    pub(super) fn on_locate(&mut self, out: &mut Outbox) {
        if self.config.sponsor.is_none() || core::mem::replace(&mut self.asks.located, true) {
            return;
        }
        if self.dials.is_at_home() {
            return self.on_located(Vec::new(), out);
        }
        out.push(Output::Cloud(CloudOrder::Locate));
    }

    /// So far they are.
    pub(super) fn on_located(&mut self, mut round_trips: Vec<(RegionName, u16)>, out: &mut Outbox) {
        round_trips.truncate(REGIONS_MAX);
        self.tell_coordinator(&Message::Located { round_trips }, out);
    }

    pub(super) fn on_withdraw(&mut self, now: Instant, round: u64, why: WithdrawReason, out: &mut Outbox) {
        if why == WithdrawReason::Unavailable {
            self.end_unwanted(now, round, out);
        }
        let before = self.asks.questions.len();
        self.asks.questions.retain(|ask| ask.round != round);
        if self.asks.questions.len() < before {
            out.event(Event::SponsorWithdrawn {
                id: id_of(round),
                why,
            });
        }
    }

    /// The person's answer; to the newest open question if it names none. One to an expired or unknown question is
    /// passed over.
    pub(super) fn on_answer(&mut self, now: Instant, id: Option<&str>, yes: bool, out: &mut Outbox) {
        let named = |ask: &Question| id.is_none_or(|id| ask.id() == id);
        let mut open = self.asks.questions.iter_mut().rev();
        let Some(ask) = open.find(|ask| ask.is_open(now) && named(ask)) else {
            return;
        };
        ask.answered = true;
        let round = ask.round;
        if yes {
            let near = ask.near.clone();
            self.sponsoring.pledge(round, near);
        }
        self.tell_coordinator(&Message::Answer { round, yes }, out);
    }
}

fn reason(ask: &Ask) -> String {
    let who = match ask.kind {
        RoundKind::Joiner => "there is no room for you at full quality",
        RoundKind::Orphans => "a viewer left, and what it passed on is missing",
        RoundKind::Leaves => "the viewers' uplinks do not suffice for all",
    };
    format!("{who}: {} are missing", ask.missing)
}
