mod crowds;
mod moves;
mod relays;
mod rising;

use super::*;
use crate::media::TierId;
use crate::overlay::reach::{Prefix, Reach};
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::layout::{Layout, Tier};
use alloc::string::String;
use alloc::vec;

const TOP: TierId = TierId(1);
const SLOT: Bitrate = Bitrate::from_kbps(500);
const NOW: Instant = Instant::ZERO;

fn layout() -> Layout {
    let tier = |id, stripes| Tier {
        id: TierId(id),
        stripes,
        parity: false,
        rate: SLOT * u64::from(stripes),
        slot: SLOT,
        tracks: vec![],
    };
    Layout {
        epoch: 1,
        number: 1,
        from_block: 0,
        title: String::new(),
        tiers: vec![tier(0, 1), tier(1, 5)],
    }
}

fn peer(n: u32) -> PeerId {
    let mut id = [0; PeerId::LEN];
    id[..4].copy_from_slice(&n.to_be_bytes());
    PeerId(id)
}

fn newcomer(n: u32, slots: u64) -> Member {
    // Each in a network of its own.
    let [.., a, b] = n.to_be_bytes();
    let address = core::net::SocketAddr::from(([20, a, b, 1], 1));
    let mut member = Member::new(peer(n), NOW, Prefix::of(&address));
    member.cap = Some(SLOT * slots);
    member.granted = SLOT * slots;
    member.reach = Reach::Open;
    member
}

fn overlay(source_slots: u64) -> Overlay {
    let mut overlay = Overlay::new(newcomer(0, source_slots));
    overlay.set_stripes(Stripes::of(&layout()));
    overlay
}

fn join(overlay: &mut Overlay, n: u32, slots: u64) -> (MemberIndex, bool) {
    let index = overlay.admit(newcomer(n, slots));
    let full = overlay.serve(NOW, index, TOP);
    overlay.settle_spares();
    overlay.check_invariants();
    (index, full)
}

fn rooted_on_all(overlay: &Overlay, index: MemberIndex) -> bool {
    let stripes = overlay.stripes.of_tier(TOP);
    let rooted = |stripe| {
        overlay
            .member(index)
            .place(stripe)
            .is_some_and(|place| place.is_rooted())
    };
    stripes.into_iter().all(rooted)
}

#[test]
fn the_home_network_is_served_in_full_whatever_the_order() {
    let mut uplinks = vec![12, 8, 5, 4, 2, 1, 0, 0];
    let mut rng = Rng::new(1);
    for _ in 0..50 {
        let mut overlay = overlay(16);
        let mut waiting = vec![];
        for i in (1..uplinks.len()).rev() {
            uplinks.swap(i, rng.below(i as u64 + 1) as usize);
        }
        for (n, slots) in uplinks.iter().enumerate() {
            let (index, full) = join(&mut overlay, n as u32 + 1, *slots);
            if !full {
                waiting.push(index);
            }
            waiting.retain(|index| !overlay.serve(NOW, *index, TOP));
        }
        overlay.check_invariants();
        assert!(waiting.is_empty(), "{uplinks:?}");
        for index in overlay.viewers() {
            assert!(rooted_on_all(&overlay, index));
        }
    }
}

#[test]
fn a_strong_newcomer_takes_a_weak_ones_seat_when_all_is_full() {
    let mut overlay = overlay(11);
    assert!(join(&mut overlay, 1, 0).1);
    assert!(join(&mut overlay, 2, 0).1);
    assert!(
        !join(&mut overlay, 3, 0).1,
        "the source has a slot left for tier 0 only"
    );
    let (strong, full) = join(&mut overlay, 4, 12);
    assert!(full);
    assert!(rooted_on_all(&overlay, strong));
}

#[test]
fn after_a_crash_the_orphans_find_seats_where_there_is_room() {
    let mut rng = Rng::new(7);
    let mut overlay = overlay(16);
    let mut n = 0;
    for _ in 0..400 {
        n += 1;
        join(&mut overlay, n, rng.below(12));
        let viewers: Vec<_> = overlay.viewers().collect();
        if viewers.len() > 25 {
            let gone = viewers[rng.below(viewers.len() as u64) as usize];
            let orphans = overlay.evacuate(NOW, gone, false);
            overlay.forget(gone);
            overlay.reseat(NOW, orphans);
            overlay.review_spares();
            overlay.check_invariants();
        }
    }
    let room = overlay.room();
    assert!(room.used * 100 >= room.total * 80 || room.free >= 5, "{room:?}");
}

#[test]
fn whoever_is_given_the_seat_of_one_who_failed_takes_it_from_that_one() {
    let mut overlay = overlay(11);
    let (dead, _) = join(&mut overlay, 1, 0);
    overlay.note_ticket(dead);
    join(&mut overlay, 2, 0);
    let orphans = overlay.evacuate(NOW, dead, false);
    assert!(orphans.is_empty(), "nobody hangs below it");
    // On the first, the source has a slot that is free.
    let stripe = overlay.stripes().of_tier(TOP).last().expect("five stripes");
    let (heir, full) = join(&mut overlay, 3, 0);
    assert!(full);
    let name = overlay.stripes().id(stripe);
    let replaces = |of| overlay.member(of).place(stripe).and_then(|place| place.replaces);
    assert_eq!(
        replaces(heir).map(|seat| seat.seat()),
        Some((name, peer(1).tag()))
    );
    overlay.note_ticket(heir);
    overlay.evacuate(NOW, heir, false);
    overlay.expire(NOW + Duration::from_secs(10));
    let (last, _) = join(&mut overlay, 4, 0);
    let place = overlay.member(last).place(stripe);
    assert_eq!(
        place.and_then(|place| place.replaces),
        None,
        "their links have ended"
    );
}

#[test]
fn an_uplink_of_one_copy_has_room_for_one_viewer() {
    let copy = overlay(0).stripes.top_len() as u64;
    for slots in copy..copy + 3 {
        let mut overlay = overlay(slots);
        assert!(overlay.room().free >= copy, "{:?}", overlay.room());
        let (first, full) = join(&mut overlay, 1, 0);
        assert!(full && rooted_on_all(&overlay, first), "of {slots} slots");
        assert!(overlay.room().free < copy);
        assert!(!join(&mut overlay, 2, 0).1);
    }
}

#[test]
fn a_slot_of_whoever_shows_less_is_no_room_for_it_costs_one_to_send_it_a_stripe() {
    let mut overlay = overlay(11);
    assert!(join(&mut overlay, 1, 0).1 && join(&mut overlay, 2, 0).1);
    let before = overlay.room();
    for n in [3, 4] {
        let low = overlay.admit(newcomer(n, u64::from(n) - 2));
        overlay.member_mut(low).tier = Some(TierId(0));
    }
    let room = overlay.room();
    assert_eq!((room.free, room.total), (before.free + 1, before.total + 3));
    assert_eq!(room.used, before.used, "they give nothing yet");
    overlay.admit(newcomer(5, 1));
    assert_eq!(overlay.room().free, room.free + 1, "it is about to be sent all");
}

#[test]
fn where_there_is_room_every_orphan_finds_a_seat_whatever_hangs_below_it() {
    let mut rng = Rng::new(3);
    let mut overlay = overlay(8);
    for n in 1..600 {
        let slots = [0, 4, 9, 14][rng.below(4) as usize];
        let (index, full) = join(&mut overlay, n, slots);
        if !full {
            overlay.evacuate(NOW, index, false);
            overlay.forget(index);
        }
        let viewers: Vec<_> = overlay.viewers().collect();
        if viewers.len() > 40 {
            let gone = viewers[rng.below(viewers.len() as u64) as usize];
            let orphans = overlay.evacuate(NOW, gone, false);
            overlay.forget(gone);
            let ample = overlay.room().free >= 40;
            let left = overlay.reseat(NOW, orphans);
            assert!(left.is_empty() || !ample, "{left:?} of round {n}");
            for member in left {
                assert_eq!(
                    overlay.degrade(NOW, member),
                    [],
                    "who found none has let its children go"
                );
            }
            overlay.review_spares();
            overlay.check_invariants();
        }
    }
}

#[test]
fn children_of_a_failed_parent_are_planned_where_they_go_by_themselves_and_need_not_be_told() {
    let mut overlay = overlay(16);
    for n in 1..12 {
        join(&mut overlay, n, 10);
    }
    overlay.review_spares();
    overlay.take_changed();
    let interior = |index: &MemberIndex| overlay.member(*index).is_interior();
    let failed = overlay.viewers().find(interior).expect("somebody carries others");
    let places = overlay.viewers().flat_map(|child| {
        let places = overlay.member(child).places_with_index();
        let below = places.filter(|(_, place)| place.parent == Some(failed));
        below.map(move |(stripe, place)| (child, stripe, place.spare))
    });
    let mut below: Vec<_> = places.collect();
    let orphans = overlay.evacuate(NOW, failed, false);
    below.retain(|(child, stripe, _)| !orphans.contains(&(*child, *stripe)));
    assert!(!below.is_empty(), "there is room at some spares: {orphans:?}");
    for (child, stripe, spare) in below {
        let parent = overlay.member(child).place(stripe).and_then(|place| place.parent);
        assert!(parent.is_some() && parent == spare);
    }
    let told = overlay.take_changed();
    let others = orphans.iter().map(|(child, _)| *child).chain([failed]);
    assert_eq!(told, others.collect());
    overlay.change_all();
    assert!(
        overlay.take_changed().len() > 1,
        "they are told of new spares in time"
    );
    overlay.check_invariants();
}

#[test]
fn who_was_given_many_addresses_in_a_minute_is_seated_below_acquaintances_only() {
    let mut overlay = overlay(16);
    let (child, full) = join(&mut overlay, 1, 0);
    assert!(full);
    for n in 2..40 {
        join(&mut overlay, n, 30);
    }
    let strangers: Vec<_> = overlay.viewers().filter(|other| *other != child).collect();
    let met = strangers.iter().take_while(|peer| {
        let may = overlay.may_meet(child, **peer);
        may && overlay.introduce(NOW, child, **peer) && !overlay.introduce(NOW, child, **peer)
    });
    assert_eq!(met.count(), 16, "four in five of the dials of a minute");
    let stripe = overlay.stripes.of_tier(TOP).next().expect("there is a top tier");
    overlay.detach(child, stripe, None);
    let may_hang = |peer: &MemberIndex| overlay.may_hang(child, stripe, *peer);
    assert!(strangers[..16].iter().any(may_hang));
    assert!(!strangers[16..].iter().any(may_hang));
    overlay.expire(NOW + crate::time::Duration::from_secs(60));
    assert!(overlay.may_meet(child, strangers[30]));
    overlay.check_invariants();
}

/// An orphan that has been told of so many peers within a minute that it may be told of one more at most, none of which has room.
fn worn_out(overlay: &mut Overlay) -> (MemberIndex, StripeIndex) {
    let (child, _) = join(overlay, 1, 0);
    (2..40).for_each(|n| _ = join(overlay, n, 30));
    let strangers: Vec<_> = overlay.viewers().filter(|other| *other != child).collect();
    for peer in strangers {
        if !overlay.has_met(child, peer) && overlay.dials_left(child) > 1 {
            overlay.introduce(NOW, child, peer);
        }
        if overlay.has_met(child, peer) {
            let used = overlay.member(peer).used;
            overlay.member_mut(peer).granted = used;
        }
    }
    let stripe = overlay.stripes.of_tier(TOP).next().expect("there is a top tier");
    overlay.detach(child, stripe, None);
    let used = overlay.member(MemberIndex::SOURCE).used;
    overlay.member_mut(MemberIndex::SOURCE).granted = used;
    (child, stripe)
}

#[test]
fn the_last_dials_of_a_minute_are_an_orphans() {
    let mut overlay = overlay(16);
    let (child, stripe) = worn_out(&mut overlay);
    assert!(overlay.lacks_introductions(child));
    assert_eq!(overlay.free_seat(child, stripe), None);
    let parent = overlay.last_seat(child, stripe).expect("one dial is left");
    assert!(overlay.introduce(NOW, child, parent));
    assert_eq!(overlay.dials_left(child), 0);
    let used = overlay.member(parent).used;
    overlay.member_mut(parent).granted = used;
    assert_eq!(overlay.last_seat(child, stripe), None);
    assert!(overlay.lacks_introductions(child));
    overlay.expire(NOW + Duration::from_secs(60));
    assert!(!overlay.lacks_introductions(child));
    assert!(overlay.free_seat(child, stripe).is_some());
}

#[test]
fn who_lacks_room_does_not_lack_introductions() {
    let mut overlay = overlay(16);
    let (child, stripe) = worn_out(&mut overlay);
    for other in overlay.viewers().collect::<Vec<_>>() {
        overlay.member_mut(other).granted = Bitrate::ZERO;
    }
    overlay.member_mut(MemberIndex::SOURCE).granted = Bitrate::ZERO;
    assert!(!overlay.seat(NOW, child, stripe));
    assert!(!overlay.lacks_introductions(child));
}

#[test]
fn a_spare_without_room_gives_way_to_a_neighbour_that_has_it() {
    let mut overlay = overlay(16);
    for n in 1..12 {
        join(&mut overlay, n, 10);
    }
    let child = overlay.viewers().last().expect("eleven have joined");
    let mut places = overlay.member(child).places_with_index();
    let (stripe, spare) = places
        .find_map(|(stripe, place)| Some((stripe, place.spare?)))
        .expect("there is room at some spare");
    drop(places);
    let present = |overlay: &Overlay| overlay.member(child).place(stripe).and_then(|place| place.spare);
    let full = overlay.member(spare).used;
    overlay.member_mut(spare).granted = full;
    overlay.review_spares();
    assert_eq!(present(&overlay), Some(spare), "it knows nobody else");
    for other in overlay.others().collect::<Vec<_>>() {
        overlay.introduce(NOW, child, other);
    }
    overlay.review_spares();
    assert_eq!(present(&overlay), Some(spare), "it may ask nobody else");
    let parent = overlay.member(child).place(stripe).and_then(|place| place.parent);
    let parent = parent.expect("it has a spare for that");
    let stands = |other: &MemberIndex| {
        overlay.may_be_spare(child, stripe, parent, *other)
            && !overlay.spare_is_short(parent, *other, stripe, 1)
    };
    let roomy = overlay.others().find(stands).expect("there is plenty");
    let mut places = overlay.member(child).places_with_index();
    let elsewhere = places.find_map(|(other, _)| (other != stripe).then_some(other));
    drop(places);
    let elsewhere = elsewhere.expect("it has five places");
    overlay.set_spare(child, elsewhere, Some(roomy));
    overlay.note_ticket(child);
    overlay.review_spares();
    let roomier = present(&overlay).expect("neighbours have room");
    assert!(overlay.is_named(child, roomier), "it may ask it");
    assert!(roomier != spare && overlay.member(roomier).free() >= SLOT);
    overlay.estrange(child, roomier);
    assert!(!overlay.is_named(child, roomier), "something about it was wrong");
    overlay.check_invariants();
}

#[test]
fn a_spare_avoids_the_parent_it_stands_in_for() {
    let mut overlay = overlay(16);
    for n in 1..12 {
        join(&mut overlay, n, 10);
    }
    overlay.review_spares();
    for index in overlay.viewers() {
        for (stripe, place) in overlay.member(index).places_with_index() {
            let parent = place.parent.expect("everybody is served");
            let Some(spare) = place.spare else {
                assert_eq!(
                    parent,
                    MemberIndex::SOURCE,
                    "only the source may be irreplaceable"
                );
                continue;
            };
            assert_ne!(parent, spare);
            assert!(parent == MemberIndex::SOURCE || !overlay.path_meets(spare, stripe, parent));
        }
    }
}

#[test]
fn degrading_frees_the_seats_of_free_riders_first() {
    let mut overlay = overlay(11);
    let (rider, _) = join(&mut overlay, 1, 0);
    let (leaf, _) = join(&mut overlay, 2, 3);
    let (joiner, full) = join(&mut overlay, 3, 1);
    assert!(!full);
    let weakest = overlay.weakest_full(|member| overlay.claim(member) < overlay.claim(joiner));
    assert_eq!(weakest, Some(rider));
    assert_eq!(overlay.degrade(NOW, rider), [], "it has no children");
    assert!(overlay.serve(NOW, joiner, TOP));
    assert!(!overlay.serve(NOW, rider, TOP));
    assert_eq!(overlay.member(rider).tier, Some(TierId(0)));
    assert_eq!(overlay.member(leaf).tier, Some(TOP));
    overlay.check_invariants();
}

#[test]
fn who_sees_nothing_has_a_seat_due_where_a_parent_with_room_may_be_asked_again() {
    let mut overlay = overlay(6);
    let full = Duration::from_secs(2);
    overlay.note_full(NOW, MemberIndex::SOURCE, full);
    let (waits, _) = join(&mut overlay, 1, 0);
    assert_eq!(overlay.member(waits).tier, None);
    assert!(overlay.seat_is_due(NOW, waits, full));
    let sooner = full.saturating_sub(Duration::from_millis(1));
    assert!(!overlay.seat_is_due(NOW, waits, sooner));
    overlay.member_mut(MemberIndex::SOURCE).granted = Bitrate::ZERO;
    assert!(!overlay.seat_is_due(NOW, waits, full), "it has no room");
}

#[test]
fn for_a_tier_that_nobody_receives_one_viewer_leaves_the_source_and_no_other_loses_anything() {
    let mut overlay = overlay(11);
    (1..9).for_each(|n| _ = join(&mut overlay, n, 12));
    let used = overlay.member(MemberIndex::SOURCE).used;
    assert!(overlay.is_within_reach(TierId(0)), "a slot is kept for it");
    overlay.member_mut(MemberIndex::SOURCE).granted = used;
    assert!(!overlay.is_within_reach(TierId(0)));
    assert_eq!(
        overlay.free_the_source(NOW, |_, _| false),
        None,
        "nobody has to for this one"
    );
    let (fed, orphans) = overlay
        .free_the_source(NOW, |_, _| true)
        .expect("it feeds somebody");
    assert!(overlay.reseat(NOW, orphans).is_empty());
    assert!(overlay.is_within_reach(TierId(0)));
    let lost = overlay
        .viewers()
        .filter(|viewer| overlay.member(*viewer).tier.is_none());
    assert_eq!(lost.collect::<Vec<_>>(), [fed]);
    overlay.check_invariants();
}

#[test]
fn a_seat_at_somebody_who_does_not_receive_a_tier_is_of_no_use_to_its_orphan() {
    let mut overlay = overlay(5);
    let (first, _) = join(&mut overlay, 1, 12);
    let (below, _) = join(&mut overlay, 2, 12);
    let (orphan, full) = join(&mut overlay, 3, 0);
    assert!(full && !overlay.is_out_of_reach(first));
    overlay.degrade(NOW, orphan);
    overlay.member_mut(orphan).tier = Some(TierId(0));
    assert!(overlay.is_out_of_reach(orphan), "the source has no room for it");
    assert!(
        !overlay.would_help(below, orphan),
        "its parent does not receive that tier"
    );
    assert!(
        !overlay.would_help(first, orphan),
        "it keeps its seats at the source, for whom it feeds"
    );
    overlay.degrade(NOW, below);
    assert!(overlay.would_help(first, orphan), "it leaves seats at the source");
    overlay.member_mut(MemberIndex::SOURCE).granted += SLOT;
    assert!(!overlay.is_out_of_reach(orphan));
}

fn later(round: u64) -> Instant {
    Instant::from_micros(round * 10_000_000)
}

#[test]
fn a_stripe_of_the_full_stream_that_the_source_sends_to_nobody_goes_before_what_is_kept_for_lower_tiers() {
    let mut overlay = overlay(11);
    (1..9).for_each(|n| _ = join(&mut overlay, n, 12));
    let [unsent, sent, ..] = overlay.stripes.of_tier(TOP).collect::<Vec<_>>()[..] else {
        panic!("the full stream has several");
    };
    for child in overlay.children(MemberIndex::SOURCE, unsent).to_vec() {
        overlay.detach(child, unsent, None);
    }
    let source = overlay.member_mut(MemberIndex::SOURCE);
    source.granted = source.used + Bitrate(SLOT.0 * 3 / 2);
    let low = overlay.stripes.of_tier(TierId(0)).next().unwrap();
    let room = |stripe| overlay.free_for(MemberIndex::SOURCE, stripe) >= overlay.stripes.slot(stripe);
    assert!(room(unsent));
    assert!(!room(sent) && !room(low));
}

/// A crowd on full uplinks: some with the full stream, the rest with less, in the order of their coming.
fn scarce(seed: u64) -> Overlay {
    let mut rng = Rng::new(seed);
    let mut overlay = overlay(10);
    for n in 1..=40 {
        let slots = [0, 1, 3, 5, 9][rng.below(5) as usize];
        join(&mut overlay, n, slots);
    }
    overlay
}

fn carried(overlay: &Overlay) -> usize {
    let places = overlay.viewers().flat_map(|member| {
        let stripes = overlay.stripes.all();
        stripes.filter(move |stripe| overlay.carries(member, *stripe))
    });
    places.count()
}

fn depths(overlay: &Overlay) -> u64 {
    let places = overlay
        .viewers()
        .flat_map(|member| overlay.member(member).places.iter().flatten());
    places.map(|place| u64::from(place.depth)).sum()
}

#[test]
fn exchanges_between_full_parents_come_to_an_end_with_shorter_trees_and_less_carried() {
    let (mut before, mut after) = ((0, 0), (0, 0));
    for seed in 0..20 {
        let mut overlay = scarce(seed);
        let tiers: Vec<_> = overlay
            .viewers()
            .map(|member| overlay.member(member).tier)
            .collect();
        before = (before.0 + carried(&overlay), before.1 + depths(&overlay));
        let mut round = 1;
        while overlay.exchange(later(round), 4) > 0 {
            overlay.check_invariants();
            overlay.expire(later(round));
            round += 1;
            assert!(round < 200, "seed {seed}: it never ends");
        }
        after = (after.0 + carried(&overlay), after.1 + depths(&overlay));
        let kept: Vec<_> = overlay
            .viewers()
            .map(|member| overlay.member(member).tier)
            .collect();
        assert_eq!(tiers, kept, "nobody lost anything by it");
    }
    // Who takes a seat in vain gives it back: there is little left to let go of, in twenty crowds.
    assert!(before.0 < 10, "carried {}", before.0);
    assert!(after.0 * 3 < before.0 * 2, "carried {} of {}", after.0, before.0);
    assert!(after.1 * 10 < before.1 * 9, "depths {} of {}", after.1, before.1);
}

#[test]
fn who_finds_no_seat_on_all_stripes_has_moved_nobody() {
    let mut tried = 0;
    for seed in 0..20 {
        let mut overlay = scarce(seed);
        let short: Vec<_> = overlay
            .viewers()
            .filter(|member| overlay.member(*member).tier == Some(TierId(0)))
            .collect();
        for member in short {
            let (before, lingering) = (edges(&overlay), overlay.lingerers());
            let chances = chances_to_move(&overlay);
            if overlay.serve(later(1), member, TOP) {
                continue;
            }
            overlay.check_invariants();
            let mine = |edges: Vec<(MemberIndex, StripeIndex, MemberIndex)>| -> Vec<_> {
                edges.into_iter().filter(|(of, ..)| *of != member).collect()
            };
            assert_eq!(
                mine(edges(&overlay)),
                mine(before),
                "seed {seed}: {member:?} moved others"
            );
            assert_eq!(overlay.lingerers().len(), lingering.len());
            assert_eq!(chances_to_move(&overlay), chances, "nor does it count as a move");
            tried += 1;
        }
    }
    assert!(tried > 0, "somebody finds none");
}

fn chances_to_move(overlay: &Overlay) -> Vec<(u8, Option<Instant>)> {
    let all = overlay.viewers().map(|member| overlay.member(member));
    all.map(|member| (member.moves_left, member.moved)).collect()
}

/// Who hangs where: member, stripe, parent.
fn edges(overlay: &Overlay) -> Vec<(MemberIndex, StripeIndex, MemberIndex)> {
    let of = |member| {
        let places = overlay.member(member).places_with_index();
        places.filter_map(move |(stripe, place)| Some((member, stripe, place.parent?)))
    };
    overlay.viewers().flat_map(of).collect()
}

#[test]
fn an_exchange_replaces_one_child_by_another_on_both_sides() {
    let mut overlay = scarce(3);
    for viewer in overlay.viewers().collect::<Vec<_>>() {
        overlay.note_ticket(viewer);
    }
    let before = edges(&overlay);
    assert_eq!(overlay.exchange(later(1), 2), 2);
    let after = edges(&overlay);
    let moved: Vec<_> = after.iter().filter(|edge| !before.contains(edge)).collect();
    let left: Vec<_> = before.iter().filter(|edge| !after.contains(edge)).collect();
    let [(x, s, m), (y, t, q)] = moved[..] else {
        panic!("two children have moved, not {moved:?}")
    };
    for (child, stripe, to, other, on) in [(x, s, m, y, t), (y, t, q, x, s)] {
        let place = overlay.member(*child).place(*stripe).unwrap();
        let given_up = (overlay.stripes.id(*on), overlay.member(*other).id.tag());
        assert_eq!(place.parent, Some(*to));
        let taken = place.replaces.map(|seat| seat.seat());
        assert_eq!(taken, Some(given_up), "it takes the other's seat");
        assert!(left.contains(&&(*other, *on, *to)));
    }
}

#[test]
fn who_gets_a_better_tier_keeps_the_seats_of_the_lower_one_for_a_while() {
    let mut overlay = overlay(6);
    let (_, full) = join(&mut overlay, 1, 0);
    assert!(full);
    let (second, full) = join(&mut overlay, 2, 0);
    assert!(!full && overlay.member(second).tier == Some(TierId(0)));
    overlay.member_mut(MemberIndex::SOURCE).granted = SLOT * 20;
    assert!(overlay.serve(later(1), second, TOP));
    let lowest = overlay.stripes.of_tier(TierId(0)).next().unwrap();
    let before = later(1) + Duration::from_millis(4_999);
    overlay.expire(before);
    assert!(
        overlay.has_parent(second, lowest),
        "it may not show the better one yet"
    );
    overlay.expire(before + Duration::from_millis(1));
    assert!(overlay.member(second).place(lowest).is_none());
    assert!(rooted_on_all(&overlay, second));
    overlay.check_invariants();
}

#[test]
fn who_may_still_be_sat_on_keeps_what_it_passes_on() {
    let mut overlay = overlay(6);
    let (carrier, _) = join(&mut overlay, 1, 8);
    let lowest = overlay.stripes.of_tier(TierId(0)).next().unwrap();
    let (child, _) = join(&mut overlay, 2, 0);
    for (member, parent) in [(carrier, MemberIndex::SOURCE), (child, carrier)] {
        overlay.detach(member, lowest, None);
        overlay.attach(member, lowest, parent);
        overlay.note_ticket(member);
    }
    // A moment ago all had come, and whoever still sits somewhere was not waited for.
    let vacated = NOW + Duration::from_secs(10);
    overlay.vacate(child, lowest, Some(vacated));
    overlay.expire(vacated + Duration::from_millis(3_999));
    assert!(
        overlay.has_parent(carrier, lowest),
        "the child shows it until it has something better"
    );
    (4..=5).for_each(|seconds| overlay.expire(vacated + Duration::from_secs(seconds)));
    assert!(!overlay.has_parent(carrier, lowest), "nobody needs it any more");
    overlay.check_invariants();
}

#[test]
fn for_slots_children_are_moved_however_few_have_joined() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..20 {
        let mut overlay = scarce(seed);
        for member in overlay.others().collect::<Vec<_>>() {
            overlay.member_mut(member).moves_left = 0;
        }
        before += carried(&overlay);
        let mut round = 1;
        while overlay.exchange(later(round), 4) > 0 {
            round += 1;
            assert!(round < 200, "seed {seed}: it never ends");
        }
        overlay.check_invariants();
        after += carried(&overlay);
    }
    assert!(after * 4 < before * 3, "carried {after} of {before}");
}

/// Takes the seats at peers from all who watch the lowest tier and feed nobody with it.
fn leave_low_seats(overlay: &mut Overlay) {
    let low = TierId(0);
    for stripe in overlay.stripes.of_tier(low).collect::<Vec<_>>() {
        for member in overlay.viewers().collect::<Vec<_>>() {
            let watches = overlay.member(member).tier == Some(low);
            let parent = overlay
                .member(member)
                .place(stripe)
                .and_then(|place| place.parent);
            let at_a_peer = parent.is_some_and(|parent| parent != MemberIndex::SOURCE);
            if watches && at_a_peer && overlay.children(member, stripe).is_empty() {
                overlay.vacate(member, stripe, None);
            }
        }
    }
}

/// Places at which somebody receives what it neither shows nor passes on.
fn idle(overlay: &Overlay) -> usize {
    let places = overlay.viewers().flat_map(|member| {
        let places = overlay.member(member).places_with_index();
        places.filter(move |(stripe, place)| {
            let shows = overlay.member(member).tier.is_some();
            shows && overlay.carries(member, *stripe) && place.children.is_empty()
        })
    });
    places.count()
}

#[test]
fn who_carries_a_stripe_for_nobody_any_more_lets_go_of_it() {
    let mut before = 0;
    for seed in 0..20 {
        let mut overlay = scarce(seed);
        leave_low_seats(&mut overlay);
        before += idle(&overlay);
        for seconds in 1..5 {
            overlay.expire(NOW + Duration::from_secs(seconds));
        }
        overlay.check_invariants();
        assert_eq!(idle(&overlay), 0, "seed {seed}");
    }
    assert!(before > 0);
}

#[test]
fn an_uplink_without_a_cap_is_tried_again_later_each_time_that_it_proves_too_weak() {
    let mut overlay = overlay(6);
    let (strong, _) = join(&mut overlay, 1, 8);
    overlay.member_mut(strong).cap = None;
    (2..=3).for_each(|n| _ = join(&mut overlay, n, 0));
    let mut now = NOW;
    let mut waits = Vec::new();
    for _ in 0..3 {
        overlay.cut_grant(now, strong, SLOT * 6);
        let (cut, granted) = (now, overlay.member(strong).granted);
        while overlay.member(strong).granted == granted {
            now += Duration::from_secs(1);
            assert!(
                now.since(cut) < Duration::from_secs(600),
                "it is never tried again"
            );
            overlay.raise_grants(now, 1);
        }
        waits.push(now.since(cut).as_secs());
    }
    assert_eq!(waits, [31, 61, 121]);
}

#[test]
fn an_uplink_without_a_cap_is_tried_by_a_slot_or_a_tenth_and_only_if_there_is_need() {
    for cap in [None, Some(SLOT * 100)] {
        let mut overlay = overlay(6);
        let (strong, _) = join(&mut overlay, 1, 2);
        join(&mut overlay, 2, 0);
        overlay.member_mut(strong).cap = cap;
        let mut grants = Vec::new();
        let mut raise = |overlay: &mut Overlay, seconds, waiting| {
            let member = overlay.member_mut(strong);
            member.used = member.granted;
            overlay.raise_grants(NOW + Duration::from_secs(seconds), waiting);
            grants.push(overlay.member(strong).granted.slots(SLOT));
        };
        (1..=4).for_each(|seconds| raise(&mut overlay, seconds, 1));
        overlay.member_mut(strong).granted = SLOT * 40;
        raise(&mut overlay, 5, 1);
        overlay.member_mut(MemberIndex::SOURCE).granted = SLOT * 40;
        raise(&mut overlay, 6, 0);
        let expected = match cap {
            None => [3, 4, 5, 6, 44, 44],
            Some(_) => [4, 8, 16, 32, 80, 100],
        };
        assert_eq!(grants, expected);
    }
}

#[test]
fn what_proved_too_weak_is_not_tried_again_for_nobody() {
    for plenty in [false, true] {
        let mut overlay = overlay(6);
        let (strong, _) = join(&mut overlay, 1, 8);
        overlay.member_mut(strong).cap = None;
        (2..=3).for_each(|n| _ = join(&mut overlay, n, 0));
        if plenty {
            join(&mut overlay, 4, 40);
        }
        assert_eq!(overlay.room().free >= 10, plenty);
        overlay.cut_grant(NOW, strong, SLOT * 6);
        let granted = overlay.member(strong).granted;
        for seconds in 0..100 {
            overlay.raise_grants(NOW + Duration::from_secs(seconds), 0);
        }
        assert_eq!(
            overlay.member(strong).granted == granted,
            plenty,
            "there is room: {plenty}"
        );
    }
}

#[test]
fn the_source_is_left_each_stripe_once_however_late_it_is() {
    let mut overlay = overlay(20);
    (1..=4).for_each(|n| _ = join(&mut overlay, n, 5));
    for round in 1..9 {
        overlay.cut_grant(later(round), MemberIndex::SOURCE, Bitrate::ZERO);
        overlay.shed_excess(later(round), MemberIndex::SOURCE);
    }
    let source = overlay.member(MemberIndex::SOURCE);
    assert!(source.used <= source.granted && source.granted < SLOT * 20);
    assert!(source.granted >= SLOT * overlay.stripes.len() as u64);
}

/// Of an overlay whose source is full, the viewers it has, and whose seats those that come after them take of it.
fn given_up(overlay: &mut Overlay, give_up: impl Fn(&mut Overlay, MemberIndex)) -> usize {
    let viewers = [1, 2].map(|n| join(overlay, n, 0).0);
    viewers.iter().for_each(|viewer| overlay.note_ticket(*viewer));
    give_up(overlay, viewers[1]);
    let (next, _) = join(overlay, 3, 0);
    let places = overlay.member(next).places.iter().flatten();
    places.filter(|place| place.replaces.is_some()).count()
}

#[test]
fn only_seats_that_somebody_knew_of_and_was_left_are_there_to_be_taken() {
    let give_up = |overlay: &mut Overlay, viewer| _ = overlay.degrade(NOW, viewer);
    assert_ne!(
        given_up(&mut overlay(11), give_up),
        0,
        "it sits there until it has moved"
    );
    // Who was planned there and elsewhere in one breath has never been.
    let in_vain = |overlay: &mut Overlay, viewer: MemberIndex| {
        let stripes: Vec<_> = overlay.stripes.of_tier(TOP).collect();
        for stripe in stripes {
            overlay.detach(viewer, stripe, None);
            overlay.attach(viewer, stripe, MemberIndex::SOURCE);
        }
        overlay.degrade(NOW, viewer);
    };
    assert_eq!(given_up(&mut overlay(11), in_vain), 0);
    // Nor has it taken the seat of whoever sits there.
    let taken_in_vain = |overlay: &mut Overlay, viewer: MemberIndex| {
        overlay.degrade(NOW, viewer);
        let (vain, full) = join(overlay, 9, 0);
        assert!(full);
        overlay.degrade(NOW, vain);
    };
    assert_ne!(given_up(&mut overlay(11), taken_in_vain), 0);
    let shed = |overlay: &mut Overlay, viewer: MemberIndex| {
        let cap = overlay.member(MemberIndex::SOURCE).cap;
        assert!(overlay.note_carries(MemberIndex::SOURCE, Some(SLOT * 5)));
        overlay.note_shed(NOW, MemberIndex::SOURCE);
        overlay.note_carries(MemberIndex::SOURCE, cap);
        overlay.degrade(NOW, viewer);
    };
    assert_eq!(
        given_up(&mut overlay(11), shed),
        0,
        "the source has taken them back itself"
    );
}
