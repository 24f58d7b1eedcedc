//! Relays that sponsors lend the channel: taking them in, and what happens when they, or their sponsors, go
//! (`docs/protocol.md` §11).

use super::routes::Route;
use super::{Broadcaster, Contact};
use crate::event::Event;
use crate::id::{PeerId, PeerTag};
use crate::io::{Outbox, Output};
use crate::limits::RELAYS_A_SPONSOR_MAX;
use crate::media::StripeId;
use crate::overlay::member::{Kind, Member, MemberIndex, State};
use crate::overlay::reach::{Prefix, Reach};
use crate::role::scope::Scope;
use crate::time::{Duration, Instant, Utc};
use crate::wire::close::CloseCode;
use crate::wire::control::{Message, WithdrawReason};
use crate::wire::lease::Lease;
use crate::wire::order::{Delegation, Offer};
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// The children of a relay are moved so long before its lease ends.
const BEFORE_THE_END: Duration = Duration::from_secs(10);

/// A relay that has said goodbye is forgotten after so long: its children have moved by then.
const FAREWELL: Duration = Duration::from_secs(10);

/// A relay that gives no sign of life for so long is gone.
const SILENT_MAX: Duration = Duration::from_secs(15);

/// A sponsor is asked for a sign of life after so long: who watches reports every ten seconds at least.
const SPONSOR_SILENT: Duration = Duration::from_secs(11);

/// And it has so long to give one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// A relay's children come when it has what they are to get, or after so long: dialling its parents takes less, and a keyframe comes
/// every four seconds at least.
const FILLING_MAX: Duration = Duration::from_secs(5);

/// How far a relay has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// It is dialled back.
    Sought,
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
    round: u64,
    stage: Stage,
    /// Since when it has had the full stream: it has nothing that is older.
    pub(super) from_block: Option<u64>,
    /// When it is gone at the latest, and why.
    goes: Option<(Instant, &'static str)>,
}

impl Relay {
    /// Whether it has been given places.
    fn is_placed(&self) -> bool {
        !matches!(self.stage, Stage::Sought | Stage::Found)
    }
}

impl Broadcaster {
    fn utc(&self, now: Instant) -> Utc {
        Utc::from_secs(self.clock.channel(now).as_micros() / 1_000_000)
    }

    /// Relays at work.
    pub(super) fn relays_at_work(&self) -> usize {
        let works = |(member, relay): &(&MemberIndex, &Relay)| {
            relay.is_placed() && self.overlay.member(**member).is_active()
        };
        self.relays.iter().filter(works).count()
    }

    /// A sponsor lends a relay, or tells of a change of one that it has lent.
    pub(super) fn on_serving(&mut self, now: Instant, sponsor: MemberIndex, offer: Offer, out: &mut Outbox) {
        if let Err(objection) = self.judge_offer(now, sponsor, &offer) {
            return self.decline_offer(sponsor, &offer, objection, out);
        }
        match self.overlay.find(&offer.relay) {
            Some(relay) => self.renew_offer(sponsor, relay, offer),
            None => self.take_in(now, sponsor, offer, out),
        }
    }

    fn judge_offer(&self, now: Instant, sponsor: MemberIndex, offer: &Offer) -> Result<(), Objection> {
        let id = self.overlay.member(sponsor).id;
        let known = self.overlay.find(&offer.relay);
        let is_its = known.is_some_and(|relay| self.overlay.member(relay).sponsor() == Some(id));
        let forged = offer
            .delegation
            .as_ref()
            .is_some_and(|sealed| !self.covers(sealed, &id, offer));
        let spurious = self.contacts[&sponsor].spurious_offers;
        let relays = self.overlay.relays_of(id).count() + usize::from(spurious);
        match () {
            () if forged => Err(Objection::Forged),
            () if known.is_some() && !is_its || self.overlay.is_tag_taken(&offer.relay) => {
                Err(Objection::Namesake)
            }
            () if known.is_none() && relays >= RELAYS_A_SPONSOR_MAX => Err(Objection::TooMany),
            () if self.utc(now).after(BEFORE_THE_END) >= offer.lease.ends => Err(Objection::Ends),
            () if known.is_none() && self.worth_probing(sponsor, offer).is_empty() => {
                Err(Objection::Unreachable)
            }
            () => Ok(()),
        }
    }

    /// Whether a delegation lets us command that very relay, within its lease.
    fn covers(&self, sealed: &Bytes, sponsor: &PeerId, offer: &Offer) -> bool {
        let me = self.config.key.id();
        let opened = Delegation::open(sealed, sponsor, &*self.config.verify);
        opened.is_ok_and(|delegation| {
            (delegation.channel, delegation.delegate, delegation.relay) == (me, me, offer.relay)
                && delegation.lease.is_within(&offer.lease)
        })
    }

    /// The addresses at which a relay may be looked for: none that is more private than the one that its sponsor comes from, so
    /// that nobody makes us knock at our neighbours' doors.
    fn worth_probing(&self, sponsor: MemberIndex, offer: &Offer) -> Vec<SocketAddr> {
        let own = Scope::of(&self.contacts[&sponsor].address);
        let may = |address: &&SocketAddr| Scope::of(address) <= own && Scope::of(address) != Scope::Nowhere;
        offer.addresses.iter().filter(may).copied().collect()
    }

    fn decline_offer(&mut self, sponsor: MemberIndex, offer: &Offer, objection: Objection, out: &mut Outbox) {
        if objection.is_a_fault() {
            self.blame(sponsor, objection.sentence(), MemberIndex::SOURCE, out);
        }
        self.end_pledge(sponsor, offer.round);
        self.withdraw(sponsor, offer.round, WithdrawReason::Unavailable, out);
    }

    /// A yes has become a relay; or nothing comes of it, and somebody else is asked.
    fn end_pledge(&mut self, sponsor: MemberIndex, round: u64) {
        let id = self.overlay.member(sponsor).id;
        self.admission.end_pledge(&id, round);
    }

    fn take_in(&mut self, now: Instant, sponsor: MemberIndex, offer: Offer, out: &mut Outbox) {
        let addresses = self.worth_probing(sponsor, &offer);
        let id = self.overlay.member(sponsor).id;
        let mut member = Member::new(offer.relay, now, Prefix::of(&addresses[0]));
        member.kind = Kind::Relay { sponsor: id };
        member.cap = Some(offer.uplink);
        member.granted = offer.uplink;
        let relay = self.overlay.admit(member);
        self.contacts
            .insert(relay, Contact::new(Route::Sponsor(sponsor), addresses[0], now));
        self.relays.insert(
            relay,
            Relay {
                sponsor: id,
                lease: offer.lease,
                delegation: offer.delegation,
                sequence: 0,
                round: offer.round,
                stage: Stage::Sought,
                from_block: None,
                goes: None,
            },
        );
        // It may have been our child before we were started anew.
        let known = self
            .links
            .values_mut()
            .filter(|stranger| stranger.peer == offer.relay);
        known.for_each(|stranger| {
            stranger.member = Some(relay);
            stranger.hello_taken = true;
        });
        let peer = offer.relay;
        out.push(Output::Probe { peer, addresses });
    }

    /// The lease may be longer now, the delegation another one; and the sponsor commands it, also if it had been away.
    fn renew_offer(&mut self, sponsor: MemberIndex, member: MemberIndex, offer: Offer) {
        let relay = self.relays.get_mut(&member).expect("the offer was judged");
        relay.lease = offer.lease;
        relay.delegation = offer.delegation;
        if relay.goes.take().is_some() {
            self.overlay.set_state(member, State::Active);
        }
        let info = self.overlay.member_mut(member);
        info.cap = Some(offer.uplink);
        info.granted = info.granted.min(offer.uplink);
        let contact = self
            .contacts
            .get_mut(&member)
            .expect("every member has a contact");
        contact.route = Route::Sponsor(sponsor);
        self.say_again(member);
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
        if relay.stage != Stage::Sought {
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

    fn place_relay(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        self.overlay.seat_relay(now, member);
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
        let (sponsor, round) = (relay.sponsor, relay.round);
        self.overlay.set_filling(member, false);
        if let Some(sponsor) = self.overlay.find(&sponsor) {
            self.end_pledge(sponsor, round);
        }
        self.keep_promises(now);
        self.promote_all(now);
    }

    fn refuse_relay(
        &mut self,
        now: Instant,
        member: MemberIndex,
        sponsor: Option<MemberIndex>,
        round: u64,
        out: &mut Outbox,
    ) {
        self.forget_relay(now, member, out);
        let Some(sponsor) = sponsor else { return };
        if let Some(contact) = self.contacts.get_mut(&sponsor) {
            contact.spurious_offers = contact.spurious_offers.saturating_add(1);
        }
        self.blame(
            sponsor,
            Objection::Unreachable.sentence(),
            MemberIndex::SOURCE,
            out,
        );
        self.end_pledge(sponsor, round);
        self.withdraw(sponsor, round, WithdrawReason::Unavailable, out);
    }

    /// `why` it goes; `None`: it comes.
    fn tell_of_relay(&self, member: MemberIndex, why: Option<&str>, out: &mut Outbox) {
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
    fn relay_of(&self, sponsor: MemberIndex, tag: PeerTag) -> Option<MemberIndex> {
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

    /// A relay is gone.
    pub(super) fn end_relay(&mut self, now: Instant, member: MemberIndex, why: &str, out: &mut Outbox) {
        let Some(relay) = self.relays.get(&member) else {
            return;
        };
        if relay.is_placed() {
            let why = relay.goes.map_or(why, |(_, why)| why);
            self.tell_of_relay(member, Some(why), out);
        }
        self.forget_relay(now, member, out);
    }

    fn forget_relay(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        self.relays.remove(&member);
        for link in self.links_of(member) {
            self.forwarder.take_back(now, link, out);
            let stranger = self.links.get_mut(&link).expect("it is one of ours");
            stranger.member = None;
            stranger.since = now;
        }
        self.dismiss(now, member, out);
    }

    /// A relay goes soon: its children are moved while it still forwards.
    pub(super) fn part_with_relay(&mut self, now: Instant, member: MemberIndex, why: &'static str) {
        let relay = self.relays.get_mut(&member).expect("the caller has a relay");
        if relay.goes.is_none() {
            relay.goes = Some((now + FAREWELL, why));
            self.evacuate(now, member);
        }
    }

    /// The relays that a sponsor commands.
    fn commanded_by(&self, sponsor: MemberIndex) -> Vec<MemberIndex> {
        let is_its = |relay: &MemberIndex| self.contacts[relay].route == Route::Sponsor(sponsor);
        self.relays.keys().copied().filter(is_its).collect()
    }

    /// A sponsor has gone. Its relays are commanded by its delegation from now on; those that it gave none for go with it.
    pub(super) fn on_sponsor_gone(&mut self, now: Instant, sponsor: MemberIndex, out: &mut Outbox) {
        self.relieve_sponsor(now, sponsor, out);
        for member in self.commanded_by(sponsor) {
            let contact = self
                .contacts
                .get_mut(&member)
                .expect("every member has a contact");
            contact.route = Route::Delegated(None);
            if self.relays[&member].is_placed() {
                self.part_with_relay(now, member, "its sponsor has gone");
            } else {
                self.end_relay(now, member, "its sponsor has gone", out);
            }
        }
    }

    /// A sponsor cannot pass on what its relays are told: we command those that it has delegated to us.
    pub(super) fn relieve_sponsor(&mut self, now: Instant, sponsor: MemberIndex, out: &mut Outbox) {
        for member in self.commanded_by(sponsor) {
            let relay = &self.relays[&member];
            if relay.is_placed() && relay.delegation.is_some() {
                self.take_command(now, member, out);
            }
        }
    }

    /// Sponsors that were not heard of for long are asked for a sign of life; who gives none commands no more. Call once a
    /// second.
    pub(super) fn watch_sponsors(&mut self, now: Instant, out: &mut Outbox) {
        let route = |relay: &MemberIndex| self.contacts[relay].route;
        let routes: BTreeSet<_> = self.relays.keys().map(route).collect();
        for route in routes {
            let Route::Sponsor(sponsor) = route else { continue };
            let silent = now.since(self.contacts[&sponsor].heard);
            if silent >= SPONSOR_SILENT + SIGN_OF_LIFE {
                self.relieve_sponsor(now, sponsor, out);
            } else if silent >= SPONSOR_SILENT {
                self.ask_for_life(now, sponsor, out);
            }
        }
    }

    /// Looks after the relays: seats that they lack, their ends, and those that are silent.
    pub(super) fn tend_relays(&mut self, now: Instant, out: &mut Outbox) {
        for member in self.relays.keys().copied().collect::<Vec<_>>() {
            self.tend_relay(now, member, out);
        }
        self.place_found(now, out);
        self.keep_promises(now);
    }

    fn tend_relay(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        let relay = &self.relays[&member];
        let ends = self.utc(now).after(BEFORE_THE_END) >= relay.lease.ends;
        let is_over = self.utc(now) >= relay.lease.ends;
        let silent = now.since(self.contacts[&member].heard) >= SILENT_MAX;
        match (relay.goes, &self.overlay.member(member).state) {
            (Some((at, why)), _) if now >= at => self.end_relay(now, member, why, out),
            _ if is_over => self.end_relay(now, member, "its lease has ended", out),
            (None, _) if ends && relay.is_placed() => self.part_with_relay(now, member, "its lease ends"),
            (None, State::Absent) if silent => self.end_relay(now, member, "gives no sign of life", out),
            (None, State::Active) => self.keep_relay(now, member),
            _ => {}
        }
    }

    /// A relay has whatever seats there are for it, and children when it has had time to fill.
    fn keep_relay(&mut self, now: Instant, member: MemberIndex) {
        if !self.relays[&member].is_placed() {
            return;
        }
        self.open_when_filled(now, member);
        self.overlay.seat_relay(now, member);
    }

    /// Sponsors come directly below their relays.
    fn keep_promises(&mut self, now: Instant) {
        let orphans = self.overlay.keep_promises(now);
        self.reseat(now, orphans);
    }
}

/// Why a relay is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Objection {
    /// The delegation is not its sponsor's, or not for this relay.
    Forged,
    /// That key is another member's, or begins as one does.
    Namesake,
    /// The sponsor has lent, or invented, too many.
    TooMany,
    /// Its lease is about to end.
    Ends,
    /// Nobody answers with its key.
    Unreachable,
}

impl Objection {
    /// Whether somebody has done what it must not.
    const fn is_a_fault(self) -> bool {
        !matches!(self, Self::Ends)
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Forged => "offered a relay with a delegation that does not cover it",
            Self::Namesake => "offered a relay with somebody else's key",
            Self::TooMany => "offered more relays than one sponsor may lend",
            Self::Ends => "offered a relay whose lease is about to end",
            Self::Unreachable => "offered a relay that does not answer with its key",
        }
    }
}
