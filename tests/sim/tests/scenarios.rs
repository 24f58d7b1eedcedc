//! A handful of seeds of each kind, short enough for every run of the tests; `banyan-sim --suite ci` runs them all.

use banyan_sim::case::{Case, Verdict};
use banyan_sim::show::Look;

fn run(scenario: &str, seed: u64) -> Verdict {
    let case = Case {
        scenario: scenario.into(),
        viewers: None,
        minutes: None,
        seed,
        look: Look::default(),
    };
    case.run().expect("one of our own scenarios")
}

fn is_fine(scenario: &str, seed: u64) {
    let verdict = run(scenario, seed);
    assert_eq!(
        verdict.complaints,
        Vec::<String>::new(),
        "{scenario}, seed {seed}"
    );
    assert!(verdict.result.invariant_checks > 1000, "it was looked at");
}

#[test]
fn a_seed_replays_byte_for_byte_and_another_does_not() {
    let [first, again, other] = [7, 7, 8].map(|seed| run("liars", seed).result);
    assert_eq!(first.trace_hash, again.trace_hash);
    assert_ne!(first.trace_hash, other.trace_hash);
    let timeless = |mut result: banyan_sim::score::SimResult| {
        (result.wall_ms, result.cpu_ms) = (0, 0);
        result
    };
    assert_eq!(timeless(first), timeless(again));
}

#[test]
fn killed_and_stopped_interior_viewers_cost_the_others_nothing() {
    is_fine("killer", 1);
    is_fine("killer", 2);
}

#[test]
fn a_flash_crowd_is_served() {
    is_fine("flash", 1);
}

#[test]
fn scarce_uplinks_serve_everybody_and_little_is_wasted() {
    is_fine("scarce", 4);
    is_fine("scarce", 9);
}

#[test]
fn when_most_leave_at_once_those_who_stay_keep_all() {
    for seed in [31, 52, 68, 81] {
        is_fine("exodus", seed);
    }
}

#[test]
fn whoever_watches_is_not_refused_while_others_come_down_to_less() {
    for seed in [11, 20] {
        is_fine("overload", seed);
    }
}

#[test]
fn what_liars_alter_is_neither_played_nor_passed_on() {
    is_fine("liars", 1);
    is_fine("liars", 2);
}

#[test]
fn viewers_play_on_when_the_broadcaster_was_restarted() {
    is_fine("restart", 1);
    is_fine("restart", 2);
}

#[test]
fn for_a_strong_newcomer_nobodys_stripe_moves_twice() {
    for seed in 1..=8 {
        is_fine("newcomer", seed);
    }
}

#[test]
fn real_signatures_do_as_well_as_the_stand_in() {
    is_fine("signed", 1);
}
