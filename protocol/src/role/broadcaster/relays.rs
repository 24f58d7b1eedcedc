//! Relays that sponsors lend the channel: how they come to serve, and what they say (`docs/protocol.md` §11). What is offered is judged in
//! `offers`, how they go stands in `partings`.

use super::Broadcaster;
use super::routes::Route;
use crate::event::Event;
use crate::id::{PeerId, PeerTag};
use crate::io::{Outbox, Output};
use crate::media::StripeId;
use crate::overlay::member::MemberIndex;
use crate::overlay::reach::Reach;
use crate::time::{Duration, Instant, Utc};
use crate::wire::close::CloseCode;
use crate::wire::control::Message;
use crate::wire::lease::Lease;
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// The children of a relay are moved so long before its lease ends.
pub(super) const BEFORE_THE_END: Duration = Duration::from_secs(10);

/// A relay's children come when it has what they are to get, or after so long: dialling its parents takes less, and a keyframe comes
/// every four seconds at least.
const FILLING_MAX: Duration = Duration::from_secs(5);

/// Its children have found their seats so long after it began to serve.
const OPENS: Duration = Duration::from_secs(10);

/// How far a relay has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is dialled back there, and once more if nobody answers.
    Sought { addresses: Vec<SocketAddr>, again: bool },
    /// It was found, and waits until another has filled: each takes seats of others, who come below it.
    Found,
    /// It has its places, and lacks these stripes yet.
    Filling {
        lacks: BTreeSet<StripeId>,
        until: Instant,
    },
    /// It serves.
    Serving,
}

/// Who carries what a relay carries when its lease is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Succession {
    /// There is time to think of that.
    Later,
    /// Somebody is sought.
    Sought,
    /// Nobody wants to: peers, as far as they can.
    Nobody,
}

/// What the coordinator knows of a relay besides what it knows of every member.
pub(super) struct Relay {
    /// Who pays for it.
    pub(super) sponsor: PeerId,
    /// How long it may run.
    pub(super) lease: Lease,
    /// By which it can be commanded without its sponsor.
    pub(super) delegation: Option<Bytes>,
    /// Of the newest order that was given by that.
    pub(super) sequence: u64,
    /// The round whose yes it comes of; 0 if none.
    pub(super) round: u64,
    pub(super) stage: Stage,
    /// Since when the lease has been what it is.
    pub(super) since: Utc,
    pub(super) succession: Succession,
    /// Since when it has had the full stream: it has nothing that is older.
    pub(super) from_block: Option<u64>,
    /// Until when its children's complaints do not count, for it has said itself that it is overloaded.
    pub(super) excused_until: Instant,
    /// When it said last that a parent of its own had failed.
    pub(super) orphaned_at: Option<Instant>,
    /// Since when it gives less than it should.
    pub(super) less_since: Option<Instant>,
    /// When it is gone at the latest, and why.
    pub(super) goes: Option<(Instant, &'static str)>,
}

impl Relay {
    /// Whether it has been given places.
    pub(super) fn is_placed(&self) -> bool {
        !matches!(self.stage, Stage::Sought { .. } | Stage::Found)
    }
}

impl Broadcaster {
    pub(super) fn utc(&self, now: Instant) -> Utc {
        Utc::from_secs(self.clock.channel(now).as_micros() / 1_000_000)
    }

    /// Relays at work.
    pub(super) fn relays_at_work(&self) -> usize {
        let works = |(member, relay): &(&MemberIndex, &Relay)| {
            relay.is_placed() && self.overlay.member(**member).is_active()
        };
        self.relays.iter().filter(works).count()
    }

    /// A yes has become a relay; or nothing comes of it, and somebody else is asked.
    pub(super) fn end_pledge(&mut self, sponsor: MemberIndex, round: u64) {
        let id = self.overlay.member(sponsor).id;
        self.admission.end_pledge(&id, round);
    }

    /// A relay was looked for: if it was found it gets its places at once, and everybody who waits what there is room for now.
    pub(super) fn on_relay_probed(
        &mut self,
        now: Instant,
        member: MemberIndex,
        reached: Vec<SocketAddr>,
        out: &mut Outbox,
    ) {
        let relay = self.relays.get_mut(&member).expect("the caller has a relay");
        let Stage::Sought { addresses, again } = &mut relay.stage else {
            return;
        };
        if reached.is_empty() && core::mem::take(again) {
            // Somebody pays for it, and uplinks are full when a relay is wanted: it is not sent away for a few packets that were lost.
            let (peer, addresses) = (self.overlay.member(member).id, addresses.clone());
            out.push(Output::Probe { peer, addresses });
            return;
        }
        let (sponsor, round) = (relay.sponsor, relay.round);
        let sponsor = self.overlay.find(&sponsor);
        if reached.is_empty() {
            self.refuse_relay(now, member, sponsor, round, out);
            return;
        }
        let info = self.overlay.member_mut(member);
        info.reach = Reach::Open;
        info.addresses = reached;
        self.relays.get_mut(&member).expect("just seen").stage = Stage::Found;
        self.place_found(now, out);
    }

    /// Places a relay that was found, unless another has yet to fill.
    fn place_found(&mut self, now: Instant, out: &mut Outbox) {
        let fills = |relay: &Relay| matches!(relay.stage, Stage::Filling { .. });
        let found = self.relays.iter().find(|(_, relay)| relay.stage == Stage::Found);
        if let Some(member) = found
            .map(|(member, _)| *member)
            .filter(|_| !self.relays.values().any(fills))
        {
            self.place_relay(now, member, out);
        }
    }

    /// Gives a relay what seats there are for it; where the source has none left, those that cost the least.
    fn seat_relay(&mut self, now: Instant, member: MemberIndex) {
        if self.overlay.seat_relay(now, member) {
            return;
        }
        let orphans = self.overlay.make_way(now, member);
        if !orphans.is_empty() {
            self.overlay.seat_relay(now, member);
            self.reseat(now, orphans);
        }
    }

    fn place_relay(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        self.seat_relay(now, member);
        let places = self.overlay.member(member).places_with_index();
        let lacks = places
            .map(|(stripe, _)| self.overlay.stripes().id(stripe))
            .collect();
        let until = now + FILLING_MAX;
        self.overlay.set_filling(member, true);
        let relay = self.relays.get_mut(&member).expect("it was sought");
        relay.stage = Stage::Filling { lacks, until };
        self.adopt(now);
        self.tell_of_relay(member, None, out);
    }

    /// A relay receives a stripe.
    pub(super) fn on_filled(&mut self, now: Instant, member: MemberIndex, stripe: StripeId) {
        let Some(relay) = self.relays.get_mut(&member) else {
            return;
        };
        if let Stage::Filling { lacks, .. } = &mut relay.stage {
            lacks.remove(&stripe);
            if lacks.is_empty() {
                relay.from_block.get_or_insert(self.source.live_block());
            }
            self.open_when_filled(now, member);
        }
    }

    /// Once a relay has all stripes, and a keyframe to begin with, those come who are to get them from it: the sponsor, and
    /// everybody who waits.
    fn open_when_filled(&mut self, now: Instant, member: MemberIndex) {
        let relay = &self.relays[&member];
        let Stage::Filling { lacks, until } = &relay.stage else {
            return;
        };
        let begins = self.overlay.stripes().top().zip(relay.from_block);
        let has_keyframe = begins.is_some_and(|(top, from)| self.source.start_block(top, 0) >= from);
        if (lacks.is_empty() && has_keyframe) || now >= *until {
            self.open_relay(now, member);
        }
    }

    fn open_relay(&mut self, now: Instant, member: MemberIndex) {
        let relay = self.relays.get_mut(&member).expect("the caller has a relay");
        relay.stage = Stage::Serving;
        // Everybody comes at once, and messages cross: who finds its seat taken at first says nothing of the relay.
        relay.excused_until = now + OPENS;
        let (sponsor, round) = (relay.sponsor, relay.round);
        self.overlay.set_filling(member, false);
        if let Some(sponsor) = self.overlay.find(&sponsor) {
            self.end_pledge(sponsor, round);
        }
        self.keep_promises(now);
        self.promote_all(now);
        self.hand_over_relays(now);
    }

    /// `why` it goes; `None`: it comes.
    pub(super) fn tell_of_relay(&self, member: MemberIndex, why: Option<&str>, out: &mut Outbox) {
        let info = self.overlay.member(member);
        let Some(sponsor) = info.sponsor() else { return };
        let (relay, uplink_bps) = (info.id, info.cap.unwrap_or(info.granted).as_bps());
        out.event(match why {
            None => Event::RelayJoined {
                relay,
                sponsor,
                uplink_bps,
                reason: "its sponsor lends it".to_string(),
            },
            Some(why) => Event::RelayLeft {
                relay,
                sponsor,
                uplink_bps,
                reason: why.to_string(),
            },
        });
    }

    /// A relay said something to its sponsor, who passes it on.
    pub(super) fn on_from_relay(
        &mut self,
        now: Instant,
        sponsor: MemberIndex,
        tag: PeerTag,
        body: &[u8],
        out: &mut Outbox,
    ) -> Result<(), CloseCode> {
        let message = Message::parse_body(body).map_err(|_| CloseCode::Malformed)?;
        let Some(relay) = self.relay_of(sponsor, tag) else {
            return Ok(());
        };
        self.heard_from(now, relay);
        match message {
            Message::Report(_)
            | Message::Moved(_)
            | Message::Orphaned(_)
            | Message::Unreachable { .. }
            | Message::Leave => self.on_member_message(now, relay, message, out),
            _ => Err(CloseCode::Unexpected),
        }
    }

    /// The relay of that tag which this member commands.
    pub(super) fn relay_of(&self, sponsor: MemberIndex, tag: PeerTag) -> Option<MemberIndex> {
        let commanded = |relay: &MemberIndex| self.contacts[relay].route == Route::Sponsor(sponsor);
        let mut relays = self.relays.keys().copied().filter(commanded);
        relays.find(|relay| self.overlay.member(*relay).id.tag() == tag)
    }

    /// Nothing comes of a yes, or a relay is gone.
    pub(super) fn on_no_relay(
        &mut self,
        now: Instant,
        sponsor: MemberIndex,
        round: u64,
        tag: Option<PeerTag>,
        out: &mut Outbox,
    ) {
        self.end_pledge(sponsor, round);
        if let Some(relay) = tag.and_then(|tag| self.relay_of(sponsor, tag)) {
            self.end_relay(now, relay, "its sponsor says that it is gone", out);
        }
        self.manage_shortage(now, out);
    }

    /// Looks after the relays: seats that they lack, their ends, and those that are silent.
    pub(super) fn tend_relays(&mut self, now: Instant, out: &mut Outbox) {
        for member in self.relays.keys().copied().collect::<Vec<_>>() {
            self.tend_relay(now, member, out);
        }
        self.place_found(now, out);
        self.keep_promises(now);
    }

    /// A relay has whatever seats there are for it, and children when it has had time to fill.
    pub(super) fn keep_relay(&mut self, now: Instant, member: MemberIndex) {
        if !self.relays[&member].is_placed() {
            return;
        }
        self.open_when_filled(now, member);
        self.seat_relay(now, member);
    }

    /// Sponsors come directly below their relays.
    fn keep_promises(&mut self, now: Instant) {
        let orphans = self.overlay.keep_promises(now);
        self.reseat(now, orphans);
    }
}
