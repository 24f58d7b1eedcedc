//! Links, and what comes by them: messages find their concern here.

use super::Broadcaster;
use crate::id::PeerId;
use crate::io::{Lane, LinkEnd, LinkId, Outbox, Output};
use crate::limits::INBOUND_LINKS_MAX;
use crate::overlay::member::MemberIndex;
use crate::time::{Duration, Instant};
use crate::wire::close::CloseCode;
use crate::wire::control::Message;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// A stranger who has not said hello by then is shut out; so is one that was turned away and stays.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// A link, and whose it is.
pub(super) struct Stranger {
    pub(super) peer: PeerId,
    pub(super) address: SocketAddr,
    pub(super) since: Instant,
    pub(super) hello_taken: bool,
    pub(super) member: Option<MemberIndex>,
}

impl Broadcaster {
    pub(super) fn close(&mut self, now: Instant, link: LinkId, code: CloseCode, out: &mut Outbox) {
        out.push(Output::Close { link, code });
        self.forget_link(now, link, LinkEnd::Closed(code), out);
    }

    pub(super) fn on_linked(
        &mut self,
        now: Instant,
        link: LinkId,
        peer: PeerId,
        address: SocketAddr,
        out: &mut Outbox,
    ) {
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

    pub(super) fn forget_link(&mut self, now: Instant, link: LinkId, why: LinkEnd, out: &mut Outbox) {
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

    pub(super) fn on_frame(
        &mut self,
        now: Instant,
        link: LinkId,
        lane: Lane,
        frame: &Bytes,
        out: &mut Outbox,
    ) {
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

    pub(super) fn on_member_message(
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

    pub(super) fn shut_out_silent(&mut self, now: Instant, out: &mut Outbox) {
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
}
