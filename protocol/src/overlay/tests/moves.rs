//! Who has to move when somebody comes, and how often.

use super::*;

/// Six who give four slots each: everybody has the full stream, and few slots are free.
fn weak_ones(source_slots: u64) -> Overlay {
    let mut overlay = overlay(source_slots);
    for n in 1..=6 {
        assert!(join(&mut overlay, n, 4).1);
    }
    overlay
}

/// Somebody with much to give comes; it is granted a copy's worth until more is proven.
fn strong_one(overlay: &mut Overlay, now: Instant) -> MemberIndex {
    let mut member = newcomer(7, 20);
    (member.joined, member.granted) = (now, SLOT * 5);
    let index = overlay.admit(member);
    assert!(overlay.serve(now, index, TOP));
    overlay.check_invariants();
    index
}

/// How many edges to each of those who stay are others than `before`.
fn moves(before: &[(MemberIndex, StripeIndex, MemberIndex)], overlay: &Overlay) -> Vec<usize> {
    let now = edges(overlay);
    let moved = |index: u32| {
        let its = before.iter().filter(|(child, ..)| child.get() == index as usize);
        its.filter(|edge| !now.contains(edge)).count()
    };
    (1..=6).map(moved).collect()
}

#[test]
fn a_strong_newcomer_has_nobody_make_way_on_two_stripes() {
    let mut overlay = weak_ones(8);
    let before = edges(&overlay);
    strong_one(&mut overlay, later(1));
    let moved = moves(&before, &overlay);
    assert!(
        moved.iter().sum::<usize>() > 1,
        "there is no room without: {moved:?}"
    );
    assert!(moved.iter().all(|moves| *moves <= 1), "{moved:?}");
}

#[test]
fn who_made_way_is_left_where_it_is() {
    let mut overlay = weak_ones(10);
    let before = edges(&overlay);
    let newcomer = strong_one(&mut overlay, later(1));
    let displaced = moves(&before, &overlay);
    let then = edges(&overlay);
    overlay.member_mut(newcomer).granted = SLOT * 20;
    for seconds in [4, 9] {
        let now = later(1) + Duration::from_secs(seconds);
        overlay.improve(now);
        overlay.exchange(now, 4);
        overlay.check_invariants();
    }
    let again = moves(&then, &overlay);
    assert!(again.iter().sum::<usize>() > 0, "the trees can be better");
    for (displaced, again) in displaced.into_iter().zip(again) {
        assert!(displaced + again <= 1, "moved {displaced} and {again} times");
    }
}

#[test]
fn in_a_crowd_the_best_seats_are_exchanged_first() {
    let mut rng = Rng::new(5);
    let mut overlay = overlay(20);
    for n in 1..=900 {
        let index = overlay.admit(newcomer(n, [4, 5, 6, 14][rng.below(4) as usize]));
        overlay.serve(NOW, index, TOP);
    }
    let before = depths(&overlay);
    for round in 1..=4 {
        assert!(overlay.exchange(later(round), 90) > 0, "round {round}");
        overlay.check_invariants();
        overlay.expire(later(round));
    }
    let after = depths(&overlay);
    assert!(after * 100 < before * 85, "depths {after} of {before}");
}
