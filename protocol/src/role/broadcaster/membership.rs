//! Who comes and who goes: hellos, dial-back, taking up places from before a restart, leaving.

use super::routes::Route;
use super::{Broadcaster, Contact, Joining};
use crate::event::Event;
use crate::io::{LinkId, Outbox, Output};
use crate::limits::{ADDRESSES_MAX, VERSION};
use crate::overlay::capacity::first_grant;
use crate::overlay::member::{Kind, Member, MemberIndex, State};
use crate::overlay::reach::{Prefix, Reach};
use crate::time::{Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::control::{Hello, Message, RefuseReason};
use crate::wire::ticket::TicketLane;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How long a newcomer's first place waits for the dial-back. It is there after one round trip as a rule, and then the
/// place is the right one at once.
const PROBE_PATIENCE: Duration = Duration::from_millis(250);

/// After a start, viewers of an earlier run announce their places for so long; then what is missing is planned anew.
const ADOPTION: Duration = Duration::from_secs(5);

impl Broadcaster {
    pub(super) fn on_hello(&mut self, now: Instant, link: LinkId, hello: Hello, out: &mut Outbox) {
        if let Some(reason) = self.objection(link, &hello) {
            self.turn_away(now, link, reason, out);
            return;
        }
        let Some(stranger) = self.links.get_mut(&link) else {
            return;
        };
        if stranger.hello_taken {
            self.close(now, link, CloseCode::Unexpected, out);
            return;
        }
        stranger.hello_taken = true;
        self.lobby.push((link, hello));
        self.empty_lobby(now, out);
    }

    fn objection(&self, link: LinkId, hello: &Hello) -> Option<RefuseReason> {
        let peer = self.links.get(&link)?.peer;
        let secret = self.config.secret.map(|secret| secret.0);
        let full = self
            .config
            .max_viewers
            .is_some_and(|max| hello.watches && self.overlay.viewer_count() >= max);
        let known = self.overlay.find(&peer).is_some();
        let namesake = self.overlay.is_tag_taken(&peer);
        match () {
            () if hello.version != VERSION => Some(RefuseReason::Version),
            () if secret.is_some() && hello.secret != secret => Some(RefuseReason::NotInvited),
            () if full && !known => Some(RefuseReason::MaxViewers),
            () if namesake => Some(RefuseReason::Namesake),
            () => None,
        }
    }

    fn turn_away(&mut self, now: Instant, link: LinkId, reason: RefuseReason, out: &mut Outbox) {
        let Some(stranger) = self.links.get_mut(&link) else {
            return;
        };
        stranger.since = now;
        let peer = stranger.peer;
        out.tell(link, &Message::Refused { reason });
        out.event(Event::ViewerRefused {
            peer,
            reason: reason.sentence().to_string(),
        });
        self.refused += 1;
    }

    /// Lets in those who wait, as soon as there is something to see.
    pub(super) fn empty_lobby(&mut self, now: Instant, out: &mut Outbox) {
        if self.source.layout().is_none() {
            return;
        }
        for (link, hello) in core::mem::take(&mut self.lobby) {
            if self.links.contains_key(&link) {
                self.let_in(now, link, hello, out);
            }
        }
    }

    fn let_in(&mut self, now: Instant, link: LinkId, hello: Hello, out: &mut Outbox) {
        let stranger = &self.links[&link];
        let (peer, address) = (stranger.peer, stranger.address);
        if let Some(former) = self.overlay.find(&peer) {
            self.take_new_link(now, former, link, address, out);
            return;
        }
        let mut member = Member::new(peer, now, Prefix::of(&address));
        if !hello.watches {
            member.kind = Kind::Sponsor;
            self.enter(now, link, member, address, out);
            return;
        }
        member.cap = hello.uplink;
        member.buffer_ms = hello.buffer_ms.min(super::BUFFER_MS_MAX);
        member.relay_only = hello.relay_only;
        member.may_sponsor = hello.may_sponsor;
        member.granted = self.grant_for(&hello);
        let index = self.enter(now, link, member, address, out);
        self.probe(now, index, &hello, address, out);
        if let Some(resume) = hello.resume.filter(|_| now.since(self.started) < ADOPTION) {
            self.adoptions.insert(index, resume);
            self.adopt(now);
        }
    }

    fn enter(
        &mut self,
        now: Instant,
        link: LinkId,
        member: Member,
        address: SocketAddr,
        out: &mut Outbox,
    ) -> MemberIndex {
        let index = self.overlay.admit(member);
        self.links.get_mut(&link).expect("the caller has seen it").member = Some(index);
        let contact = Contact::new(Route::Link(link), address, now);
        self.contacts.insert(index, contact);
        self.tell_near_to_sponsor(index, out);
        self.welcome(now, index, link, out);
        index
    }

    fn grant_for(&self, hello: &Hello) -> crate::units::Bitrate {
        let stripes = self.overlay.stripes();
        let first = first_grant(hello.uplink, stripes);
        let Some(resume) = &hello.resume else { return first };
        let proven = stripes.top_slot() * u64::from(resume.children.min(64)) * stripes.top_len() as u64;
        hello
            .uplink
            .map_or(first.max(proven), |cap| first.max(proven.min(cap)))
    }

    /// The same key on a new link: the viewer lost the old one, and keeps its places.
    fn take_new_link(
        &mut self,
        now: Instant,
        member: MemberIndex,
        link: LinkId,
        address: SocketAddr,
        out: &mut Outbox,
    ) {
        let contact = self
            .contacts
            .get_mut(&member)
            .expect("every member has a contact");
        let former = core::mem::replace(&mut contact.route, Route::Link(link));
        contact.address = address;
        contact.heard = now;
        contact.order = None;
        contact.lane = TicketLane::default();
        self.links.get_mut(&link).expect("it said hello").member = Some(member);
        if let Route::Link(former) = former {
            if let Some(stranger) = self.links.get_mut(&former) {
                stranger.member = None;
            }
            self.close(now, former, CloseCode::Duplicate, out);
        }
        self.welcome(now, member, link, out);
        self.overlay.estrange_all(member);
        self.overlay.touch(member);
        if self.overlay.member(member).state != State::Leaving {
            self.overlay.set_state(member, State::Active);
        }
    }

    /// Finds out whether others can dial the newcomer.
    fn probe(
        &mut self,
        now: Instant,
        member: MemberIndex,
        hello: &Hello,
        observed: SocketAddr,
        out: &mut Outbox,
    ) {
        let addresses = plausible(hello, observed);
        let peer = self.overlay.member(member).id;
        let waits = if hello.relay_only {
            now
        } else {
            now + PROBE_PATIENCE
        };
        self.joining.insert(member, Joining { until: waits });
        if !hello.relay_only {
            out.push(Output::Probe { peer, addresses });
        }
    }

    pub(super) fn on_probed(
        &mut self,
        now: Instant,
        peer: crate::id::PeerId,
        reached: Vec<SocketAddr>,
        out: &mut Outbox,
    ) {
        let Some(member) = self.overlay.find(&peer) else {
            return;
        };
        if self.relays.contains_key(&member) {
            return self.on_relay_probed(now, member, reached, out);
        }
        let info = self.overlay.member_mut(member);
        info.reach = if reached.is_empty() {
            Reach::Closed
        } else {
            Reach::Open
        };
        info.addresses = reached;
        self.settle_newcomer(now, member);
    }

    pub(super) fn settle_newcomers(&mut self, now: Instant) {
        let due: Vec<_> = self
            .joining
            .iter()
            .filter(|(_, joining)| joining.until <= now)
            .map(|(m, _)| *m)
            .collect();
        due.into_iter()
            .for_each(|member| self.settle_newcomer(now, member));
    }

    /// Gives a newcomer its first place, unless it still waits for parents from before a restart.
    fn settle_newcomer(&mut self, now: Instant, member: MemberIndex) {
        if self.joining.remove(&member).is_none() || self.adoptions.contains_key(&member) {
            return;
        }
        self.serve(now, member);
    }

    /// Gives resumed members their former places, as far as their parents are here.
    pub(super) fn adopt(&mut self, now: Instant) {
        loop {
            let mut progress = false;
            for (member, resume) in self.adoptions.clone() {
                progress |= self.overlay.adopt(member, &resume);
                if self.overlay.is_whole(member, resume.tier) {
                    self.adoptions.remove(&member);
                    self.joining.remove(&member);
                }
            }
            if !progress {
                return;
            }
            self.announce_served(now);
        }
    }

    fn announce_served(&mut self, _now: Instant) {
        let served = self
            .overlay
            .viewers()
            .filter(|member| self.overlay.member(*member).tier.is_some());
        for member in served.collect::<Vec<_>>() {
            self.newly_served.insert(member);
        }
    }

    /// What nobody came back for is planned anew.
    pub(super) fn end_adoption(&mut self, now: Instant) {
        if self.adoptions.is_empty() || now.since(self.started) < ADOPTION {
            return;
        }
        for member in core::mem::take(&mut self.adoptions).into_keys() {
            self.joining.remove(&member);
            self.serve(now, member);
        }
    }

    /// The member says goodbye: its children are moved while it still forwards.
    pub(super) fn on_leave(&mut self, now: Instant, member: MemberIndex) {
        if self.relays.contains_key(&member) {
            self.part_with_relay(now, member, "it has said goodbye");
        } else {
            self.evacuate(now, member);
        }
    }

    /// Moves a member's children while it still forwards.
    pub(super) fn evacuate(&mut self, now: Instant, member: MemberIndex) {
        self.overlay.set_state(member, State::Leaving);
        let orphans = self.overlay.evacuate(now, member, true);
        self.reseat(now, orphans);
    }

    /// The member is gone.
    pub(super) fn dismiss(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        if self.overlay.member(member).is_interior() && self.overlay.member(member).is_active() {
            self.missed_at = Some(now);
        }
        let orphans = self.overlay.evacuate(now, member, false);
        let peer = self.overlay.member(member).id;
        self.overlay.forget(member);
        self.contacts.remove(&member);
        self.adoptions.remove(&member);
        self.joining.remove(&member);
        self.decided.remove(&member);
        self.short.remove(&member);
        self.falling.remove(&member);
        self.awaiting.remove(&member);
        self.newly_served.remove(&member);
        self.admission.forget(&peer);
        self.reseat(now, orphans);
        if self.announced.remove(&peer) {
            let viewers = self.announced.len();
            out.event(Event::ViewerLeft { peer, viewers });
        }
        self.on_sponsor_gone(now, member, out);
    }

    /// Refuses a member that was let in before.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        member: MemberIndex,
        reason: RefuseReason,
        out: &mut Outbox,
    ) {
        if let Some(Route::Link(link)) = self.contacts.get(&member).map(|contact| contact.route) {
            self.turn_away(now, link, reason, out);
            if let Some(stranger) = self.links.get_mut(&link) {
                stranger.member = None;
            }
        }
        self.dismiss(now, member, out);
    }

    pub(super) fn blame(&self, member: MemberIndex, what: &str, by: MemberIndex, out: &mut Outbox) {
        let peer = self.overlay.member(member).id;
        let by = format!("{}", self.overlay.member(by).id);
        out.event(Event::PeerBlamed {
            peer,
            what: what.to_string(),
            by,
        });
    }
}

/// The addresses worth a dial-back: the one we see, and those that the newcomer names on the same machine or the same
/// kind of network. So nobody can make us knock at a stranger's door: a public address must be the one it came from.
fn plausible(hello: &Hello, observed: SocketAddr) -> Vec<SocketAddr> {
    let same = |address: &&SocketAddr| {
        let ip = address.ip().to_canonical();
        ip == observed.ip().to_canonical() && address.port() != 0
    };
    let mut addresses: Vec<SocketAddr> = hello.candidates.iter().filter(same).copied().collect();
    if !addresses.contains(&observed) {
        addresses.push(observed);
    }
    addresses.truncate(ADDRESSES_MAX / 2);
    addresses
}
