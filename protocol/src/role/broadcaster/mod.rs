//! The broadcaster: source of every tree, and the coordinator that decides who hangs where.
//!
//! Split by concern: `source` makes chunks, `membership` lets people in and out, `orders` tells members their places, and `amendments` their new spares,
//! `routes` says how they are reached, `trouble` deals with failures, `late` with uplinks that do not suffice, `ration` gives everybody what there is, `shortage` asks for more, `nearness` finds out where,
//! `offers`, `relays` and `partings` are about what sponsors lend, `cheats` weighs what members hold against each other. This file takes inputs apart and keeps the time.

mod amendments;
mod cheats;
mod late;
mod membership;
mod nearness;
mod offers;
mod orders;
mod partings;
mod ration;
mod relays;
mod routes;
mod shortage;
pub mod snapshot;
mod source;
mod trouble;

use crate::event::{Capacity, Event, Stats};
use crate::id::PeerId;
use crate::io::{Command, Ended, Input, Lane, LinkEnd, LinkId, Machine, Outbox, Output};
use crate::limits::INBOUND_LINKS_MAX;
use crate::media::TierId;
use crate::media::forward::{Config as ForwarderConfig, Forwarder};
use crate::overlay::Overlay;
use crate::overlay::admission::Admission;
use crate::overlay::member::{Member, MemberIndex, State};
use crate::overlay::nearness::RoundTrips;
use crate::overlay::reach::{Prefix, Reach};
use crate::overlay::stripes::{StripeIndex, Stripes};
use crate::role::config::BroadcasterConfig;
use crate::time::{ChannelClock, Duration, Instant, TICK};
use crate::units::Bitrate;
use crate::wire::close::CloseCode;
use crate::wire::control::{Hello, Message, Resume, TierReason};
use crate::wire::ticket::{Class, Grant};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use ration::Cause;
use relays::Relay;
use routes::Route;
use source::Source;
pub use source::stripes_for;

/// The largest buffer that a viewer may ask a start for: what peers keep.
const BUFFER_MS_MAX: u32 = 8_000;

/// Suspects, shortages and newcomers are looked at this often beside what happens.
const REVIEW: Duration = Duration::from_millis(250);

/// Seconds between moves that shorten the trees, and after which a spare that takes a new ticket, or a new class, is told if nothing else is. Tickets are most of what the coordinator sends.
const SMALL_NEWS_EVERY: u64 = 5;

/// A stranger who has not said hello by then is shut out; so is one that was turned away and stays.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// More ticks than this are not caught up after the process stood still; the media clock jumps instead.
const CATCH_UP_MAX: u64 = 20;

/// What the smoothers hold goes out before the channel ends, but for so long at most.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// After the end was said, chunks still under way are delivered.
const LINGER: Duration = Duration::from_millis(700);

/// A link, and whose it is.
struct Stranger {
    peer: PeerId,
    address: SocketAddr,
    since: Instant,
    hello_taken: bool,
    member: Option<MemberIndex>,
}

/// What is known of where a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Whereabouts {
    /// It was never asked.
    #[default]
    Unknown,
    /// It has been asked.
    Asked,
    /// Regions are that far from it, as it says.
    Said(RoundTrips),
}

/// What the coordinator keeps of a member besides its places.
struct Contact {
    route: Route,
    address: SocketAddr,
    /// When it last said anything.
    heard: Instant,
    /// Of its newest ticket.
    serial: u32,
    expires: Option<Instant>,
    /// What it was told last, so that it isn't told twice.
    order: Option<Order>,
    /// Who sends it which stripe, as it has said last.
    sits: BTreeMap<StripeIndex, MemberIndex>,
    late_since: Option<Instant>,
    /// What it sent by its last report.
    sending: Bitrate,
    /// Relays that it offered and that were none.
    spurious_offers: u8,
    whereabouts: Whereabouts,
}

impl Contact {
    fn new(route: Route, address: SocketAddr, heard: Instant) -> Self {
        Self {
            route,
            address,
            heard,
            // A key that comes back gets greater serials than it had: parents take no older ticket.
            serial: (heard.as_micros() / 100_000) as u32,
            expires: None,
            order: None,
            sits: BTreeMap::new(),
            late_since: None,
            sending: Bitrate::ZERO,
            spurious_offers: 0,
            whereabouts: Whereabouts::Unknown,
        }
    }
}

/// The part of an `Assign` that counts.
#[derive(PartialEq, Eq)]
struct Order {
    tier: TierId,
    why: TierReason,
    class: Class,
    grants: Vec<Grant>,
}

/// A newcomer whose first place waits for the dial-back.
struct Joining {
    until: Instant,
}

/// How far the end of the channel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    OnAir,
    /// What the smoothers hold still goes out.
    Flushing {
        until: Instant,
    },
    /// Everybody has been told.
    Ending {
        at: Instant,
    },
    Over,
}

/// The state machine of a broadcaster.
pub struct Broadcaster {
    config: BroadcasterConfig,
    clock: ChannelClock,
    started: Instant,
    phase: Phase,
    source: Source,
    forwarder: Forwarder,
    overlay: Overlay,
    admission: Admission,
    links: BTreeMap<LinkId, Stranger>,
    contacts: BTreeMap<MemberIndex, Contact>,
    relays: BTreeMap<MemberIndex, Relay>,
    /// Links to relays that are being dialled.
    dialled: BTreeMap<LinkId, MemberIndex>,
    last_dialled: u64,
    lobby: Vec<(LinkId, Hello)>,
    joining: BTreeMap<MemberIndex, Joining>,
    adoptions: BTreeMap<MemberIndex, Resume>,
    /// Members with less than the full stream.
    short: BTreeMap<MemberIndex, Cause>,
    /// Those of them about whom it was decided that they stay so for now.
    decided: BTreeSet<MemberIndex>,
    /// When somebody was first asked where it is, in the shortage that there is.
    locating_since: Option<Instant>,
    /// Networks of newcomers for whose sake people were asked to sponsor, and since when.
    asked_for: BTreeMap<Prefix, Instant>,
    /// Orphans whose seats are about to come free, and since when they wait for them.
    awaiting: BTreeMap<MemberIndex, Instant>,
    newly_served: BTreeSet<MemberIndex>,
    announced: BTreeSet<PeerId>,
    /// The first and the last time, not long ago, that somebody lost quality.
    degraded: Option<(Instant, Instant)>,
    /// Who lost quality of late, and when: it has yet to show what it was given instead.
    falling: BTreeMap<MemberIndex, Instant>,
    /// Since when our own children have been late for what we send beside chunks.
    late_since: Option<Instant>,
    /// What that was a second ago, in wire bytes.
    beside: u64,
    /// When somebody who may have had children was last missed.
    missed_at: Option<Instant>,
    refused: usize,
    capacity: Option<Capacity>,
    next_tick: Instant,
    next_review: Instant,
    next_second: Instant,
    wire: (u64, u64),
}

impl Broadcaster {
    /// A broadcaster that is on the air as soon as it is told its tiers.
    pub fn new(config: BroadcasterConfig) -> Self {
        let id = config.key.id();
        let mut forwarder = Forwarder::new(ForwarderConfig {
            me: id,
            channel: id,
            verify: config.verify.clone(),
            uplink: config.uplink,
            is_source: true,
        });
        forwarder.epoch(config.now, config.epoch);
        let mut me = Member::new(id, config.now, Prefix::of(&SocketAddr::from(([0, 0, 0, 0], 0))));
        me.cap = config.uplink;
        me.reach = Reach::Open;
        let now = config.now;
        Self {
            clock: ChannelClock::new(now, config.clock),
            started: now,
            phase: Phase::OnAir,
            source: Source::new(config.key.clone(), config.epoch, config.title.clone()),
            forwarder,
            overlay: Overlay::new(me),
            admission: Admission::default(),
            links: BTreeMap::new(),
            contacts: BTreeMap::new(),
            relays: BTreeMap::new(),
            dialled: BTreeMap::new(),
            last_dialled: 0,
            lobby: Vec::new(),
            joining: BTreeMap::new(),
            adoptions: BTreeMap::new(),
            short: BTreeMap::new(),
            decided: BTreeSet::new(),
            locating_since: None,
            asked_for: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            newly_served: BTreeSet::new(),
            announced: BTreeSet::new(),
            degraded: None,
            falling: BTreeMap::new(),
            late_since: None,
            beside: 0,
            missed_at: None,
            refused: 0,
            capacity: None,
            next_tick: now + TICK,
            next_review: now + REVIEW,
            next_second: now + Duration::from_secs(1),
            wire: (0, 0),
            config,
        }
    }

    /// Whom it feeds with which stripe itself.
    pub fn children(&self) -> impl Iterator<Item = (PeerId, crate::media::StripeId)> + '_ {
        self.forwarder.children()
    }

    /// The coordinator's picture, for the simulator's checks.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    fn close(&mut self, now: Instant, link: LinkId, code: CloseCode, out: &mut Outbox) {
        out.push(Output::Close { link, code });
        self.forget_link(now, link, LinkEnd::Closed(code), out);
    }

    fn on_linked(&mut self, now: Instant, link: LinkId, peer: PeerId, address: SocketAddr, out: &mut Outbox) {
        if self.links.len() >= INBOUND_LINKS_MAX.max(2 * self.overlay.other_count()) {
            out.push(Output::Close {
                link,
                code: CloseCode::Busy,
            });
            return;
        }
        // A relay says no hello: its sponsor has spoken for it.
        let relay = self
            .overlay
            .find(&peer)
            .filter(|member| self.relays.contains_key(member));
        let stranger = Stranger {
            peer,
            address,
            since: now,
            hello_taken: relay.is_some(),
            member: relay,
        };
        self.links.insert(link, stranger);
        self.forwarder.linked(link, peer);
        if let Some(relay) = relay {
            self.on_relay_linked(now, link, relay);
        }
    }

    fn forget_link(&mut self, now: Instant, link: LinkId, why: LinkEnd, out: &mut Outbox) {
        self.forwarder.unlinked(now, link);
        let Some(stranger) = self.links.remove(&link) else {
            self.on_dial_failed(now, link, out);
            return;
        };
        match stranger.member {
            Some(relay) if self.relays.contains_key(&relay) => {
                self.on_relay_unlinked(now, link, relay, why, out)
            }
            Some(member) => self.dismiss(now, member, out),
            None => {}
        }
    }

    fn on_frame(&mut self, now: Instant, link: LinkId, lane: Lane, frame: &Bytes, out: &mut Outbox) {
        let Some(stranger) = self.links.get(&link) else {
            return;
        };
        let member = stranger.member;
        if let Some(member) = member {
            self.heard_from(now, member);
        }
        let outcome = match (lane, Message::parse(frame)) {
            (Lane::Data(_), _) => Err(CloseCode::Unexpected),
            (Lane::Control, Err(_)) => Err(CloseCode::Malformed),
            (Lane::Control, Ok(message)) => self.on_message(now, link, member, message, out),
        };
        if let Err(code) = outcome {
            self.close(now, link, code, out);
        }
    }

    fn on_message(
        &mut self,
        now: Instant,
        link: LinkId,
        member: Option<MemberIndex>,
        message: Message,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let at = self.clock.channel(now);
        match message {
            Message::Hello(hello) => self.on_hello(now, link, hello, out),
            Message::Echo { sent_us } => out.tell(link, &Message::Echoed { sent_us, at }),
            Message::Echoed { .. } => {}
            Message::Attach(attach) => self.forwarder.attach(now, at, link, attach, out)?,
            Message::Detach { stripe, from } => {
                self.forwarder.detach(now, link, stripe, from, out)?;
                if let Some(member) = member {
                    let child = self.overlay.member(member).id;
                    self.overlay.seat_left(MemberIndex::SOURCE, stripe, child);
                }
            }
            Message::Pull(pull) => self.forwarder.pull(now, at, link, pull, out)?,
            message => {
                let member = member.ok_or(CloseCode::Unexpected)?;
                return self.on_member_message(now, member, message, out);
            }
        }
        Ok(())
    }

    fn on_member_message(
        &mut self,
        now: Instant,
        member: MemberIndex,
        message: Message,
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        match message {
            Message::Report(report) => self.on_report(now, member, &report, out),
            Message::Moved(moved) => {
                self.on_moved(now, member, &moved, out);
                self.on_filled(now, member, moved.stripe);
            }
            Message::Orphaned(orphaned) => self.on_orphaned(now, member, &orphaned, out),
            Message::Answer { round, yes } => self.on_answer(now, member, round, yes, out),
            Message::Unreachable { peer } => {
                if let Some(peer) = self.overlay.find(&peer) {
                    self.on_unreachable(now, member, peer);
                }
            }
            Message::Leave => self.on_leave(now, member),
            Message::Located { round_trips } => self.on_located(now, member, round_trips, out),
            Message::Serving(offer) => self.on_serving(now, member, offer, out),
            Message::NoRelay { round, relay } => self.on_no_relay(now, member, round, relay, out),
            Message::FromRelay { relay, message } => {
                return self.on_from_relay(now, member, relay, &message, out);
            }
            // A relay that we command tells us what it would tell its sponsor.
            Message::Usage(_) if self.relays.contains_key(&member) => {}
            _ => return Err(CloseCode::Unexpected),
        }
        Ok(())
    }

    fn on_command(&mut self, now: Instant, command: Command, out: &mut Outbox) {
        match command {
            Command::Tiers(setups) => {
                self.source.set_tiers(&setups);
                self.take_layout(now);
                self.empty_lobby(now, out);
            }
            Command::Packet { tier, packet } => self.source.push(self.clock.channel(now), tier, &packet),
            Command::Discontinuity => self.source.discontinuity(),
            Command::Leave if self.phase == Phase::OnAir => {
                self.phase = Phase::Flushing {
                    until: now + FLUSH_MAX,
                };
            }
            // It sponsors nothing.
            Command::Leave
            | Command::Answer { .. }
            | Command::Cloud(_)
            | Command::RunOn(_)
            | Command::EndRelay(_) => {}
        }
    }

    /// A new layout is in force: slots may cost something else, and there may be other stripes.
    fn take_layout(&mut self, now: Instant) {
        let Some((sealed, layout)) = self.source.layout() else {
            return;
        };
        self.forwarder.layout(sealed.clone(), layout.clone());
        let stripes = Stripes::of(layout);
        let copy = stripes.top_copy();
        let all_new = self.overlay.set_stripes(stripes);
        if all_new {
            let source = self.overlay.member_mut(MemberIndex::SOURCE);
            source.granted = self.config.uplink.unwrap_or(copy);
            let relays: Vec<_> = self.overlay.relays().collect();
            let viewers: Vec<_> = self.overlay.viewers().collect();
            relays
                .into_iter()
                .chain(viewers)
                .for_each(|member| self.serve(now, member));
        }
    }

    fn on_tick(&mut self, now: Instant) {
        let behind = now.since(self.next_tick).as_micros() as u64 / TICK.as_micros() as u64;
        if behind > CATCH_UP_MAX {
            self.source.discontinuity();
            self.next_tick += TICK * (behind - CATCH_UP_MAX) as u32;
        }
        while self.next_tick <= now {
            let at = self.clock.channel(self.next_tick);
            for chunk in self.source.cut(at) {
                self.forwarder.chunk(now, &chunk);
            }
            self.next_tick += TICK;
        }
    }

    fn review(&mut self, now: Instant, out: &mut Outbox) {
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

    fn shut_out_silent(&mut self, now: Instant, out: &mut Outbox) {
        let waits = |link: &LinkId| self.lobby.iter().any(|(lobby, _)| lobby == link);
        let silent = |link: &LinkId, stranger: &Stranger| {
            stranger.member.is_none() && now.since(stranger.since) > HELLO_WITHIN && !waits(link)
        };
        let strangers = self
            .links
            .iter()
            .filter(|(link, stranger)| silent(link, stranger));
        let shut_out: Vec<_> = strangers.map(|(link, _)| *link).collect();
        shut_out
            .into_iter()
            .for_each(|link| self.close(now, link, CloseCode::NoTicket, out));
    }

    fn on_second(&mut self, now: Instant, out: &mut Outbox) {
        self.next_second += Duration::from_secs(1);
        self.next_second = self.next_second.max(now + Duration::from_millis(500));
        self.overlay.expire(now);
        self.judge_late(now);
        self.weigh_relays(now, out);
        self.name_slanderers(now, out);
        self.watch_sponsors(now, out);
        self.overlay.raise_grants(now, !self.short.is_empty());
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

    /// Spares that cannot stand in, or have no room, are replaced; where that takes a new ticket it is told a little later.
    fn review_trees(&mut self, now: Instant) {
        let second = now.since(self.started).as_secs();
        let small_news = second.is_multiple_of(SMALL_NEWS_EVERY);
        self.overlay.review_spares(small_news);
        if small_news {
            if self.is_calm(now) {
                self.shorten_trees(now);
            }
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

    fn capacity(&self) -> Capacity {
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

    fn announce_newcomers(&mut self, out: &mut Outbox) {
        for member in core::mem::take(&mut self.newly_served) {
            let peer = self.overlay.member(member).id;
            if self.overlay.member(member).is_present() && self.announced.insert(peer) {
                let viewers = self.announced.len();
                out.event(Event::ViewerJoined { peer, viewers });
            }
        }
    }

    fn advance_end(&mut self, now: Instant, out: &mut Outbox) {
        match self.phase {
            Phase::Flushing { until } if now >= until || self.source.backlog() == Duration::ZERO => {
                for contact in self.contacts.values() {
                    if let Route::Link(link) = contact.route {
                        out.tell(link, &Message::End);
                    }
                }
                self.phase = Phase::Ending { at: now + LINGER };
            }
            Phase::Ending { at } if now >= at => {
                self.phase = Phase::Over;
                for link in self.links.keys() {
                    out.push(Output::Close {
                        link: *link,
                        code: CloseCode::Done,
                    });
                }
                out.push(Output::Ended(Ended::Left));
            }
            _ => {}
        }
    }

    fn on_wake(&mut self, now: Instant, out: &mut Outbox) {
        if now >= self.next_tick && !matches!(self.phase, Phase::Ending { .. }) {
            self.on_tick(now);
        }
        if now >= self.next_second {
            self.on_second(now, out);
        }
        if now >= self.next_review {
            self.review(now, out);
        }
        self.settle_newcomers(now);
        self.advance_end(now, out);
    }
}

impl Machine for Broadcaster {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Wake => {}
            Input::Linked {
                link, peer, address, ..
            } => self.on_linked(now, link, peer, address, out),
            Input::Unlinked { link, why } => self.forget_link(now, link, why, out),
            Input::Frame { link, lane, frame } => self.on_frame(now, link, lane, &frame, out),
            Input::Broken { link } => self.close(now, link, CloseCode::Malformed, out),
            Input::Drained { link, bytes } => self.forwarder.drained(now, link, bytes),
            Input::RoundTrip { .. } | Input::Candidates(_) => {}
            Input::Wire { sent, received } => {
                self.wire = (sent, received);
                self.forwarder.wire_sent(now, sent);
            }
            Input::Probed { peer, reached } => self.on_probed(now, peer, reached, out),
            Input::Command(command) => self.on_command(now, command, out),
        }
        self.on_wake(now, out);
        self.announce_newcomers(out);
        self.give_orders(now, out);
        self.forwarder.poll(now, self.clock.channel(now), out);
    }

    fn wake_at(&self) -> Option<Instant> {
        let mut wake = self.next_second.min(self.next_review);
        match self.phase {
            Phase::Over => return None,
            Phase::Ending { at } => wake = wake.min(at),
            Phase::OnAir | Phase::Flushing { .. } => wake = wake.min(self.next_tick),
        }
        let joining = self.joining.values().map(|joining| joining.until).min();
        [self.forwarder.wake_at(), joining]
            .into_iter()
            .flatten()
            .fold(wake, Instant::min)
            .into()
    }

    fn check_invariants(&self) {
        self.overlay.check_invariants();
        self.forwarder.check_invariants();
        for (member, contact) in &self.contacts {
            match contact.route {
                Route::Link(link) | Route::Delegated(Some(link)) => {
                    let stranger = self.links.get(&link).expect("a contact has a link");
                    assert_eq!(stranger.member, Some(*member), "link and member agree");
                }
                Route::Sponsor(sponsor) => {
                    let above = self.contacts.get(&sponsor).expect("a sponsor is here");
                    assert!(
                        matches!(above.route, Route::Link(_)),
                        "sponsors speak for themselves"
                    );
                }
                Route::Delegated(None) => {}
            }
            let is_relay = !matches!(contact.route, Route::Link(_));
            assert_eq!(
                is_relay,
                self.relays.contains_key(member),
                "relays, and they alone, are spoken for"
            );
        }
        assert_eq!(
            self.contacts.len(),
            self.overlay.other_count(),
            "everybody has a contact"
        );
        assert!(
            self.overlay.relays().eq(self.relays.keys().copied()),
            "relays are relays"
        );
    }
}

#[cfg(test)]
mod tests;
