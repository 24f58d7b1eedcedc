use super::*;
use crate::overlay::member::Kind;
use crate::time::Duration;
use crate::wire::ticket::Class;

fn relay_of(overlay: &Overlay, sponsor: MemberIndex, n: u32, slots: u64) -> Member {
    let mut relay = newcomer(n, slots);
    relay.kind = Kind::Relay {
        sponsor: overlay.member(sponsor).id,
    };
    relay
}

/// A relay comes, and everybody who waits is served.
fn lend(overlay: &mut Overlay, sponsor: MemberIndex, n: u32, slots: u64) -> MemberIndex {
    let relay = overlay.admit(relay_of(overlay, sponsor, n, slots));
    overlay.seat_relay(NOW, relay);
    settle(overlay);
    relay
}

fn settle(overlay: &mut Overlay) {
    let orphans = overlay.keep_promises(NOW);
    overlay.reseat(NOW, orphans);
    for viewer in overlay.viewers().collect::<Vec<_>>() {
        overlay.serve(NOW, viewer, TOP);
    }
    overlay.settle_spares();
    overlay.check_invariants();
}

fn parents(overlay: &Overlay, member: MemberIndex) -> Vec<Option<MemberIndex>> {
    let stripes = overlay.stripes.of_tier(TOP);
    let parent = |stripe| {
        overlay
            .member(member)
            .place(stripe)
            .and_then(|place| place.parent)
    };
    stripes.map(parent).collect()
}

#[test]
fn a_relay_is_near_the_source_and_its_sponsor_below_it_wherever_that_sat() {
    for seed in 0..30 {
        let mut overlay = scarce(seed);
        for (k, sponsor) in overlay
            .viewers()
            .step_by(13)
            .collect::<Vec<_>>()
            .into_iter()
            .enumerate()
        {
            let relay = lend(&mut overlay, sponsor, 1_000 + k as u32, 200);
            let above = parents(&overlay, relay);
            let is_near = |parent: &Option<MemberIndex>| {
                let relay = parent.is_some_and(|parent| overlay.is_relay(parent));
                *parent == Some(MemberIndex::SOURCE) || (relay && k > 0)
            };
            assert!(above.iter().all(is_near), "{above:?}, seed {seed}");
            assert_eq!(parents(&overlay, sponsor), [Some(relay); 5], "seed {seed}");
            assert_eq!(overlay.class(sponsor), Class::Sponsor);
        }
        for viewer in overlay.viewers() {
            assert_eq!(
                overlay.member(viewer).tier,
                Some(TOP),
                "there is enough now, seed {seed}"
            );
        }
    }
}

#[test]
fn nobody_takes_the_seat_of_a_sponsor_that_has_been_given_it_back() {
    let mut overlay = overlay(20);
    let (sponsor, _) = join(&mut overlay, 1, 0);
    let relay = lend(&mut overlay, sponsor, 1_000, 20);
    let (other, _) = join(&mut overlay, 2, 0);
    overlay.note_ticket(sponsor);
    let [stripe, next] = [0, 1].map(|n| overlay.stripes.of_tier(TOP).nth(n).unwrap());
    overlay.detach(sponsor, stripe, Some(NOW));
    overlay.attach(sponsor, stripe, relay);
    overlay.detach(other, next, None);
    let slot = overlay.stripes.slot(next);
    overlay.member_mut(relay).granted = overlay.member(relay).used + slot;
    overlay.attach(other, next, relay);
    let place = overlay.member(other).place(next).unwrap();
    assert_eq!((place.parent, place.replaces), (Some(relay), None));
    overlay.check_invariants();
}

#[test]
fn a_sponsor_stays_below_its_relay_whatever_else_is_moved() {
    let mut overlay = scarce(5);
    let sponsor = overlay.viewers().nth(17).unwrap();
    let relay = lend(&mut overlay, sponsor, 1_000, 100);
    let mut rng = Rng::new(5);
    for round in 1..60 {
        let now = later(round);
        overlay.expire(now);
        if round % 3 == 0 {
            let viewers: Vec<_> = overlay.viewers().filter(|viewer| *viewer != sponsor).collect();
            let gone = viewers[rng.below(viewers.len() as u64) as usize];
            let orphans = overlay.evacuate(now, gone, false);
            overlay.forget(gone);
            overlay.reseat(now, orphans);
            join(&mut overlay, 2_000 + round as u32, rng.below(10));
        }
        overlay.improve(now);
        overlay.exchange(now, 8);
        overlay.relieve_relays(now, 8);
        overlay.check_invariants();
        assert_eq!(parents(&overlay, sponsor), [Some(relay); 5], "round {round}");
    }
}

#[test]
fn what_peers_give_is_used_before_what_a_sponsor_pays_for() {
    let mut overlay = overlay(16);
    let (sponsor, _) = join(&mut overlay, 1, 0);
    let relay = lend(&mut overlay, sponsor, 1_000, 100);
    for n in 2..8 {
        join(&mut overlay, n, 6);
    }
    let own = overlay.stripes.top_len();
    assert_eq!(
        overlay.member(relay).child_edges(),
        own,
        "peers have room for all others"
    );
    for n in 10..14 {
        assert!(join(&mut overlay, n, 0).1);
    }
    let before = overlay.member(relay).child_edges();
    assert!(before > own, "they have none left");
    for n in 20..26 {
        join(&mut overlay, n, 9);
    }
    let mut round = 1;
    while overlay.relieve_relays(later(round), 2) > 0 {
        overlay.check_invariants();
        round += 1;
        assert!(round < 100, "it comes to an end");
    }
    assert!(round > 1, "somebody was moved");
    for (stripe, place) in overlay.member(relay).places_with_index() {
        let leaves =
            |child: &&MemberIndex| **child != sponsor && overlay.children(**child, stripe).is_empty();
        assert_eq!(place.children.iter().find(leaves), None, "new peers take over");
    }
    assert_eq!(parents(&overlay, sponsor), [Some(relay); 5]);
}

#[test]
fn a_full_relay_makes_room_for_its_sponsor() {
    let mut overlay = overlay(11);
    let sponsor = overlay.admit(newcomer(1, 0));
    let relay = overlay.admit(relay_of(&overlay, sponsor, 1_000, 10));
    overlay.seat_relay(NOW, relay);
    for n in 2..5 {
        join(&mut overlay, n, 0);
    }
    assert!(overlay.member(relay).free() < SLOT, "it serves others");
    let weakest = overlay.weakest_full(|_| true).unwrap();
    overlay.degrade(NOW, weakest);
    assert!(overlay.serve(NOW, sponsor, TOP));
    settle(&mut overlay);
    assert_eq!(parents(&overlay, sponsor), [Some(relay); 5]);
}

#[test]
fn who_is_fed_by_its_own_relay_is_no_victim_though_that_gives_less_than_promised() {
    let mut overlay = overlay(11);
    let sponsor = overlay.admit(newcomer(1, 0));
    let relay = overlay.admit(relay_of(&overlay, sponsor, 1_000, 10));
    overlay.seat_relay(NOW, relay);
    let (other, _) = join(&mut overlay, 2, 0);
    assert!(overlay.serve(NOW, sponsor, TOP));
    settle(&mut overlay);
    assert_eq!(parents(&overlay, sponsor), [Some(relay); 5]);
    overlay.set_falling_short(relay, true);
    let weakest = |overlay: &Overlay| overlay.weakest_full(|member| member != other);
    assert_eq!(weakest(&overlay), None);
    let stripe = overlay.stripes().of_tier(TOP).next().unwrap();
    overlay.detach(sponsor, stripe, None);
    assert_eq!(
        weakest(&overlay),
        Some(sponsor),
        "what others feed is everybody's"
    );
}

#[test]
fn for_a_relay_that_the_source_has_no_room_for_low_seats_are_given_up() {
    let mut overlay = overlay(9);
    let viewers: Vec<MemberIndex> = (1..=4).map(|n| overlay.admit(newcomer(n, 0))).collect();
    for viewer in &viewers {
        assert!(overlay.serve(NOW, *viewer, TierId(0)));
    }
    let relay = overlay.admit(relay_of(&overlay, viewers[0], 1_000, 100));
    let used = overlay.member(MemberIndex::SOURCE).used;
    overlay.member_mut(MemberIndex::SOURCE).granted = used + SLOT.percent(450);
    assert!(
        !overlay.seat_relay(NOW, relay),
        "what is kept for each stripe does not suffice for all"
    );
    let orphans = overlay.make_way(NOW, relay);
    assert!(
        !orphans.is_empty() && orphans.len() < viewers.len(),
        "as few as will do"
    );
    assert!(
        orphans.iter().all(|(child, _)| *child != viewers[0]),
        "not its sponsor"
    );
    assert!(overlay.seat_relay(NOW, relay));
    assert_eq!(overlay.make_way(NOW, relay), []);
    overlay.check_invariants();
}

#[test]
fn a_relay_that_does_not_do_what_it_is_there_for_takes_the_priority_from_its_sponsor() {
    let mut overlay = scarce(1);
    let sponsor = overlay.viewers().nth(3).unwrap();
    let relay = lend(&mut overlay, sponsor, 1_000, 100);
    assert_eq!(overlay.class(sponsor), Class::Sponsor);
    let until = NOW + Duration::from_secs(30);
    overlay.set_state(relay, crate::overlay::member::State::Shunned { until });
    assert_ne!(overlay.class(sponsor), Class::Sponsor);
}

#[test]
fn who_shows_its_address_to_relays_only_hangs_below_one() {
    let mut overlay = overlay(16);
    let (sponsor, _) = join(&mut overlay, 1, 0);
    let relay = lend(&mut overlay, sponsor, 1_000, 100);
    let (peer, _) = join(&mut overlay, 2, 10);
    let shy = overlay.admit(Member {
        relay_only: true,
        reach: Reach::Unknown,
        ..newcomer(3, 0)
    });
    assert!(overlay.link_between(shy, peer).is_none());
    assert!(overlay.link_between(shy, relay).is_some());
    assert!(overlay.serve(NOW, shy, TOP));
    overlay.check_invariants();
}
