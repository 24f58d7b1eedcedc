//! The broadcaster: source of every tree, and the coordinator that decides who hangs where.
//!
//! Split by concern: `control` takes links and messages apart, `rounds` is what is done each second, `contact` what is kept of a member.
//! `source` makes chunks, `membership` lets people in and out, `orders` tells members their places, and `amendments` their new spares,
//! `routes` says how they are reached, `trouble` deals with failures, `late` with uplinks that do not suffice, `ration` gives everybody
//! what there is, `shortage` asks for more, `nearness` finds out where, `offers`, `relays` and `partings` are about what sponsors lend,
//! `cheats` weighs what members hold against each other. This file takes inputs apart and keeps the time.

mod amendments;
mod cheats;
mod contact;
mod control;
mod invariants;
mod late;
mod membership;
mod nearness;
mod offers;
mod orders;
mod partings;
mod ration;
mod relays;
mod rounds;
mod routes;
mod shortage;
pub mod snapshot;
mod source;
mod trouble;

use crate::event::{Capacity, Event};
use crate::id::PeerId;
use crate::io::{Command, Ended, Input, LinkId, Machine, Outbox, Output};
use crate::media::forward::{Config as ForwarderConfig, Forwarder};
use crate::overlay::Overlay;
use crate::overlay::admission::Admission;
use crate::overlay::member::{Member, MemberIndex};
use crate::overlay::reach::{Prefix, Reach};
use crate::overlay::stripes::Stripes;
use crate::role::config::BroadcasterConfig;
use crate::time::{ChannelClock, Duration, Instant, TICK};
use crate::wire::close::CloseCode;
use crate::wire::control::{Hello, Message, Resume};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use contact::{Contact, Order, Whereabouts};
use control::Stranger;
use core::net::SocketAddr;
use ration::Cause;
use relays::Relay;
use rounds::REVIEW;
use routes::Route;
use source::Source;
pub use source::stripes_for;

/// The largest buffer that a viewer may ask a start for: what peers keep.
const BUFFER_MS_MAX: u32 = 8_000;

/// More ticks than this are not caught up after the process stood still; the media clock jumps instead.
const CATCH_UP_MAX: u64 = 20;

/// What the smoothers hold goes out before the channel ends, but for so long at most.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// After the end was said, chunks still under way are delivered.
const LINGER: Duration = Duration::from_millis(700);

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
        let key = config.key.public();
        let id = key.peer();
        let mut forwarder = Forwarder::new(ForwarderConfig {
            me: id,
            channel: key,
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
        self.assert_invariants();
    }
}

#[cfg(test)]
mod tests;
