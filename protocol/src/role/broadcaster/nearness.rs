//! Where a relay would be near to those whom it is to serve: they are asked, once each, and whoever is asked to sponsor is told
//! (`docs/protocol.md` §8).

use super::{Broadcaster, Whereabouts};
use crate::io::Outbox;
use crate::overlay::member::{Kind, MemberIndex};
use crate::overlay::nearness::{RoundTrips, nearest};
use crate::time::{Duration, Instant};
use crate::wire::control::Message;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// So many of those who lack something are asked: the middle of more is no other one.
const ASKED_MAX: usize = 32;

/// How long people are not asked to sponsor because it is not known yet where, counted from the first question: the farthest region that is near to anybody
/// answers within half a second.
const PATIENCE: Duration = Duration::from_millis(750);

impl Broadcaster {
    /// Asks those whom a relay would serve how far regions are from them. Whether it is worth waiting for answers.
    pub(super) fn locate(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let served: Vec<MemberIndex> = self.to_be_served().into_iter().take(ASKED_MAX).collect();
        for member in &served {
            let may_be_asked = self.overlay.member(*member).may_sponsor;
            let Some(contact) = self.contacts.get_mut(member) else {
                continue;
            };
            if may_be_asked && contact.whereabouts == Whereabouts::Unknown {
                contact.whereabouts = Whereabouts::Asked;
                self.locating_since.get_or_insert(now);
                self.tell(*member, &Message::Locate, out);
            }
        }
        let is_open = |member: &MemberIndex| {
            let contact = self.contacts.get(member);
            contact.is_some_and(|contact| contact.whereabouts == Whereabouts::Asked)
        };
        let lately = self
            .locating_since
            .is_some_and(|since| now.since(since) < PATIENCE);
        lately && served.iter().any(is_open)
    }

    /// Nobody lacks anything: the next shortage is another one.
    pub(super) fn stop_locating(&mut self) {
        self.locating_since = None;
    }

    /// Those who lack something, or soon will.
    fn to_be_served(&self) -> BTreeSet<MemberIndex> {
        let (_, foreseen) = self.foreseen();
        self.short.keys().copied().chain(foreseen).collect()
    }

    /// A member says how far regions are. What nobody asked for, or says again, does not count.
    pub(super) fn on_located(
        &mut self,
        now: Instant,
        member: MemberIndex,
        round_trips: RoundTrips,
        out: &mut Outbox,
    ) {
        let contact = self.contacts.get_mut(&member);
        let asked = contact.filter(|contact| contact.whereabouts == Whereabouts::Asked);
        if let Some(contact) = asked {
            contact.whereabouts = Whereabouts::Said(round_trips);
            self.manage_shortage(now, out);
        }
    }

    /// Tells who is about to sponsor, or to be asked, where the relay would be near. Nothing, if nobody knows.
    pub(super) fn tell_near(&mut self, member: MemberIndex, out: &mut Outbox) {
        let said = self.to_be_served().into_iter().filter_map(|served| {
            let prefix = self.overlay.member(served).prefix;
            match &self.contacts.get(&served)?.whereabouts {
                Whereabouts::Said(round_trips) => Some((prefix, round_trips)),
                _ => None,
            }
        });
        let regions = nearest(said);
        if !regions.is_empty() {
            self.tell(member, &Message::Near { regions }, out);
        }
    }

    /// Who has come to sponsor does so unasked, as soon as it is welcome.
    pub(super) fn tell_near_to_sponsor(&mut self, member: MemberIndex, out: &mut Outbox) {
        if self.overlay.member(member).kind == Kind::Sponsor {
            self.tell_near(member, out);
        }
    }
}
