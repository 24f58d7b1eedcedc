//! Relays that lack a stripe, as their children say.

use super::*;
use crate::media::StripeId;

/// After so many milliseconds a relay is not excused any more for having only just begun.
const LONG: u64 = 10_500;

/// A stripe that two viewers get from the relay, and their links.
fn shared(studio: &Studio, links: [LinkId; 3]) -> (StripeId, [LinkId; 2]) {
    let has = |link: &LinkId, stripe: StripeId| {
        let grants = studio.last_assign(*link).unwrap().1.grants;
        grants
            .iter()
            .any(|grant| grant.stripe == stripe && grant.parent == relay(3).tag())
    };
    let mut stripes = (0..5).map(|index| StripeId { tier: TOP, index });
    let both = stripes.find_map(|stripe| {
        let fed: Vec<LinkId> = links.into_iter().filter(|link| has(link, stripe)).collect();
        Some((stripe, [*fed.first()?, *fed.get(1)?]))
    });
    both.expect("the relay feeds two of them")
}

fn say_it_lacks(studio: &mut Studio, stripe: StripeId, links: &[LinkId]) {
    for link in links {
        let accusations = vec![(relay(3), Accusation::Lacks(stripe))];
        let report = Report {
            accusations,
            ..Report::default()
        };
        studio.say(*link, &Message::Report(report));
    }
    studio.pass(20);
}

#[test]
fn a_relay_that_was_sent_a_stripe_and_passes_on_others_alone_withholds_it() {
    let (mut studio, links, _) = seated(0);
    studio.pass(LONG);
    let (stripe, fed) = shared(&studio, links);
    say_it_lacks(&mut studio, stripe, &fed[..1]);
    assert!(studio.blamed().is_empty(), "one word is not enough");
    say_it_lacks(&mut studio, stripe, &fed[1..]);
    assert_eq!(studio.blamed(), [relay(3)]);
    assert!(
        fed.iter()
            .all(|link| !studio.parents(*link).contains(&relay(3).tag()))
    );
}

#[test]
fn what_a_relay_was_not_sent_it_does_not_withhold() {
    let (mut studio, links, _) = seated(LONG);
    studio.pass(1_000);
    let (stripe, fed) = shared(&studio, links);
    say_it_lacks(&mut studio, stripe, &fed);
    assert!(studio.blamed().is_empty(), "it only just begins");
    let (mut studio, links) = sponsored(|round| offer(3, round));
    studio.pass(LONG);
    let (stripe, fed) = shared(&studio, links);
    say_it_lacks(&mut studio, stripe, &fed);
    assert!(studio.blamed().is_empty(), "it has not come to us for it");
}
