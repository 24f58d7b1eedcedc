//! Who is moved nearer to the source, and who makes way for it.

use super::*;
use crate::wire::ticket::Rank;

/// A tree of one stripe.
struct Tree {
    overlay: Overlay,
    stripe: StripeIndex,
}

impl Tree {
    fn new(source_slots: u64) -> Self {
        let overlay = overlay(source_slots);
        let stripe = overlay.stripes.of_tier(TOP).next().expect("it has stripes");
        Self { overlay, stripe }
    }

    /// Somebody with so many slots, who is meant to be interior here.
    fn hang(&mut self, n: u32, slots: u64, parent: MemberIndex) -> MemberIndex {
        let member = self.overlay.admit(newcomer(n, slots));
        self.overlay.member_mut(member).homes.insert(self.stripe);
        self.overlay.attach(member, self.stripe, parent);
        member
    }

    fn parent(&self, member: MemberIndex) -> Option<MemberIndex> {
        let place = self.overlay.member(member).place(self.stripe);
        place.and_then(|place| place.parent)
    }

    fn rank(&self, member: MemberIndex) -> Option<Rank> {
        let place = self.overlay.member(member).place(self.stripe);
        place.map(|place| place.rank)
    }

    fn improve(&mut self) {
        self.overlay.improve(later(1));
        self.overlay.check_invariants();
    }
}

#[test]
fn nobody_loses_its_seat_to_somebody_who_cannot_be_its_parent() {
    let mut tree = Tree::new(2);
    let weak = tree.hang(1, 1, MemberIndex::SOURCE);
    let root = tree.hang(2, 3, MemberIndex::SOURCE);
    let roomy = tree.hang(3, 8, root);
    let below = tree.hang(4, 1, weak);
    let strong = tree.hang(5, 10, below);
    tree.hang(6, 0, strong);
    for n in 7..=8 {
        tree.hang(n, 0, root);
    }
    assert!(
        tree.rank(strong) > tree.rank(weak),
        "it may not stand above the weak one"
    );
    assert!(
        tree.rank(weak) > tree.rank(roomy),
        "there is a seat for it elsewhere"
    );
    assert!(tree.overlay.is_deep(), "the strong one would be nearer");
    tree.improve();
    assert_eq!(tree.parent(weak), Some(MemberIndex::SOURCE));
    assert_eq!(tree.parent(below), Some(weak));
}

#[test]
fn who_may_be_the_parent_of_somebody_weaker_takes_its_seat() {
    let mut tree = Tree::new(2);
    let roots = [1, 2].map(|n| tree.hang(n, 1, MemberIndex::SOURCE));
    let mut below = roots;
    for n in [3, 5, 7] {
        below = [(n, below[0]), (n + 1, below[1])].map(|(n, parent)| tree.hang(n, 1, parent));
    }
    let strong = tree.hang(9, 10, below[0]);
    tree.improve();
    assert_eq!(tree.parent(strong), Some(MemberIndex::SOURCE));
    let parents = roots.map(|weak| tree.parent(weak));
    assert!(parents.contains(&Some(strong)), "{parents:?}");
}
