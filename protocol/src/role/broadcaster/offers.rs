//! What sponsors offer: whether it is a relay that may be taken, and what is known of it from then on (`docs/protocol.md` §11).

use super::relays::{BEFORE_THE_END, Relay, Stage, Succession};
use super::routes::Route;
use super::{Broadcaster, Contact};
use crate::id::PeerId;
use crate::io::{Outbox, Output};
use crate::limits::RELAYS_A_SPONSOR_MAX;
use crate::overlay::member::{Kind, Member, MemberIndex, State};
use crate::overlay::reach::Prefix;
use crate::role::scope::Scope;
use crate::time::Instant;
use crate::wire::control::WithdrawReason;
use crate::wire::order::{Delegation, Offer, SealedDelegation};
use alloc::vec::Vec;
use core::net::SocketAddr;

impl Broadcaster {
    /// A sponsor lends a relay, or tells of a change of one that it has lent.
    pub(super) fn on_serving(&mut self, now: Instant, sponsor: MemberIndex, offer: Offer, out: &mut Outbox) {
        if let Err(objection) = self.judge_offer(now, sponsor, &offer) {
            return self.decline_offer(sponsor, &offer, objection, out);
        }
        match self.overlay.find(&offer.relay) {
            Some(relay) => self.renew_offer(now, sponsor, relay, offer),
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
            .is_some_and(|delegation| !self.covers(delegation, &id, offer));
        let spurious = self.contacts[&sponsor].spurious_offers;
        let relays = self.overlay.relays_of(id).count() + usize::from(spurious);
        match () {
            () if forged => Err(Objection::Forged),
            () if [&id, &offer.relay]
                .into_iter()
                .any(|peer| self.overlay.standing().is_fallen(peer)) =>
            {
                Err(Objection::Fallen)
            }
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
    fn covers(&self, delegation: &SealedDelegation, sponsor: &PeerId, offer: &Offer) -> bool {
        let me = self.config.key.public();
        let signer = &delegation.sponsor;
        let opened = Delegation::open(&delegation.sealed, signer, &*self.config.verify);
        signer.peer() == *sponsor
            && opened.is_ok_and(|opened| {
                (opened.channel, opened.delegate, opened.relay) == (me, me, offer.relay)
                    && opened.lease.is_within(&offer.lease)
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
                delegation: offer.delegation.map(|delegation| delegation.sealed),
                sequence: 0,
                round: offer.round,
                stage: Stage::Sought {
                    addresses: addresses.clone(),
                    again: true,
                },
                since: self.utc(now),
                succession: Succession::Later,
                from_block: None,
                excused_until: now,
                orphaned_at: None,
                less_since: None,
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
    fn renew_offer(&mut self, now: Instant, sponsor: MemberIndex, member: MemberIndex, offer: Offer) {
        let since = self.utc(now);
        let relay = self.relays.get_mut(&member).expect("the offer was judged");
        if relay.lease.ends != offer.lease.ends {
            (relay.since, relay.succession) = (since, Succession::Later);
            self.overlay.set_ending(member, false);
        }
        relay.lease = offer.lease;
        relay.delegation = offer.delegation.map(|delegation| delegation.sealed);
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

    pub(super) fn refuse_relay(
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
    /// It, or another of its sponsor's, has cheated.
    Fallen,
    /// Its lease is about to end.
    Ends,
    /// Nobody answers with its key.
    Unreachable,
}

impl Objection {
    /// Whether somebody has done what it must not.
    const fn is_a_fault(self) -> bool {
        !matches!(self, Self::Ends | Self::Fallen)
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Forged => "offered a relay with a delegation that does not cover it",
            Self::Namesake => "offered a relay with somebody else's key",
            Self::TooMany => "offered more relays than one sponsor may lend",
            Self::Fallen => "offered a relay though one of its relays cheated",
            Self::Ends => "offered a relay whose lease is about to end",
            Self::Unreachable => "offered a relay that does not answer with its key",
        }
    }
}
