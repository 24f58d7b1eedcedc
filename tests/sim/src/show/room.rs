//! Where the slots of the full stream are: who is granted them, who uses them, who is served by them. For whoever looks
//! for slots that nobody is served by.

use super::Show;
use crate::net::SECOND;
use banyan_protocol::media::TierId;
use banyan_protocol::overlay::Overlay;
use banyan_protocol::overlay::forest::Place;
use banyan_protocol::overlay::member::{Member, MemberIndex};
use banyan_protocol::units::Bitrate;
use std::fmt;

/// The slots of all uplinks in one second, by what becomes of them.
#[derive(Debug, Default)]
struct Room {
    viewers: u64,
    full: u64,
    lower: u64,
    /// Planned to have something, and not at the live edge.
    lags: Vec<u32>,
    /// What the uplinks have.
    there: u64,
    /// What the coordinator has not granted (yet, or any more).
    withheld: u64,
    free_at_source: u64,
    free: u64,
    lingering: u64,
    /// Carried for others by those who do not show the tier.
    enlisted: u64,
    /// Who carries: for how many, of how many children in all.
    carriers: Vec<(usize, usize)>,
}

impl Room {
    fn count(&mut self, plan: &Overlay, index: MemberIndex, uplink: Bitrate) {
        let member = plan.member(index);
        let slot = plan.stripes().top_slot();
        let slots = uplink.slots(slot);
        let granted = member.granted.slots(slot).min(slots);
        let free = (member.granted.min(uplink))
            .saturating_sub(member.used)
            .slots(slot);
        self.there += slots;
        self.withheld += slots - granted;
        self.lingering += member.lingering.len() as u64;
        if index == MemberIndex::SOURCE {
            self.free_at_source = free;
        } else {
            self.free += free;
            self.enlisted += carried(plan, member).count() as u64;
            let fed = carried(plan, member).map(|place| (place.children.len(), member.child_edges()));
            self.carriers.extend(fed);
        }
    }
}

/// The places at which a member receives what it does not show.
fn carried<'a>(plan: &'a Overlay, member: &'a Member) -> impl Iterator<Item = &'a Place> {
    let places = member.places_with_index();
    let others = places.filter(|(stripe, place)| {
        place.parent.is_some() && Some(plan.stripes().id(*stripe).tier) != member.tier
    });
    others.map(|(_, place)| place)
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} viewers, {} full, {} lower; {} slots: {} withheld, {} free at the source, {} free elsewhere, {} carried {:?}, {} lingering; lag: {:?}",
            self.viewers,
            self.full,
            self.lower,
            self.there,
            self.withheld,
            self.free_at_source,
            self.free,
            self.enlisted,
            self.carriers,
            self.lingering,
            self.lags
        )
    }
}

impl Show {
    /// Prints where the slots are, to standard error.
    pub(super) fn tell_room(&self) {
        let Some(plan) = self
            .world
            .node(self.source)
            .machine()
            .and_then(|machine| machine.plan())
        else {
            return;
        };
        let mut room = Room::default();
        room.count(plan, MemberIndex::SOURCE, self.source_uplink);
        for node in self.watching() {
            let seat = &self.world.watch.seats[&node];
            let Some(index) = plan.find(&self.world.node(node).id) else {
                continue;
            };
            room.viewers += 1;
            room.count(plan, index, seat.person.uplink);
            match plan.member(index).tier {
                Some(tier) if Some(tier) == plan.stripes().top() => room.full += 1,
                Some(TierId(_)) => room.lower += 1,
                None => {}
            }
            if !seat.is_live(self.world.now()) {
                room.lags.push(node);
            }
        }
        eprintln!("{:5} s: {room}", self.world.now() / SECOND);
    }
}
