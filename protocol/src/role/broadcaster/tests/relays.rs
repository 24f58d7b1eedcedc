mod withheld;

use super::*;
use crate::id::Sign;
use crate::overlay::admission::PLEDGE_DEADLINE;
use crate::time::Utc;
use crate::wire::control::{Ask, WithdrawReason};
use crate::wire::lease::{Lease, LeaseId};
use crate::wire::order::{Commanded, Delegation, Numbered, Offer, Order as RelayOrder, SealedDelegation};
use crate::wire::ticket::Class;

const TOP: TierId = TierId(1);

/// The relay that viewer `n` may lend.
fn relay(n: u8) -> PeerId {
    key(100 + n).id()
}

fn offer(n: u8, round: u64) -> Offer {
    let ends = Utc::from_secs(1_000 + 3_600);
    Offer {
        round,
        relay: relay(n),
        addresses: vec![SocketAddr::from(([203, 0, 113, n], 4600))],
        uplink: Bitrate::from_kbps(50_000),
        lease: Lease {
            id: LeaseId([n; 16]),
            ends,
            bytes: 1 << 40,
        },
        delegation: None,
    }
}

fn delegated(n: u8, round: u64, signer: &dyn Sign) -> Offer {
    let offer = offer(n, round);
    let channel = key(200).public();
    let delegation = Delegation {
        channel,
        relay: offer.relay,
        delegate: channel,
        lease: offer.lease,
        generation: 0,
    };
    Offer {
        delegation: Some(SealedDelegation {
            sponsor: signer.public(),
            sealed: delegation.seal(signer),
        }),
        ..offer
    }
}

impl Studio {
    /// Two viewers have all there is, and a third waits: it is asked.
    fn scarce() -> (Self, [LinkId; 3]) {
        let mut studio = Self::new(BroadcasterConfig {
            when_full: WhenFull::Degrade,
            ..config()
        });
        let links = [1, 2, 3].map(|n| {
            let link = studio.join(n, hello(0));
            studio.pass(500);
            link
        });
        studio.pass(1_000);
        (studio, links)
    }

    fn asks(&self, link: LinkId) -> Vec<&Ask> {
        let asks = self.heard.iter().filter_map(|(to, message)| match message {
            Message::Ask(ask) if *to == link => Some(ask),
            _ => None,
        });
        asks.collect()
    }

    fn is_asked(&self, link: LinkId) -> Option<u64> {
        self.asks(link).last().map(|ask| ask.round)
    }

    fn answer(&mut self, link: LinkId, yes: bool) -> u64 {
        let round = self.is_asked(link).expect("it was asked");
        self.say(link, &Message::Answer { round, yes });
        round
    }

    fn withdrawn(&self, link: LinkId) -> Vec<WithdrawReason> {
        let withdrawn = self.heard.iter().filter_map(|(to, message)| match message {
            Message::Withdraw { why, .. } if *to == link => Some(*why),
            _ => None,
        });
        withdrawn.collect()
    }

    /// What a sponsor was to tell its relay last as to its places.
    fn last_assign_to_relay(&self, sponsor: LinkId, n: u8) -> Option<Ticket> {
        let of = |message: &Message| match message {
            Message::ToRelay { relay: tag, message } if *tag == relay(n).tag() => {
                Message::parse_body(message).ok()
            }
            _ => None,
        };
        let said = self.heard.iter().rev().filter(|(to, _)| *to == sponsor);
        said.filter_map(|(_, message)| of(message))
            .find_map(|message| match message {
                Message::Assign(assign) => Some(ticket_of(&assign, n)),
                _ => None,
            })
    }

    fn pass_on(&mut self, sponsor: LinkId, n: u8, message: &Message) {
        let (relay, message) = (relay(n).tag(), message.body());
        self.say(sponsor, &Message::FromRelay { relay, message });
    }

    /// A relay that was lent receives what it is to carry.
    fn fill(&mut self, sponsor: LinkId, n: u8) {
        let ticket = self.last_assign_to_relay(sponsor, n).expect("it has places");
        for grant in ticket.grants {
            let to = if grant.parent == source_tag() {
                key(200).id()
            } else {
                relay(3)
            };
            let moved = Moved {
                stripe: grant.stripe,
                to,
                from: None,
                planned: true,
            };
            self.pass_on(sponsor, n, &Message::Moved(moved));
        }
    }

    fn joined(&self) -> usize {
        let joined = self
            .events
            .iter()
            .filter(|event| matches!(event, Event::RelayJoined { .. }));
        joined.count()
    }

    /// Why relays left.
    fn left(&self) -> Vec<&str> {
        let left = self.events.iter().filter_map(|event| match event {
            Event::RelayLeft { reason, .. } => Some(reason.as_str()),
            _ => None,
        });
        left.collect()
    }

    fn blamed(&self) -> Vec<PeerId> {
        let blamed = self.events.iter().filter_map(|event| match event {
            Event::PeerBlamed { peer, .. } => Some(*peer),
            _ => None,
        });
        blamed.collect()
    }

    /// Who sends it the tier that it is to show.
    fn parents(&self, link: LinkId) -> BTreeSet<crate::id::PeerTag> {
        let (assign, ticket) = self.last_assign(link).unwrap();
        let shown = ticket
            .grants
            .iter()
            .filter(|grant| grant.stripe.tier == assign.tier);
        shown.map(|grant| grant.parent).collect()
    }

    fn lose(&mut self, link: LinkId) {
        let why = crate::io::LinkEnd::TimedOut;
        self.input(Input::Unlinked { link, why });
    }

    fn accept_dial(&mut self, link: LinkId, peer: PeerId) {
        self.input(Input::Linked {
            link,
            peer,
            address: SocketAddr::from(([203, 0, 113, 9], 4600)),
            side: Side::Dialler,
            binding: Binding([0; 32]),
        });
    }

    /// The orders that were given on a link of our own.
    fn orders(&self, link: LinkId, n: u8) -> Vec<(Numbered, Bytes)> {
        let orders = self.heard.iter().filter_map(|(to, message)| match message {
            Message::Order(Commanded { order, delegation }) if *to == link => {
                let opened = Numbered::open(order, &key(200).public(), &relay(n), &Ed25519);
                Some((opened.unwrap(), delegation.clone().unwrap()))
            }
            _ => None,
        });
        orders.collect()
    }
}

fn ticket_of(assign: &Assign, n: u8) -> Ticket {
    Ticket::open(&assign.ticket, &relay(n), &key(200).public(), &Ed25519).unwrap()
}

/// The third viewer has sponsored a relay.
fn sponsored(offer: impl Fn(u64) -> Offer) -> (Studio, [LinkId; 3]) {
    let (mut studio, links) = Studio::scarce();
    let round = studio.answer(links[2], true);
    studio.say(links[2], &Message::Serving(offer(round)));
    studio.fill(links[2], 3);
    (studio, links)
}

#[test]
fn the_first_yes_is_chosen_and_holds_the_shortage_until_its_deadline() {
    let (mut studio, [first, second, third]) = Studio::scarce();
    let round = studio.answer(third, true);
    let copy = studio.broadcaster.overlay.stripes().top_copy();
    let chosen = Message::Chosen {
        round,
        missing: copy * 2,
    };
    assert!(
        studio.heard.contains(&(third, chosen)),
        "the relay takes a copy, too"
    );
    studio.pass(PLEDGE_DEADLINE.as_millis() as u64 - 1_000);
    assert!(studio.is_asked(first).is_none() && studio.is_asked(second).is_none());
    studio.pass(2_000);
    assert_eq!(studio.withdrawn(third), [WithdrawReason::Expired]);
    assert!(studio.is_asked(first).is_some() && studio.is_asked(second).is_some());
}

#[test]
fn who_says_yes_second_is_thanked_and_may_be_asked_the_next_time() {
    let (mut studio, [first, second, third]) = Studio::scarce();
    studio.answer(third, false);
    let round = studio.answer(second, true);
    assert_eq!(studio.withdrawn(first), [WithdrawReason::Taken]);
    studio.answer(first, true);
    assert_eq!(studio.withdrawn(first), [WithdrawReason::Taken; 2], "it crossed");
    let chosen = |studio: &Studio, link| {
        let mut said = studio.heard.iter();
        said.any(|(to, message)| *to == link && matches!(message, Message::Chosen { .. }))
    };
    assert!(chosen(&studio, second) && !chosen(&studio, first));
    studio.say(second, &Message::NoRelay { round, relay: None });
    studio.pass(500);
    assert_eq!(studio.asks(first).len(), 2, "the next is asked");
    assert_eq!(studio.asks(third).len(), 1, "not who declined");
    studio.say(third, &Message::Answer { round: 1, yes: true });
    assert_eq!(studio.withdrawn(third), [WithdrawReason::Expired]);
}

#[test]
fn a_chosen_sponsor_that_goes_makes_way_for_the_next() {
    let (mut studio, [first, _, third]) = Studio::scarce();
    studio.answer(third, false);
    studio.answer(first, true);
    let fourth = studio.join(4, hello(0));
    studio.lose(first);
    studio.lose(third);
    studio.pass(1_000);
    assert!(studio.is_asked(fourth).is_none(), "there is room again");
    let fifth = studio.join(5, hello(0));
    studio.pass(1_000);
    assert!(studio.is_asked(fifth).is_some());
}

#[test]
fn only_what_is_missing_beyond_a_pledge_is_asked_for() {
    let (mut studio, [.., third]) = Studio::scarce();
    studio.answer(third, true);
    let fourth = studio.join(4, hello(0));
    studio.pass(1_000);
    let round = studio.answer(fourth, true);
    let missing = studio.broadcaster.overlay.stripes().top_copy() * 2;
    assert!(
        studio
            .heard
            .contains(&(fourth, Message::Chosen { round, missing }))
    );
    for (n, link) in [(3, third), (4, fourth)] {
        studio.say(link, &Message::Serving(offer(n, round)));
        studio.fill(link, n);
    }
    assert_eq!(studio.broadcaster.capacity().relays, 2);
    for (n, link) in [(3, third), (4, fourth)] {
        assert_eq!(
            studio.parents(link),
            [relay(n).tag()].into(),
            "each below its own"
        );
    }
}

#[test]
fn a_relay_is_placed_and_everybody_whole_again_at_once() {
    let (studio, links) = sponsored(|round| offer(3, round));
    let ticket = studio
        .last_assign_to_relay(links[2], 3)
        .expect("the relay has places");
    assert_eq!(ticket.grants.len(), 5);
    assert!(ticket.grants.iter().all(|grant| grant.parent == source_tag()));
    let (assign, own) = studio.last_assign(links[2]).unwrap();
    assert_eq!((assign.tier, own.class), (TOP, Class::Sponsor));
    assert_eq!(studio.parents(links[2]), [relay(3).tag()].into());
    assert!(links.iter().all(|link| tier_of(&studio, *link) == Some(TOP)));
    let capacity = studio.broadcaster.capacity();
    assert_eq!(
        (
            capacity.viewers,
            capacity.full,
            capacity.degraded,
            capacity.relays
        ),
        (3, 3, 0, 1)
    );
    assert_eq!(studio.joined(), 1);
    assert!(studio.blamed().is_empty());
}

#[test]
fn a_relay_that_cannot_reach_us_is_not_told_to_at_once_again() {
    let (mut studio, links) = sponsored(|round| offer(3, round));
    let at_us = |studio: &Studio| {
        let ticket = studio.last_assign_to_relay(links[2], 3).expect("it has places");
        let ours = ticket.grants.iter().filter(|grant| grant.parent == source_tag());
        ours.count()
    };
    let lost = studio
        .last_assign_to_relay(links[2], 3)
        .expect("it has places")
        .grants;
    for grant in &lost {
        let orphaned = Message::Orphaned(Orphaned {
            stripe: grant.stripe,
            parent: key(200).id(),
            why: DetachReason::Unreachable,
        });
        studio.pass_on(links[2], 3, &orphaned);
    }
    assert_eq!(at_us(&studio), 0);
    studio.pass(3_500);
    assert_eq!(at_us(&studio), lost.len(), "it may try again");
}

#[test]
fn nobody_hangs_below_a_relay_that_has_nothing_yet_but_whose_seat_it_took() {
    let (mut studio, links) = Studio::scarce();
    let round = studio.answer(links[2], true);
    studio.say(links[2], &Message::Serving(offer(3, round)));
    assert_eq!(tier_of(&studio, links[2]), Some(TierId(0)));
    studio.pass(500);
    assert!(studio.is_asked(links[0]).is_none(), "it is on its way still");
    studio.fill(links[2], 3);
    assert_eq!(tier_of(&studio, links[2]), Some(TOP));
    let (mut studio, links) = Studio::scarce();
    studio.answer(links[2], true);
    studio.say(links[2], &Message::Serving(offer(3, round)));
    studio.pass(5_500);
    assert_eq!(
        tier_of(&studio, links[2]),
        Some(TOP),
        "it is not waited for without end"
    );
}

#[test]
fn who_only_sponsors_is_no_viewer_and_may_lend_a_relay_unasked() {
    let (mut studio, links) = Studio::scarce();
    let helper = studio.join(
        9,
        Hello {
            watches: false,
            ..hello(50_000)
        },
    );
    studio.pass(20_000);
    assert!(studio.last_assign(helper).is_none() && studio.is_asked(helper).is_none());
    assert_eq!(studio.broadcaster.capacity().viewers, 3);
    studio.say(helper, &Message::Serving(offer(9, 0)));
    studio.fill(helper, 9);
    assert!(links.iter().all(|link| tier_of(&studio, *link) == Some(TOP)));
    assert!(studio.last_assign_to_relay(helper, 9).is_some());
    studio.pass(1_000);
    assert!(studio.last_assign(helper).is_none());
    studio.lose(helper);
    let viewers = studio
        .events
        .iter()
        .filter(|event| matches!(event, Event::ViewerLeft { .. }));
    assert_eq!(viewers.count(), 0);
}

#[test]
fn a_relay_that_says_goodbye_has_its_children_moved_first() {
    let (mut studio, links) = sponsored(|round| offer(3, round));
    studio.pass_on(links[2], 3, &Message::Leave);
    studio.pass(500);
    assert!(
        links
            .iter()
            .all(|link| !studio.parents(*link).contains(&relay(3).tag()))
    );
    assert!(studio.left().is_empty(), "it forwards until they have");
    assert_eq!(studio.broadcaster.capacity().relays, 0);
    let gone = Some(relay(3).tag());
    studio.say(
        links[2],
        &Message::NoRelay {
            round: 0,
            relay: gone,
        },
    );
    assert_eq!(studio.left(), ["it has said goodbye"]);
    assert!(studio.broadcaster.overlay.find(&relay(3)).is_none());
}

#[test]
fn after_a_relay_that_was_killed_the_next_sponsor_is_asked_in_time() {
    let (mut studio, [one, two, sponsor]) = sponsored(|round| offer(3, round));
    let late = [4, 5].map(|n| studio.join(n, hello(0)));
    studio.pass(5_000);
    studio.heard.clear();
    let parent = relay(3);
    let links = [one, two, sponsor, late[0], late[1]];
    for link in links {
        let accusations = vec![(parent, Accusation::Silent)];
        let report = Report {
            accusations,
            ..Report::default()
        };
        studio.say(link, &Message::Report(report));
    }
    studio.pass(2_000);
    let asked: Vec<_> = links
        .iter()
        .filter(|link| studio.is_asked(**link).is_some())
        .collect();
    assert!(!asked.is_empty(), "within two seconds");
    let orphans = |link: &&LinkId| studio.asks(**link)[0].kind == crate::wire::control::RoundKind::Orphans;
    assert!(asked.iter().all(orphans), "those who lost it first");
    let overlay = &studio.broadcaster.overlay;
    assert!(
        overlay
            .viewers()
            .all(|viewer| overlay.member(viewer).tier.is_some())
    );
    studio.pass(15_000);
    assert_eq!(studio.left(), ["gives no sign of life"]);
}

/// What has become of a relay that both others call silent at once, and its sponsor with them or not, so many milliseconds later. Meanwhile it gives
/// a sign of life, or none. With how many seats there are still below it.
fn accused(by_sponsor: bool, lives: bool, later: u64) -> (State, usize) {
    let (mut studio, [first, second, sponsor]) = sponsored(|round| offer(3, round));
    studio.pass(5_000);
    let accusations = vec![(relay(3), Accusation::Silent)];
    let report = Message::Report(Report {
        accusations,
        ..Report::default()
    });
    studio.say(first, &report);
    studio.pass(20);
    studio.say(second, &report);
    if by_sponsor {
        studio.say(sponsor, &report);
    }
    if lives {
        studio.pass_on(sponsor, 3, &Message::Report(Report::default()));
    }
    studio.pass(later);
    let index = studio.broadcaster.overlay.find(&relay(3)).expect("it is known");
    let relay = studio.broadcaster.overlay.member(index);
    let children = relay.places.iter().flatten().map(|place| place.children.len());
    (relay.state.clone(), children.sum())
}

#[test]
fn a_relay_that_several_call_silent_and_that_says_nothing_is_given_up_in_a_third_of_a_second() {
    assert_eq!(
        accused(true, false, 330),
        (State::Absent, 0),
        "its own seats are others'"
    );
    let (state, children) = accused(true, true, 330);
    assert!(
        matches!(state, State::Shunned { .. }),
        "it lives, and keeps them: {state:?}"
    );
    assert_eq!(children, 0, "they have others");
}

#[test]
fn a_relay_whose_sponsor_is_content_has_too_little_for_all_and_keeps_those_who_do_not_complain() {
    let (state, children) = accused(false, true, 330);
    assert_eq!(state, State::Active);
    assert!(children > 0, "its sponsor, first of all");
    let (state, _) = accused(false, false, 1_300);
    assert!(
        matches!(state, State::Suspect { .. }),
        "what it says waits in its own queue: {state:?}"
    );
    assert_eq!(accused(false, false, 2_000), (State::Absent, 0));
}

#[test]
fn a_relay_outlives_its_sponsor_by_the_delegation() {
    let (mut studio, links) = sponsored(|round| delegated(3, round, &key(3)));
    let before = studio.last_assign_to_relay(links[2], 3).unwrap();
    studio.lose(links[2]);
    let [(link, peer)] = studio.dials[..] else {
        panic!("the relay is dialled")
    };
    assert_eq!(peer, relay(3));
    studio.accept_dial(link, peer);
    let orders = studio.orders(link, 3);
    let (
        Numbered {
            order: RelayOrder::Attach(assign),
            lease,
            ..
        },
        delegation,
    ) = &orders[0]
    else {
        panic!("it is told its places")
    };
    assert_eq!(*lease, LeaseId([3; 16]));
    assert!(Delegation::open(delegation, &key(3).public(), &Ed25519).is_ok());
    assert_eq!(ticket_of(assign, 3).grants, before.grants, "and keeps them");
    let report = Report {
        children_in_time: true,
        carries: None,
        ..Report::default()
    };
    studio.say(link, &Message::Report(report));
    assert!(studio.closed.is_empty() && studio.left().is_empty());
    let fourth = studio.join(4, hello(0));
    assert_eq!(tier_of(&studio, fourth), Some(TOP), "it still serves");
    studio.lose(link);
    let (again, _) = *studio.dials.last().unwrap();
    assert_ne!(again, link);
    studio.lose(again);
    assert_eq!(studio.left(), ["cannot be reached"]);
    let numbers: Vec<_> = orders.iter().map(|(numbered, _)| numbered.sequence).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn a_sponsor_that_comes_back_commands_again() {
    let (mut studio, links) = sponsored(|round| delegated(3, round, &key(3)));
    studio.lose(links[2]);
    let (link, peer) = studio.dials[0];
    studio.accept_dial(link, peer);
    let back = studio.join(3, hello(0));
    studio.say(back, &Message::Serving(delegated(3, 0, &key(3))));
    studio.pass(500);
    assert_eq!(studio.joined(), 1, "it has been there all the time");
    assert!(studio.last_assign_to_relay(back, 3).is_some());
    assert_eq!(studio.parents(back), [relay(3).tag()].into());
}

#[test]
fn without_a_delegation_a_relay_goes_with_its_sponsor() {
    let (mut studio, links) = sponsored(|round| offer(3, round));
    studio.lose(links[2]);
    assert!(studio.dials.is_empty());
    studio.pass(500);
    for link in &links[..2] {
        assert!(!studio.parents(*link).contains(&relay(3).tag()));
    }
    studio.pass(11_000);
    assert_eq!(studio.left(), ["its sponsor has gone"]);
}

#[test]
fn a_sponsor_whose_program_was_killed_commands_no_more() {
    let (mut studio, links) = sponsored(|round| delegated(3, round, &key(3)));
    let alive = Report {
        children_in_time: true,
        carries: None,
        ..Report::default()
    };
    for _ in 0..4 {
        studio.pass(5_000);
        links[..2]
            .iter()
            .for_each(|link| studio.say(*link, &Message::Report(alive.clone())));
    }
    assert_eq!(studio.dials.len(), 1, "long before its link times out");
}

#[test]
fn relays_that_are_none_are_not_taken() {
    let (mut studio, [first, _, third]) = Studio::scarce();
    let round = studio.answer(third, true);
    let forged = delegated(3, round, &key(1));
    studio.say(third, &Message::Serving(forged));
    assert_eq!(studio.blamed(), [key(3).id()]);
    assert_eq!(studio.withdrawn(third), [WithdrawReason::Unavailable]);
    assert!(studio.broadcaster.overlay.find(&relay(3)).is_none());
    studio.pass(500);
    assert!(studio.is_asked(first).is_some(), "its yes is worth nothing");
    let whose = Offer {
        relay: key(1).id(),
        ..offer(3, 0)
    };
    studio.say(third, &Message::Serving(whose));
    studio.hidden.insert(relay(3), 2);
    studio.say(third, &Message::Serving(offer(3, 0)));
    let inside = Offer {
        addresses: vec![
            "127.0.0.1:4600".parse().unwrap(),
            "224.0.0.1:4600".parse().unwrap(),
        ],
        ..offer(4, 0)
    };
    studio.say(third, &Message::Serving(inside));
    assert_eq!(studio.blamed(), [key(3).id(); 4]);
    assert_eq!((studio.joined(), studio.left().len()), (0, 0));
    assert_eq!(studio.broadcaster.overlay.other_count(), 3);
}

#[test]
fn a_relay_that_is_found_at_the_second_look_is_taken() {
    let (mut studio, [.., third]) = Studio::scarce();
    let round = studio.answer(third, true);
    studio.hidden.insert(relay(3), 1);
    studio.say(third, &Message::Serving(offer(3, round)));
    studio.pass(500);
    assert_eq!(studio.joined(), 1);
    assert!(studio.blamed().is_empty() && studio.withdrawn(third).is_empty());
}

#[test]
fn nobody_lends_relays_without_end() {
    let (mut studio, [.., third]) = Studio::scarce();
    studio.hidden.insert(relay(50), 2);
    for n in [50, 51, 52, 53, 54] {
        studio.say(third, &Message::Serving(offer(n, 0)));
    }
    assert_eq!(studio.joined(), 1, "the next waits until it has filled");
    studio.pass(12_000);
    assert_eq!(studio.joined(), 3, "four, and one was none");
}

#[test]
fn a_lease_that_ends_is_evacuated_before() {
    let (mut studio, links) = sponsored(|round| {
        let mut offer = offer(3, round);
        offer.lease.ends = Utc::from_secs(1_000 + 60);
        offer
    });
    studio.pass(46_000);
    assert_eq!(studio.broadcaster.capacity().relays, 1);
    studio.pass(5_000);
    assert_eq!(studio.broadcaster.capacity().relays, 0);
    assert!(
        links
            .iter()
            .all(|link| !studio.parents(*link).contains(&relay(3).tag()))
    );
    studio.pass(12_000);
    assert_eq!(studio.left(), ["its lease ends"]);
}

#[test]
fn before_a_lease_ends_the_next_sponsor_is_asked_and_its_relay_carries_everything() {
    let (mut studio, links) = sponsored(|round| {
        let mut offer = offer(3, round);
        offer.lease.ends = Utc::from_secs(1_000 + 90);
        offer
    });
    studio.heard.clear();
    studio.pass(50_000);
    assert!(links.iter().all(|link| studio.is_asked(*link).is_none()));
    studio.pass(10_000);
    let next = links.iter().position(|link| studio.is_asked(*link).is_some());
    let next = next.expect("the next one is asked half a minute before");
    let (link, n) = (links[next], next as u8 + 1);
    let round = studio.answer(link, true);
    studio.say(link, &Message::Serving(offer(n, round)));
    studio.fill(link, n);
    studio.pass(6_000);
    let below = |studio: &Studio, n: u8, link: &LinkId| studio.parents(*link).contains(&relay(n).tag());
    assert!(
        !links.iter().any(|link| below(&studio, 3, link)),
        "all have left it"
    );
    assert!(links.iter().any(|link| below(&studio, n, link)));
    assert!(links.iter().all(|link| tier_of(&studio, *link) == Some(TOP)));
    studio.pass(12_000);
    assert_eq!(studio.left(), ["its lease ends"]);
}

/// The relay takes the places at us that it was given, so many milliseconds later.
fn seated(after: u64) -> (Studio, [LinkId; 3], LinkId) {
    let (mut studio, links) = sponsored(|round| offer(3, round));
    studio.pass(after);
    let link = LinkId(99);
    studio.linked.insert(link, relay(3));
    studio.input(Input::Linked {
        link,
        peer: relay(3),
        address: SocketAddr::from(([203, 0, 113, 3], 4600)),
        side: Side::Acceptor,
        binding: Binding([0; 32]),
    });
    let assign = studio.heard.iter().rev().find_map(|(to, message)| match message {
        Message::ToRelay { message, .. } if *to == links[2] => Some(Message::parse_body(message).unwrap()),
        _ => None,
    });
    let Some(Message::Assign(assign)) = assign else {
        panic!("it has places")
    };
    let ticket = ticket_of(&assign, 3);
    let attach = Attach {
        stripes: ticket
            .grants
            .iter()
            .map(|grant| (grant.stripe, assign.from_block + after / 100))
            .collect(),
        ticket: Some(assign.ticket),
    };
    studio.say(link, &Message::Attach(attach));
    (studio, links, link)
}

#[test]
fn a_relay_is_our_child_without_a_hello() {
    let (mut studio, links, link) = seated(0);
    studio.pass(12_000);
    let fed = studio
        .broadcaster
        .children()
        .filter(|(child, _)| *child == relay(3));
    assert_eq!(fed.count(), 5);
    studio.lose(links[2]);
    assert!(!studio.closed.iter().any(|(closed, _)| *closed == link));
}
