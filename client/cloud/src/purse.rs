//! One person's budget for a session: a hard limit on all relays of it together, whatever is being launched at the same time.

use crate::money::Usd;
use std::collections::BTreeMap;

/// What may be spent, what has been, and what relays may yet cost. Relays have numbers.
#[derive(Debug)]
pub struct Purse {
    budget: Usd,
    spent: Usd,
    reserved: BTreeMap<u64, Usd>,
}

impl Purse {
    /// A full one.
    pub const fn new(budget: Usd) -> Self {
        Self {
            budget,
            spent: Usd::ZERO,
            reserved: BTreeMap::new(),
        }
    }

    /// The budget is another from now on; what has been spent and put aside stays so.
    pub const fn allow(&mut self, budget: Usd) {
        self.budget = budget;
    }

    /// What nobody has spent or reserved.
    pub fn left(&self) -> Usd {
        let taken = self
            .reserved
            .values()
            .fold(self.spent, |sum, more| sum.plus(*more));
        self.budget.minus(taken).unwrap_or(Usd::ZERO)
    }

    /// Puts all that is left aside for a relay, until it is known what it may cost. Says how much that is.
    pub fn reserve(&mut self, relay: u64) -> Usd {
        let left = self.left();
        self.reserved.insert(relay, left);
        left
    }

    /// A relay costs `at_most`; what was put aside beyond that is free again.
    pub fn plan(&mut self, relay: u64, at_most: Usd) {
        if let Some(reserved) = self.reserved.get_mut(&relay) {
            *reserved = at_most.min(*reserved);
        }
    }

    /// A relay is gone, and has cost so much.
    pub fn settle(&mut self, relay: u64, cost: Usd) {
        if self.reserved.remove(&relay).is_some() {
            self.spent = self.spent.plus(cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_budget_counts_what_was_spent_before() {
        let mut purse = Purse::new(cents(100));
        purse.reserve(1);
        purse.plan(1, cents(80));
        purse.settle(1, cents(60));
        purse.allow(cents(200));
        assert_eq!(purse.left(), cents(140));
        purse.allow(cents(50));
        assert_eq!(purse.left(), Usd::ZERO);
    }

    const fn cents(cents: u64) -> Usd {
        Usd::from_cents(cents)
    }

    #[test]
    fn two_launches_at_once_never_have_the_same_money() {
        let mut purse = Purse::new(cents(100));
        assert_eq!(purse.reserve(1), cents(100));
        assert_eq!(purse.reserve(2), cents(0), "the first is not planned yet");
        purse.plan(1, cents(30));
        assert_eq!(purse.left(), cents(70));
        assert_eq!(purse.reserve(3), cents(70));
    }

    #[test]
    fn what_a_relay_did_not_cost_is_left_for_the_next() {
        let mut purse = Purse::new(cents(100));
        purse.reserve(1);
        purse.plan(1, cents(100));
        purse.settle(1, cents(40));
        purse.settle(1, cents(40));
        assert_eq!(purse.left(), cents(60), "it is paid once");
        purse.reserve(2);
        purse.settle(2, cents(0));
        assert_eq!(purse.left(), cents(60), "a launch that failed is free");
    }

    #[test]
    fn no_plan_takes_more_than_was_put_aside() {
        let mut purse = Purse::new(cents(100));
        purse.reserve(1);
        purse.plan(1, cents(500));
        assert_eq!(purse.left(), cents(0));
    }
}
