//! The viewer: joins a channel, receives the stripes of a tier, plays them, and passes them on.
//!
//! One engine, split by concern: `session` talks to the coordinator, `linking` keeps links, `moves` decides who
//! sends what, `repair` what to do when somebody does not, `data` takes chunks in, `catching` asks for single ones, `screen` plays, `reports` tells;
//! `due` says what is done when.

mod asks;
mod book;
mod catching;
mod clock;
mod control;
mod data;
mod dials;
mod due;
mod feed;
mod invariants;
mod linking;
mod links;
mod moves;
mod pulls;
mod repair;
mod reports;
mod screen;
mod session;
pub mod snapshot;
mod sponsoring;
mod watch;
mod withheld;

#[cfg(test)]
mod tests;

use crate::id::PeerId;
use crate::io::{Command, Ended, Input, LinkId, Machine, Outbox, Output};
use crate::media::forward::{self, Forwarder};
use crate::media::join::Join;
use crate::rng::Rng;
use crate::role::config::{Part, ViewerConfig};
use crate::time::{ChannelTime, Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::layout::Layout;
use crate::wire::ticket::Ticket;
use alloc::sync::Arc;
use bytes::Bytes;

/// How long a leaver feeds its children.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often statistics are told, and links looked after.
const SECOND: Duration = Duration::from_secs(1);

/// Where a viewer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not admitted yet.
    Joining,
    /// Admitted, though the coordinator may be lost.
    Member,
    /// Feeds its children until they have moved, at most until then.
    Leaving(Instant),
    /// The channel has ended; what is buffered is played, at most until then.
    Ending(Instant),
    /// Ended.
    Over,
}

/// A ticket with the bytes that are shown to parents.
#[derive(Clone, Debug)]
struct Held {
    sealed: Bytes,
    ticket: Ticket,
}

/// The state machine of a viewer.
///
/// What each event touches comes first, and close together.
#[repr(C, align(64))]
pub struct Viewer {
    wake: Option<Instant>,
    calm: due::Calm,
    phase: Phase,
    /// The broadcaster's run; 0 before any is known.
    epoch: u64,
    /// The newest block known, and when it was.
    edge: (u64, Instant),
    layout: Option<(Bytes, Arc<Layout>)>,
    clock: clock::ClockSync,
    links: links::Links,
    feeds: feed::Feeds,
    pulls: pulls::Pulls,
    reports: reports::Reports,
    screen: screen::Screen,
    forwarder: Forwarder,
    /// When statistics are next due.
    second: Instant,
    /// When it was made.
    since: Instant,
    session: session::Session,
    config: ViewerConfig,
    rng: Rng,
    ticket: Option<Held>,
    dials: dials::Dials,
    book: book::Book,
    asks: asks::Asks,
    sponsoring: sponsoring::Sponsoring,
}

impl Viewer {
    /// One that dials the coordinator as soon as it is called.
    pub fn new(config: ViewerConfig) -> Self {
        let forwarder = Forwarder::new(forward::Config {
            me: config.id,
            channel: config.channel,
            verify: config.verify.clone(),
            uplink: config.uplink,
            is_source: false,
        });
        let now = config.now;
        Self {
            rng: Rng::new(config.seed),
            phase: Phase::Joining,
            session: session::Session::new(now, config.part),
            clock: clock::ClockSync::default(),
            epoch: 0,
            layout: None,
            ticket: None,
            links: links::Links::default(),
            dials: dials::Dials::new(config.uplink),
            book: book::Book::new(config.channel.peer()),
            feeds: feed::Feeds::new(),
            pulls: pulls::Pulls::new(now),
            edge: (0, now),
            forwarder,
            screen: screen::Screen::new(config.buffer),
            reports: reports::Reports::new(now),
            asks: asks::Asks::default(),
            sponsoring: sponsoring::Sponsoring::new(config.relays_run_on),
            since: now,
            second: now + SECOND,
            wake: Some(now),
            calm: due::Calm::default(),
            config,
        }
    }

    /// From now on what it plays is put together by `join`.
    pub fn join_by(&mut self, join: Join) {
        self.screen.join_by(join);
    }

    /// What feeds its children.
    pub(in crate::role) fn forwarder_mut(&mut self) -> &mut Forwarder {
        &mut self.forwarder
    }

    /// Who is at the other end of a link.
    pub(in crate::role) fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        self.links.get(link).map(|link| link.peer)
    }

    /// Distinct peers that it feeds.
    pub fn child_count(&self) -> usize {
        self.forwarder.child_count()
    }

    /// Channel time.
    fn at(&self, now: Instant) -> ChannelTime {
        self.clock.channel(now)
    }

    /// Whether that is the coordinator: the session's concern, and nobody else's.
    fn is_coordinator(&self, peer: &PeerId) -> bool {
        self.config.part != Part::Relay && *peer == self.config.channel.peer()
    }

    /// Whether it plays and repairs.
    fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving(_))
    }

    fn take(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Wake | Input::Probed { .. } => {}
            Input::Linked {
                link,
                peer,
                address,
                side,
                binding,
            } => {
                if !self.on_relay_linked(now, link, peer, address, binding) {
                    self.on_linked(now, link, peer, address, side, out);
                }
            }
            Input::Unlinked { link, why } => {
                if !self.on_relay_unlinked(now, link, why, out) {
                    self.on_unlinked(now, link, why, out);
                }
            }
            Input::Frame { link, lane, frame } => self.on_frame(now, link, lane, frame, out),
            Input::Broken { link } => self.close_link(now, link, CloseCode::Malformed, out),
            Input::Drained { link, bytes } => self.forwarder.drained(now, link, bytes),
            Input::RoundTrip { link, time } => {
                self.forwarder.round_trip(now, link, time);
                if let Some(link) = self.links.get_mut(link) {
                    link.round_trip = Some(time);
                    self.feeds.changed = true;
                }
            }
            Input::Wire { sent, received } => {
                self.reports.wire(sent, received);
                self.forwarder.wire_sent(now, sent);
            }
            Input::Candidates(candidates) => self.config.candidates = candidates,
            Input::Command(command) => self.on_command(now, command, out),
        }
    }

    fn on_command(&mut self, now: Instant, command: Command, out: &mut Outbox) {
        match command {
            Command::Answer { id, yes } => self.on_answer(now, id.as_deref(), yes, out),
            Command::Leave => self.leave(now, out),
            Command::Cloud(news) => self.on_cloud(now, news, out),
            Command::RunOn(run_on) => self.sponsoring.run_on(run_on),
            Command::EndRelay(relay) => self.end_relay(now, relay, out),
            // Those are a broadcaster's.
            Command::Tiers(_) | Command::Packet { .. } | Command::Discontinuity => {}
        }
    }

    fn leave(&mut self, now: Instant, out: &mut Outbox) {
        self.tell_coordinator(&crate::wire::control::Message::Leave, out);
        if self.phase != Phase::Member {
            return self.end(Ended::Left, CloseCode::Leaving, out);
        }
        self.dismiss_relays(now, out);
        self.forwarder.leave(now, out);
        self.phase = Phase::Leaving(now + FAREWELL);
    }

    /// Ends: closes all links, and says how.
    fn end(&mut self, how: Ended, code: CloseCode, out: &mut Outbox) {
        if self.phase == Phase::Over {
            return;
        }
        self.end_relays(out);
        for link in self.links.iter() {
            out.push(Output::Close { link: link.id, code });
        }
        self.links = links::Links::default();
        self.phase = Phase::Over;
        out.push(Output::Ended(how));
    }
}

impl Machine for Viewer {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        if self.phase == Phase::Over {
            return;
        }
        if self.is_mere_progress(now, &input) {
            return self.note_progress(now, input, out);
        }
        self.forgive_own_absence(now);
        if !due::is_of_media(&input) {
            self.calm.end();
        }
        self.take(now, input, out);
        if self.is_calm(now) {
            self.run_media(now, out);
        } else if self.phase != Phase::Over {
            self.calm.end();
            self.run_timers(now, out);
        }
        self.reckon_feeds(now);
        self.wake = self.next_wake(now);
    }

    fn wake_at(&self) -> Option<Instant> {
        self.wake
    }

    fn check_invariants(&self) {
        self.assert_invariants();
    }
}
