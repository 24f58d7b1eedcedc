//! How relays go: at the end of their leases, when their sponsors take them away or have gone themselves, or without a word
//! (`docs/protocol.md` §11).
//!
//! A relay whose lease ends soon has a successor by then, if anybody wants to sponsor one: what it carries is missed before it is gone.

use super::Broadcaster;
use super::relays::{BEFORE_THE_END, Relay, Stage, Succession};
use super::routes::Route;
use crate::io::Outbox;
use crate::overlay::admission::PLEDGE_DEADLINE;
use crate::overlay::member::{MemberIndex, State};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// A successor is sought so long before a lease ends: as long as a yes is waited for to become a relay. Of a short lease it is a third.
const LEAD: Duration = PLEDGE_DEADLINE;

/// A relay that has said goodbye is forgotten after so long: its children have moved by then.
const FAREWELL: Duration = Duration::from_secs(10);

/// A relay that gives no sign of life for so long is gone.
const SILENT_MAX: Duration = Duration::from_secs(15);

/// A sponsor is asked for a sign of life after so long: who watches reports every ten seconds at least.
const SPONSOR_SILENT: Duration = Duration::from_secs(11);

/// And it has so long to give one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

impl Broadcaster {
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

    pub(super) fn forget_relay(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
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

    pub(super) fn tend_relay(&mut self, now: Instant, member: MemberIndex, out: &mut Outbox) {
        let relay = &self.relays[&member];
        let ends = self.utc(now).after(BEFORE_THE_END) >= relay.lease.ends;
        let is_over = self.utc(now) >= relay.lease.ends;
        let silent = now.since(self.contacts[&member].heard) >= SILENT_MAX;
        match (relay.goes, &self.overlay.member(member).state) {
            (Some((at, why)), _) if now >= at => self.end_relay(now, member, why, out),
            _ if is_over => self.end_relay(now, member, "its lease has ended", out),
            (None, _) if ends && relay.is_placed() => self.part_with_relay(now, member, "its lease ends"),
            (None, State::Absent) if silent => self.end_relay(now, member, "gives no sign of life", out),
            (None, State::Active) => {
                self.foresee_end(now, member);
                self.keep_relay(now, member);
            }
            _ => {}
        }
    }

    /// If a lease ends soon, nobody else is given a seat below the relay, and somebody is sought who follows it.
    fn foresee_end(&mut self, now: Instant, member: MemberIndex) {
        let utc = self.utc(now);
        let relay = self.relays.get_mut(&member).expect("the caller has a relay");
        let ends = relay.lease.ends.as_secs();
        let lead = LEAD.as_secs().min(ends.saturating_sub(relay.since.as_secs()) / 3);
        let soon = utc.as_secs() + lead >= ends;
        if soon && relay.stage == Stage::Serving && relay.succession == Succession::Later {
            relay.succession = Succession::Sought;
            self.overlay.set_ending(member, true);
        }
    }

    fn ending(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        let ends = |(_, relay): &(&MemberIndex, &Relay)| {
            relay.succession == Succession::Sought && relay.goes.is_none()
        };
        self.relays.iter().filter(ends).map(|(member, _)| *member)
    }

    /// What relays carry whose leases end soon and nobody else has room for, and who gets it.
    pub(super) fn foreseen(&self) -> (Bitrate, Vec<MemberIndex>) {
        let carried: Bitrate = self.ending().map(|relay| self.overlay.member(relay).used).sum();
        let free = self.overlay.stripes().top_slot() * self.overlay.room().free;
        let missing = carried.saturating_sub(free);
        if missing == Bitrate::ZERO {
            return (missing, Vec::new());
        }
        let places = self
            .ending()
            .flat_map(|relay| self.overlay.member(relay).places.iter().flatten());
        let children = places.flat_map(|place| place.children.iter().copied());
        let viewers: BTreeSet<_> = children
            .filter(|child| self.overlay.member(*child).is_viewer())
            .collect();
        (missing, viewers.into_iter().collect())
    }

    /// Nobody follows a relay whose lease ends.
    pub(super) fn give_up_succession(&mut self) {
        for relay in self.relays.values_mut() {
            if relay.succession == Succession::Sought {
                relay.succession = Succession::Nobody;
            }
        }
    }

    /// Where others have room for all that they carry, relays whose leases end soon hand it over now.
    pub(super) fn hand_over_relays(&mut self, now: Instant) {
        let ending: Vec<MemberIndex> = self.ending().collect();
        if ending.is_empty() || self.foreseen().0 > Bitrate::ZERO {
            return;
        }
        for member in ending {
            self.part_with_relay(now, member, "its lease ends");
        }
    }
}
