//! Many members of one network.

use super::*;

#[test]
fn eight_of_one_network_are_no_crowd_and_nine_are_until_the_last_has_gone() {
    let mut overlay = overlay(20);
    let there = newcomer(1, 0).prefix;
    let comes = |overlay: &mut Overlay, n: u32| {
        let mut member = newcomer(n, 0);
        member.prefix = there;
        overlay.admit(member)
    };
    let mut members: Vec<MemberIndex> = (1..=8).map(|n| comes(&mut overlay, n)).collect();
    assert!(!overlay.is_crowded(&there));
    members.push(comes(&mut overlay, 9));
    let last = members.remove(0);
    for member in members {
        assert!(overlay.is_crowded(&there));
        overlay.forget(member);
    }
    assert!(overlay.is_crowded(&there), "who goes makes room for the next");
    overlay.forget(last);
    comes(&mut overlay, 10);
    assert!(!overlay.is_crowded(&there));
}
