//! The link to the coordinator: dialling it, joining, and finding it again.

use super::{Phase, Viewer};
use crate::io::{Ended, LinkEnd, LinkId, Outbox};
use crate::limits;
use crate::role::config::Part;
use crate::time::{Duration, Instant, earliest};
use crate::wire::close::CloseCode;
use crate::wire::control::{Hello, Message, Place, RefuseReason, Resume};
use crate::wire::ticket::TicketLane;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How long a first join is tried.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);

/// How long a lost coordinator is tried again (`CONTRACT.md`: 2 minutes).
const LOST_PATIENCE: Duration = Duration::from_secs(120);

/// The first pause between two dials, and the longest: thousands of viewers come back at a bounded rate.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// How long a coordinator that answered may say nothing before we are members; echoes ask it once a second.
const SILENT_MAX: Duration = Duration::from_secs(15);

/// How long a channel that ended is played out beyond the buffer.
const PLAY_OUT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next dial is at that time.
    Idle(Instant),
    Dialling(LinkId),
    /// Linked, `Hello` sent, last heard of at that time.
    Asking(LinkId, Instant),
    Member(LinkId),
    /// A relay: whoever commands it will come.
    Awaiting,
}

/// How far we are with the coordinator.
#[derive(Debug)]
pub(super) struct Session {
    state: State,
    /// When we stop trying.
    give_up: Instant,
    pause: Duration,
    hello_sent: Instant,
    /// The tickets that came on the link.
    pub(super) lane: TicketLane,
}

impl Session {
    pub(super) fn new(now: Instant, part: Part) -> Self {
        let state = match part {
            Part::Relay => State::Awaiting,
            Part::Watch | Part::Sponsor => State::Idle(now),
        };
        Self {
            state,
            give_up: now + JOIN_PATIENCE,
            pause: PAUSE_MIN,
            hello_sent: now,
            lane: TicketLane::default(),
        }
    }

    /// The link to the coordinator, if it is up.
    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Asking(link, _) | State::Member(link) => Some(link),
            State::Idle(_) | State::Dialling(_) | State::Awaiting => None,
        }
    }

    /// Whether the coordinator knows us.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.state, State::Member(_))
    }

    /// Whether this dial was to the coordinator.
    pub(super) fn dials(&self, link: LinkId) -> bool {
        self.state == State::Dialling(link)
    }

    /// The coordinator took us in; says when `Hello` had been sent.
    pub(super) fn welcomed(&mut self) -> Instant {
        if let State::Asking(link, _) = self.state {
            self.state = State::Member(link);
        }
        self.pause = PAUSE_MIN;
        self.hello_sent
    }

    /// It said something.
    pub(super) fn heard(&mut self, now: Instant) {
        if let State::Asking(_, heard) = &mut self.state {
            *heard = now;
        }
    }
}

impl Viewer {
    pub(super) fn session_due(&self) -> Option<Instant> {
        let session = &self.session;
        let state = match session.state {
            State::Idle(next) => Some(next.min(session.give_up)),
            State::Dialling(_) => Some(session.give_up),
            State::Asking(_, heard) => Some(heard + SILENT_MAX),
            State::Member(_) | State::Awaiting => None,
        };
        let ending = matches!(self.phase, Phase::Ending(_));
        earliest([state.filter(|_| !ending), self.clock.due()])
    }

    pub(super) fn run_session(&mut self, now: Instant, out: &mut Outbox) {
        self.echo(now, out);
        if matches!(self.phase, Phase::Ending(_)) {
            return;
        }
        match self.session.state {
            State::Idle(_) | State::Dialling(_) if now >= self.session.give_up => {
                self.end(Ended::Unreachable, CloseCode::Done, out);
            }
            State::Idle(next) if now >= next => self.dial_coordinator(now, out),
            State::Asking(link, heard) if now >= heard + SILENT_MAX => {
                self.close_link(now, link, CloseCode::Done, out);
            }
            _ => {}
        }
    }

    fn echo(&mut self, now: Instant, out: &mut Outbox) {
        if let (Some(due), Some(link)) = (self.clock.due(), self.session.link())
            && now >= due
        {
            let sent_us = now.as_micros();
            out.tell(link, &Message::Echo { sent_us });
            self.clock.asked(now);
        }
    }

    fn dial_coordinator(&mut self, now: Instant, out: &mut Outbox) {
        let channel = self.config.channel.peer();
        let link = self.dial(now, channel, self.config.addresses.clone(), out);
        self.session.state = State::Dialling(link);
    }

    /// The coordinator answered.
    pub(super) fn on_coordinator_linked(&mut self, now: Instant, link: LinkId, out: &mut Outbox) {
        self.session.state = State::Asking(link, now);
        self.session.lane = TicketLane::default();
        self.session.hello_sent = now;
        self.clock.restart(now);
        let hello = Message::Hello(self.hello());
        out.tell(link, &hello);
        self.echo(now, out);
    }

    fn hello(&self) -> Hello {
        let mut candidates = self.config.candidates.clone();
        candidates.truncate(limits::ADDRESSES_MAX);
        Hello {
            version: limits::VERSION,
            secret: self.config.secret.map(|secret| secret.0),
            uplink: self.config.uplink,
            buffer_ms: self.config.buffer.as_millis() as u32,
            candidates,
            relay_only: self.config.relay_only,
            may_sponsor: self.config.sponsor.is_some(),
            watches: self.config.part == Part::Watch,
            resume: self.resume(),
        }
    }

    /// Our place, if we have one. Who fell silent is still named as parent as long as nobody else sends: when the
    /// broadcaster comes back, the trees are to be what they were.
    fn resume(&self) -> Option<Resume> {
        self.ticket.as_ref()?;
        let place = |feed: &super::feed::Feed| {
            let grant = feed.grant.as_ref().ok()?;
            let main = feed.main.as_ref().map(|main| main.peer);
            Some(Place {
                stripe: feed.stripe,
                parent: main.or_else(|| self.book.peer(&grant.parent))?,
                rank: feed.rank,
            })
        };
        let places: Vec<Place> = self.feeds.iter().filter_map(place).collect();
        Some(Resume {
            epoch: self.epoch,
            tier: self.screen.target().unwrap_or_default(),
            children: self.forwarder.child_count() as u32,
            places,
        })
    }

    /// A relay: its sponsor called from there.
    pub(in crate::role) fn called_by_sponsor(&mut self, address: &SocketAddr) {
        self.dials.called_by_sponsor(address, &self.config.candidates);
    }

    /// A relay: from now on it answers to whoever is at the other end of this link.
    pub(in crate::role) fn answer_to(&mut self, now: Instant, link: LinkId) {
        self.calm.end();
        if self.session.link() != Some(link) {
            self.session.state = State::Member(link);
            self.clock.restart(now);
        }
        if let Some(link) = self.links.get_mut(link) {
            link.vouched = true;
        }
    }

    /// The link to the coordinator ended, or a dial to it failed.
    pub(super) fn on_coordinator_lost(&mut self, now: Instant, why: LinkEnd, out: &mut Outbox) {
        let was_member = self.session.is_member();
        self.clock.pause();
        let last = match (why, self.phase) {
            (LinkEnd::Version | LinkEnd::Closed(CloseCode::Version), _) => Some(Ended::Version),
            (LinkEnd::WrongKey, Phase::Joining) => Some(Ended::WrongKey),
            (LinkEnd::Closed(CloseCode::NotInvited | CloseCode::Expelled), _) => {
                Some(Ended::Refused(RefuseReason::NotInvited))
            }
            (LinkEnd::Closed(CloseCode::Full), _) => Some(Ended::Refused(RefuseReason::Capacity)),
            _ => None,
        };
        if let Some(how) = last.filter(|_| self.config.part != Part::Relay) {
            return self.end(how, CloseCode::Done, out);
        }
        if was_member {
            self.session.give_up = now + LOST_PATIENCE;
        }
        self.session.state = match self.config.part {
            Part::Relay => State::Awaiting,
            Part::Watch | Part::Sponsor => State::Idle(now + self.pause()),
        };
    }

    /// A pause that doubles each time, shortened by up to a half at random.
    fn pause(&mut self) -> Duration {
        let pause = self.session.pause;
        self.session.pause = (pause * 2).min(PAUSE_MAX);
        let half = pause / 2;
        half + Duration::from_micros(self.rng.below(half.as_micros() as u64 + 1))
    }

    /// The coordinator closes the channel: what is buffered is played.
    pub(super) fn on_end(&mut self, now: Instant, out: &mut Outbox) {
        if self.phase == Phase::Joining {
            return self.end(Ended::ChannelEnded, CloseCode::Done, out);
        }
        if self.phase == Phase::Member {
            self.forwarder.set_marking(false);
            self.phase = Phase::Ending(now + self.config.buffer + PLAY_OUT);
        }
    }

    /// Tells the coordinator, if it listens; if it doesn't, `Hello` will tell it all.
    pub(super) fn tell_coordinator(&self, message: &Message, out: &mut Outbox) {
        if let Some(link) = self.session.link() {
            out.tell(link, message);
        }
    }
}
