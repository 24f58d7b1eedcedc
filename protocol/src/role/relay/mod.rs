//! The relay: a helper that receives and forwards as it is told, by its sponsor or the sponsor's delegate alone.
//!
//! It carries by the viewer's engine, with whoever commands it in the coordinator's place; it plays nothing. Here stands whom it
//! obeys (`authority`), how it proves itself, and how long it lives.

pub mod authority;
pub mod boot;

use self::authority::{Authority, Disobeyed};
use crate::event::{Event, Stats};
use crate::id::{PeerId, PublicKey, Verify};
use crate::io::{Command, Ended, Input, Lane, LinkId, Machine, Outbox, Output, Side};
use crate::limits::VERSION;
use crate::role::config::{Part, ViewerConfig};
use crate::role::viewer::Viewer;
use crate::time::{Duration, Instant, Utc};
use crate::units::Bitrate;
use crate::wire::close::CloseCode;
use crate::wire::control::Message;
use crate::wire::enrol::{Binding, EnrolSecret};
use crate::wire::lease::Lease;
use crate::wire::order::{Commanded, Order, Usage};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// So long before its end, by time or by bytes, it tells that it leaves; its children are moved meanwhile.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often it looks at its lease, and tells what it has used of it.
const SECOND: Duration = Duration::from_secs(1);

/// How far behind capture it keeps what it is to repair: as viewers do.
const BUFFER: Duration = Duration::from_secs(2);

/// What a relay must be told when it is made: its boot data.
#[derive(Clone)]
pub struct RelayConfig {
    /// Its own identity, made at boot.
    pub id: PeerId,
    /// Checks what others signed.
    pub verify: Arc<dyn Verify>,
    /// The channel that it serves.
    pub channel: PublicKey,
    /// Whom it obeys.
    pub sponsor: PublicKey,
    /// How long it may run, and how much it may send.
    pub lease: Lease,
    /// What it proves itself with, and until when.
    pub enrolment: (EnrolSecret, Utc),
    /// When the machine is made.
    pub now: Instant,
    /// The wall clock at that time.
    pub clock: Utc,
    /// The most that it sends, in wire bits a second; `None`: measured.
    pub uplink: Option<Bitrate>,
    /// Addresses that it listens on.
    pub candidates: Vec<SocketAddr>,
    /// For choices that need no secrecy.
    pub seed: u64,
}

/// The state machine of a relay.
pub struct Relay {
    carrier: Viewer,
    authority: Authority,
    verify: Arc<dyn Verify>,
    me: PeerId,
    sponsor: PeerId,
    /// What it has yet to prove itself with.
    enrolment: Option<(EnrolSecret, Utc)>,
    /// When it was made, by both clocks.
    began: (Instant, Utc),
    /// The order by which its lease was last made another.
    extension: Option<Bytes>,
    /// The link to whoever commanded it last.
    commander: Option<LinkId>,
    /// Wire bytes sent: now, and when the second began.
    sent: u64,
    sent_before: u64,
    /// Wire bytes received.
    received: u64,
    next_second: Instant,
    /// Why it leaves, once it does.
    leaving: Option<Ended>,
    over: bool,
    inner: Outbox,
}

impl Relay {
    /// One that waits for its sponsor.
    pub fn new(config: RelayConfig) -> Self {
        let mut carrier = Viewer::new(ViewerConfig {
            id: config.id,
            part: Part::Relay,
            verify: config.verify.clone(),
            channel: config.channel,
            addresses: Vec::new(),
            secret: None,
            now: config.now,
            uplink: config.uplink,
            buffer: BUFFER,
            candidates: config.candidates,
            relay_only: false,
            sponsor: None,
            relays_run_on: false,
            seed: config.seed,
        });
        carrier.forwarder_mut().favour(config.sponsor.peer());
        carrier.forwarder_mut().measure_uplink();
        Self {
            carrier,
            authority: Authority::new(config.id, config.sponsor, config.channel, config.lease),
            verify: config.verify,
            me: config.id,
            sponsor: config.sponsor.peer(),
            enrolment: Some(config.enrolment),
            began: (config.now, config.clock),
            extension: None,
            commander: None,
            sent: 0,
            sent_before: 0,
            received: 0,
            next_second: config.now + SECOND,
            leaving: None,
            over: false,
            inner: Outbox::new(),
        }
    }

    /// The lease in force.
    pub fn lease(&self) -> &Lease {
        self.authority.lease()
    }

    /// What it receives and forwards by, for the simulator's checks.
    pub fn carrier(&self) -> &Viewer {
        &self.carrier
    }

    /// The sealed order by which the lease was last made another: in its sponsor's hand, for whoever guards the machine and has
    /// no reason to believe the relay.
    pub fn extension(&self) -> Option<&Bytes> {
        self.extension.as_ref()
    }

    fn utc(&self, now: Instant) -> Utc {
        Utc::from_secs(self.began.1.as_secs() + now.since(self.began.0).as_secs())
    }

    /// The sponsor is there: it is shown that this is the relay it started, and commands from now on.
    fn on_sponsor(&mut self, now: Instant, link: LinkId, binding: &Binding, out: &mut Outbox) {
        if let Some((secret, until)) = self.enrolment
            && self.utc(now) < until
        {
            let proof = secret.proof(binding, &self.me);
            let version = VERSION;
            out.tell(link, &Message::Enrol { version, proof });
        }
        self.take_commander(now, link);
    }

    fn take_commander(&mut self, now: Instant, link: LinkId) {
        self.commander = Some(link);
        self.carrier.answer_to(now, link);
    }

    /// Takes what concerns a relay alone. Whether the frame was that.
    fn on_control(&mut self, now: Instant, link: LinkId, frame: &Bytes, out: &mut Outbox) -> bool {
        match Message::parse(frame) {
            Ok(Message::Order(commanded)) => {
                if let Err(why) = self.on_order(now, link, &commanded, out) {
                    self.refuse(now, link, why, out);
                }
                true
            }
            // Orders are signed; nothing else moves a relay.
            Ok(Message::Assign(_) | Message::Dial(_) | Message::Refused { .. } | Message::End) => {
                self.carrier.close_link(now, link, CloseCode::Unexpected, out);
                true
            }
            _ => false,
        }
    }

    fn on_order(
        &mut self,
        now: Instant,
        link: LinkId,
        commanded: &Commanded,
        out: &mut Outbox,
    ) -> Result<(), Disobeyed> {
        let (utc, verify) = (self.utc(now), self.verify.clone());
        let (_, order) = self.authority.admit(commanded, utc, self.sent, &*verify)?;
        // Whoever started it knows its key by now: the secret has done its work.
        self.enrolment = None;
        if matches!(order, Order::Extend(_)) {
            // Whoever brings it has come for that alone.
            self.extension = Some(commanded.order.clone());
        } else {
            self.take_commander(now, link);
        }
        self.obey(now, link, order, out);
        Ok(())
    }

    fn obey(&mut self, now: Instant, link: LinkId, order: Order, out: &mut Outbox) {
        match order {
            Order::Attach(mut assign) => {
                // It plays nothing, and those who come to hang below it have what is older: they would hear nothing meanwhile.
                assign.from_block = assign.from_block.max(self.carrier.live_edge(now));
                if let Err(code) = self.carrier.on_assign(now, assign, out) {
                    self.carrier.close_link(now, link, code, out);
                }
            }
            Order::Dial(introduction) => self.carrier.on_dial(now, introduction, out),
            Order::Accept { children } => self
                .carrier
                .forwarder_mut()
                .set_children_max(usize::from(children)),
            Order::Cap(uplink) => self.carrier.forwarder_mut().set_uplink(now, Some(uplink)),
            Order::Drain => self.leave(now, Ended::Left, out),
            Order::Stop => self.end(Ended::Left, out),
            Order::Report => self.report(link, out),
            // The authority has taken them in.
            Order::Extend(_) | Order::Revoke { .. } => self.report(link, out),
        }
    }

    fn refuse(&mut self, now: Instant, link: LinkId, why: Disobeyed, out: &mut Outbox) {
        out.event(Event::PeerBlamed {
            peer: self.carrier.peer_of(link).unwrap_or(self.sponsor),
            what: why.to_string(),
            by: self.me.to_string(),
        });
        self.carrier.close_link(now, link, CloseCode::Unexpected, out);
    }

    fn report(&self, link: LinkId, out: &mut Outbox) {
        let usage = Usage {
            sent: self.sent,
            sending: Bitrate::of(self.sent - self.sent_before, SECOND),
            children: u16::try_from(self.carrier.child_count()).unwrap_or(u16::MAX),
            lease: *self.lease(),
        };
        out.tell(link, &Message::Usage(usage));
    }

    /// Once a second: how much of the lease is left.
    fn on_second(&mut self, now: Instant, out: &mut Outbox) {
        self.next_second = now + SECOND;
        let (lease, utc) = (*self.lease(), self.utc(now));
        if utc >= lease.ends {
            return self.end(Ended::LeaseOver, out);
        }
        if self.enrolment.as_ref().is_some_and(|(_, until)| utc >= *until) {
            return self.end(Ended::NotEnrolled, out);
        }
        let soon = FAREWELL.as_secs();
        let sending = (self.sent - self.sent_before) * soon;
        if utc.as_secs() + soon >= lease.ends.as_secs() {
            self.leave(now, Ended::LeaseOver, out);
        } else if self.sent + sending >= lease.bytes {
            self.leave(now, Ended::BytesSpent, out);
        }
        if let Some(link) = self.commander {
            self.report(link, out);
        }
        out.event(Event::Stats(Stats {
            up_bytes: self.sent,
            down_bytes: self.received,
            children: self.carrier.child_count(),
            viewer: None,
        }));
        self.sent_before = self.sent;
    }

    /// Takes nobody more, and ends as soon as its children have moved. The first reason counts.
    fn leave(&mut self, now: Instant, why: Ended, out: &mut Outbox) {
        if self.leaving.is_none() {
            self.leaving = Some(why);
            self.carrier.handle(now, Input::Command(Command::Leave), out);
        }
    }

    /// Ends at once; whoever is still fed finds that out. The first reason counts here too.
    fn end(&mut self, why: Ended, out: &mut Outbox) {
        let why = self.leaving.get_or_insert(why);
        out.push(Output::Ended(why.clone()));
    }

    /// Passes on what the engine wants done, but for what a viewer's person is told and shown.
    fn pass(&mut self, inner: &mut Outbox, out: &mut Outbox) {
        for output in inner.drain() {
            match output {
                Output::Play(_) => {}
                Output::Event(event) if is_a_relays(&event) => out.event(event),
                Output::Event(_) => {}
                Output::Ended(_) if self.over => {}
                // From here, or of the engine, when those whom it fed have moved.
                Output::Ended(how) => {
                    self.over = true;
                    out.push(Output::Ended(self.leaving.clone().unwrap_or(how)));
                }
                other => out.push(other),
            }
        }
    }

    fn take(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match &input {
            Input::Frame {
                link,
                lane: Lane::Control,
                frame,
            } if self.on_control(now, *link, frame, out) => {
                return self.carrier.handle(now, Input::Wake, out);
            }
            Input::Wire { sent, received } => (self.sent, self.received) = (*sent, *received),
            Input::Unlinked { link, .. } if self.commander == Some(*link) => self.commander = None,
            Input::Command(Command::Leave) => return self.leave(now, Ended::Left, out),
            _ => {}
        }
        let sponsor = match &input {
            Input::Linked {
                link,
                peer,
                side: Side::Acceptor,
                binding,
                address,
            } if *peer == self.sponsor => Some((*link, *binding, *address)),
            _ => None,
        };
        self.carrier.handle(now, input, out);
        if let Some((link, binding, address)) = sponsor {
            self.carrier.called_by_sponsor(&address);
            self.on_sponsor(now, link, &binding, out);
            self.carrier.handle(now, Input::Wake, out);
        }
    }
}

/// Whether the engine's event means something without a person who watches. What a viewer measures does not.
const fn is_a_relays(event: &Event) -> bool {
    match event {
        Event::PeerBlamed { .. } | Event::Repaired { .. } => true,
        Event::Stats(stats) => stats.viewer.is_none(),
        _ => false,
    }
}

impl Machine for Relay {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        if self.over {
            return;
        }
        let mut inner = core::mem::take(&mut self.inner);
        self.take(now, input, &mut inner);
        if self.sent >= self.lease().bytes {
            self.end(Ended::BytesSpent, &mut inner);
        }
        if now >= self.next_second && !self.over {
            self.on_second(now, &mut inner);
        }
        self.pass(&mut inner, out);
        self.inner = inner;
    }

    fn wake_at(&self) -> Option<Instant> {
        (!self.over).then(|| {
            self.carrier
                .wake_at()
                .map_or(self.next_second, |wake| wake.min(self.next_second))
        })
    }

    fn check_invariants(&self) {
        self.carrier.check_invariants();
    }
}
