//! What is looked at again and again: four times a second, each second, and every few seconds.

use super::Broadcaster;
use crate::event::{Capacity, Event, Stats};
use crate::io::Outbox;
use crate::overlay::member::{MemberIndex, State};
use crate::time::{Duration, Instant};

/// Suspects, shortages and newcomers are looked at this often beside what happens.
pub(super) const REVIEW: Duration = Duration::from_millis(250);

/// Seconds between looks for shorter trees and better spares.
const LOOKS_EVERY: u64 = 5;

/// Seconds after which a spare that takes a new ticket, or a new class, is told if nothing else is: tickets are most of what the coordinator
/// sends.
const SMALL_NEWS_EVERY: u64 = 5;

/// The same where more watch than a crowd: somebody always comes and somebody always fails there, and what changes again before it is told costs
/// nothing.
const SMALL_NEWS_EVERY_CROWDED: u64 = 10;
const CROWD: usize = 50;

impl Broadcaster {
    pub(super) fn review(&mut self, now: Instant, out: &mut Outbox) {
        self.next_review = now + REVIEW;
        self.judge_suspects(now, out);
        self.end_adoption(now);
        self.shut_out_silent(now, out);
        self.tend_relays(now, out);
        self.seat_awaiting(now);
        self.promote(now);
        self.feed_hungry(now);
        self.manage_shortage(now, out);
    }

    pub(super) fn on_second(&mut self, now: Instant, out: &mut Outbox) {
        self.next_second += Duration::from_secs(1);
        self.next_second = self.next_second.max(now + Duration::from_millis(500));
        self.overlay.expire(now);
        self.judge_late(now);
        self.weigh_relays(now, out);
        self.name_slanderers(now, out);
        self.watch_sponsors(now, out);
        self.overlay.raise_grants(now, self.short.len());
        self.review_trees(now);
        self.amend_orders(now, out);
        self.renew_tickets(now);
        if self.source.adapt_rates() {
            self.take_layout(now);
        }
        self.report_capacity(out);
        let (up_bytes, down_bytes) = self.wire;
        let children = self.forwarder.child_count();
        out.event(Event::Stats(Stats {
            up_bytes,
            down_bytes,
            children,
            viewer: None,
        }));
    }

    /// Trees are made shorter, and spares that cannot stand in, or have no room, are replaced.
    fn review_trees(&mut self, now: Instant) {
        let second = now.since(self.started).as_secs();
        if second.is_multiple_of(LOOKS_EVERY) {
            self.overlay.review_spares();
            if self.is_calm(now) {
                self.shorten_trees(now);
            }
        }
        let every = match self.overlay.viewer_count() {
            0..=CROWD => SMALL_NEWS_EVERY,
            _ => SMALL_NEWS_EVERY_CROWDED,
        };
        if second.is_multiple_of(every) {
            self.overlay.change_all();
        }
    }

    fn shorten_trees(&mut self, now: Instant) {
        if self.short.is_empty() {
            self.overlay.improve(now);
        }
        let moves = self.overlay.viewer_count().div_ceil(10).max(2);
        self.overlay.exchange(now, moves);
        self.overlay.relieve_relays(now, moves);
    }

    fn report_capacity(&mut self, out: &mut Outbox) {
        let capacity = self.capacity();
        if self.capacity.as_ref() != Some(&capacity) {
            out.event(Event::Capacity(capacity.clone()));
            self.capacity = Some(capacity);
        }
    }

    pub(super) fn capacity(&self) -> Capacity {
        let room = self.overlay.room();
        let top = self.overlay.stripes().top();
        let full = |member: &MemberIndex| top.is_some() && self.overlay.member(*member).tier == top;
        let goes = |member: &MemberIndex| self.overlay.member(*member).state == State::Leaving;
        let viewers = self.announced.len();
        let full = self.overlay.viewers().filter(full).count();
        let leaving = self.overlay.viewers().filter(goes).count();
        Capacity {
            viewers,
            full,
            degraded: viewers.saturating_sub(full + leaving),
            refused: self.refused,
            slots_total: room.total,
            slots_used: room.used,
            places_left: room.free / (self.overlay.stripes().top_len() as u64).max(1),
            relays: self.relays_at_work(),
            slot_bps: self.overlay.stripes().top_slot().as_bps(),
        }
    }
}
