//! Standing: what is held against members, by whose word, and whose word counts.
//!
//! One word only moves whoever said it. A relay loses its seats when children of several networks, whom the coordinator had put there,
//! say the same of it; and its sponsor the priority. Whoever accuses one parent after the other, and nobody agrees, is believed no more.

use crate::id::PeerId;
use crate::overlay::member::MemberIndex;
use crate::overlay::reach::Prefix;
use crate::time::{Duration, Instant};
use crate::wire::control::Accusation;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What is held against somebody is forgotten after so long.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Children of so many networks agree.
const AGREE: usize = 2;

/// So many networks must have been turned away: messages that cross turn away one or two.
const TURNED_AWAY: usize = 3;

/// Whoever turns children away for want of uplink, or has lost its own parent, says so within so long.
const OWNS_WITHIN: Duration = Duration::from_secs(2);

/// Others have so long to agree with an accusation.
const AGREE_WITHIN: Duration = Duration::from_secs(3);

/// Whoever accused so many parents within a minute, and nobody agreed, is believed no more, for so long after the last.
const SLANDERED: usize = 3;
const SLANDER_KEPT: Duration = Duration::from_secs(60);

/// Sponsors of cheats that are remembered; who comes beyond makes the first of them forgotten.
const FALLEN_MAX: usize = 1024;

/// What one member holds against another.
#[derive(Clone, Copy, Debug)]
struct Charge {
    what: Accusation,
    /// Since when: saying it again and again makes it no younger.
    since: Instant,
    /// When it was said last.
    at: Instant,
    prefix: Prefix,
    /// Nobody agreed while there was time to.
    is_refuted: bool,
}

/// What is held against members.
#[derive(Debug, Default)]
pub struct Standing {
    /// By accused and accuser.
    charges: BTreeMap<(MemberIndex, MemberIndex), Charge>,
    /// By accused and orphan: whose parent lives and sent nothing of a stripe, since when and of which network.
    starved: BTreeMap<(MemberIndex, MemberIndex), (Instant, Prefix)>,
    /// By accuser and accused: accusations with which nobody agreed, and when.
    slanders: BTreeMap<(MemberIndex, MemberIndex), Instant>,
    /// Relays that cheated, and who lent them.
    fallen: BTreeSet<PeerId>,
}

impl Standing {
    /// `accuser`, of network `prefix`, holds `what` against `accused`. Whoever is believed no more says nothing.
    pub fn charge(
        &mut self,
        now: Instant,
        (accused, accuser): (MemberIndex, MemberIndex),
        prefix: Prefix,
        what: Accusation,
    ) {
        if self.is_believed(now, accuser) {
            let former = self.charges.get(&(accused, accuser));
            let lasts = former.filter(|former| former.what == what && !former.is_refuted);
            let charge = Charge {
                what,
                since: lasts.map_or(now, |former| former.since),
                at: now,
                prefix,
                is_refuted: false,
            };
            self.charges.insert((accused, accuser), charge);
        }
    }

    /// `orphan`, of network `prefix`, says that nothing of a stripe comes from `parent`. Whether that withholds it is not known yet: it may
    /// have died, or lost its own parent.
    pub fn starves(&mut self, now: Instant, (parent, orphan): (MemberIndex, MemberIndex), prefix: Prefix) {
        if self.is_believed(now, orphan) {
            self.starved.entry((parent, orphan)).or_insert((now, prefix));
        }
    }

    /// `accuser` is served by `accused` after all.
    pub fn withdraw_refusal(&mut self, accused: MemberIndex, accuser: MemberIndex) {
        let pair = (accused, accuser);
        let refused = self
            .charges
            .get(&pair)
            .is_some_and(|charge| charge.what == Accusation::Refused);
        if refused {
            self.charges.remove(&pair);
        }
    }

    /// Whether a member's word counts.
    pub fn is_believed(&self, now: Instant, accuser: MemberIndex) -> bool {
        let range = (accuser, MemberIndex(0))..=(accuser, MemberIndex(u32::MAX));
        let lately = self
            .slanders
            .range(range)
            .filter(|(_, at)| now.since(**at) < SLANDER_KEPT);
        lately.count() < SLANDERED
    }

    /// What children of enough networks hold against a member alike; refusals only if there are as many as it serves, `served`.
    pub fn verdict(&self, now: Instant, accused: MemberIndex, served: usize) -> Option<Accusation> {
        let charges = || {
            self.charges_against(accused)
                .filter(|(_, charge)| now.since(charge.at) < REMEMBERED)
        };
        let networks = |what: Accusation| {
            let alike = charges().filter(|(_, charge)| charge.what == what);
            let starved = self.starved_by(now, accused).filter(|_| what == Accusation::Late);
            alike
                .map(|(_, charge)| charge.prefix)
                .chain(starved)
                .collect::<BTreeSet<_>>()
                .len()
        };
        let grave = [Accusation::Forged, Accusation::Late, Accusation::Silent];
        let agreed = grave.into_iter().find(|what| networks(*what) >= AGREE);
        let is_refusal =
            |charge: &Charge| charge.what == Accusation::Refused && now.since(charge.since) >= OWNS_WITHIN;
        let refused = charges().filter(|(_, charge)| is_refusal(charge));
        let refused = refused
            .map(|(_, charge)| charge.prefix)
            .collect::<BTreeSet<_>>()
            .len();
        agreed.or_else(|| (refused >= TURNED_AWAY.max(served)).then_some(Accusation::Refused))
    }

    /// The networks of those whom a member let starve, and has not said why while there was time to.
    fn starved_by(&self, now: Instant, parent: MemberIndex) -> impl Iterator<Item = Prefix> + '_ {
        let range = (parent, MemberIndex(0))..=(parent, MemberIndex(u32::MAX));
        let told = self.starved.range(range).map(|(_, told)| *told);
        told.filter(move |(at, _)| (OWNS_WITHIN..REMEMBERED).contains(&now.since(*at)))
            .map(|(_, prefix)| prefix)
    }

    /// The accused has owned to be overloaded: what may come of that is not held against it.
    pub fn excuse(&mut self, accused: MemberIndex) {
        self.charges
            .retain(|(other, _), charge| *other != accused || charge.what == Accusation::Forged);
        self.starved.retain(|(other, _), _| *other != accused);
    }

    /// Whether `accuser` holds something against `accused`.
    pub fn has_charged(&self, accused: MemberIndex, accuser: MemberIndex) -> bool {
        self.charges.contains_key(&(accused, accuser))
    }

    fn charges_against(&self, accused: MemberIndex) -> impl Iterator<Item = (MemberIndex, Charge)> + '_ {
        let range = (accused, MemberIndex(0))..=(accused, MemberIndex(u32::MAX));
        self.charges.range(range).map(|((_, by), charge)| (*by, *charge))
    }

    /// Notes with whose accusations nobody agreed in time. Returns those who are believed no more for it. Call once a second.
    pub fn review(&mut self, now: Instant) -> Vec<MemberIndex> {
        let mut liars = Vec::new();
        for (accused, by) in self.overdue(now) {
            let before = self.is_believed(now, by);
            self.slanders.insert((by, accused), now);
            if before && !self.is_believed(now, by) {
                liars.push(by);
            }
        }
        self.charges.retain(|_, charge| now.since(charge.at) < REMEMBERED);
        self.starved.retain(|_, (at, _)| now.since(*at) < REMEMBERED);
        self.slanders.retain(|_, at| now.since(*at) < SLANDER_KEPT);
        liars
    }

    /// Accusations, refusals aside, with which nobody agreed though there was time.
    fn overdue(&mut self, now: Instant) -> Vec<(MemberIndex, MemberIndex)> {
        let mut overdue = Vec::new();
        let keys: Vec<_> = self.charges.keys().copied().collect();
        for (accused, by) in keys {
            let networks: BTreeSet<Prefix> = self
                .charges_against(accused)
                .map(|(_, charge)| charge.prefix)
                .collect();
            let Some(charge) = self.charges.get_mut(&(accused, by)) else {
                continue;
            };
            let is_due = now.since(charge.since) >= AGREE_WITHIN && charge.what != Accusation::Refused;
            if is_due && !core::mem::replace(&mut charge.is_refuted, true) && networks.len() < AGREE {
                overdue.push((accused, by));
            }
        }
        overdue
    }

    /// A relay has cheated: it and who lent it are not trusted any more.
    pub fn fall(&mut self, relay: PeerId, sponsor: PeerId) {
        for peer in [relay, sponsor] {
            if self.fallen.len() == FALLEN_MAX {
                self.fallen.pop_first();
            }
            self.fallen.insert(peer);
        }
    }

    /// Whether that is a relay that cheated, or its sponsor.
    pub fn is_fallen(&self, peer: &PeerId) -> bool {
        !self.fallen.is_empty() && self.fallen.contains(peer)
    }

    /// What was held against a member that failed in fact, or has gone, was right, and is over.
    pub fn settle(&mut self, accused: MemberIndex) {
        self.charges.retain(|(other, _), _| *other != accused);
        self.starved.retain(|(other, _), _| *other != accused);
    }

    /// Forgets a member that went.
    pub fn forget(&mut self, member: MemberIndex) {
        self.charges
            .retain(|(accused, by), _| *accused != member && *by != member);
        self.starved
            .retain(|(parent, orphan), _| *parent != member && *orphan != member);
        self.slanders
            .retain(|(by, accused), _| *accused != member && *by != member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Instant {
        Instant::from_micros(s * 1_000_000)
    }

    fn prefix(n: u8) -> Prefix {
        Prefix::of(&core::net::SocketAddr::from(([20, 1, n, 1], 4600)))
    }

    fn member(n: u32) -> MemberIndex {
        MemberIndex(n)
    }

    fn charge(standing: &mut Standing, s: u64, accused: u32, by: u8, what: Accusation) {
        let pair = (member(accused), member(u32::from(by)));
        standing.charge(at(s), pair, prefix(by), what);
    }

    #[test]
    fn two_networks_that_say_the_same_agree() {
        let mut standing = Standing::default();
        charge(&mut standing, 1, 9, 1, Accusation::Forged);
        charge(&mut standing, 1, 9, 2, Accusation::Late);
        assert_eq!(standing.verdict(at(2), member(9), 0), None, "not the same");
        let same = (member(9), member(7));
        standing.charge(at(2), same, prefix(1), Accusation::Forged);
        assert_eq!(
            standing.verdict(at(2), member(9), 0),
            None,
            "a network says it once"
        );
        charge(&mut standing, 3, 9, 3, Accusation::Forged);
        assert_eq!(standing.verdict(at(3), member(9), 0), Some(Accusation::Forged));
        assert_eq!(standing.verdict(at(40), member(9), 0), None, "it is long ago");
    }

    #[test]
    fn who_turns_away_most_serves_its_friends_only() {
        let mut standing = Standing::default();
        for by in 1..=3 {
            charge(&mut standing, 1, 9, by, Accusation::Refused);
        }
        assert_eq!(standing.verdict(at(3), member(9), 4), None, "it serves more");
        assert_eq!(standing.verdict(at(2), member(9), 2), None, "it may say why");
        assert_eq!(standing.verdict(at(3), member(9), 2), Some(Accusation::Refused));
        standing.withdraw_refusal(member(9), member(2));
        assert_eq!(standing.verdict(at(3), member(9), 2), None);
    }

    #[test]
    fn who_lets_two_networks_starve_and_gives_no_reason_withholds() {
        let mut standing = Standing::default();
        let starves = |standing: &mut Standing, s: u64, by: u8| {
            let pair = (member(9), member(u32::from(by)));
            standing.starves(at(s), pair, prefix(by));
        };
        starves(&mut standing, 1, 1);
        assert_eq!(standing.verdict(at(3), member(9), 0), None, "one network");
        starves(&mut standing, 2, 2);
        assert_eq!(standing.verdict(at(3), member(9), 0), None, "it may say why");
        assert_eq!(standing.verdict(at(4), member(9), 0), Some(Accusation::Late));
        assert_eq!(standing.verdict(at(32), member(9), 0), None, "it is long ago");
        standing.excuse(member(9));
        assert_eq!(standing.verdict(at(4), member(9), 0), None, "it has said why");
        starves(&mut standing, 5, 1);
        charge(&mut standing, 6, 9, 2, Accusation::Late);
        assert_eq!(standing.verdict(at(7), member(9), 0), Some(Accusation::Late));
        standing.settle(member(9));
        assert_eq!(standing.verdict(at(7), member(9), 0), None, "it had failed");
    }

    #[test]
    fn who_accuses_several_alone_is_believed_no_more_for_a_while() {
        let mut standing = Standing::default();
        for accused in 1..=3 {
            charge(&mut standing, 1, accused, 50, Accusation::Silent);
        }
        assert_eq!(standing.review(at(3)), [], "others have yet to agree");
        assert_eq!(standing.review(at(5)), [member(50)]);
        assert_eq!(standing.review(at(6)), [], "that is said once");
        charge(&mut standing, 6, 4, 50, Accusation::Silent);
        charge(&mut standing, 6, 4, 51, Accusation::Silent);
        assert_eq!(
            standing.verdict(at(6), member(4), 0),
            None,
            "it counts for nothing"
        );
        assert!(standing.is_believed(at(66), member(50)));
    }

    #[test]
    fn whom_others_agree_with_has_not_lied() {
        let mut standing = Standing::default();
        for accused in 1..=3 {
            charge(&mut standing, 1, accused, 50, Accusation::Silent);
            charge(&mut standing, 2, accused, 51, Accusation::Silent);
        }
        assert_eq!(standing.review(at(5)), []);
        for accused in 4..=6 {
            charge(&mut standing, 6, accused, 50, Accusation::Silent);
            standing.settle(member(accused));
        }
        assert_eq!(standing.review(at(10)), [], "they had failed in fact");
    }
}
