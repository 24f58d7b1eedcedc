//! What is told without a ticket, and what takes one.

use super::*;
use crate::overlay::member::Lingering;
use crate::overlay::stripes::StripeIndex;
use crate::wire::amendments::Amendment;

/// A studio with eight viewers that have settled.
fn settled() -> Studio {
    let mut studio = Studio::new(config());
    for n in 1..=8 {
        let link = studio.join(n, hello(20_000));
        studio.attach(link);
        studio.pass(1_000);
    }
    studio.pass(30_000);
    studio.heard.clear();
    studio
}

impl Studio {
    /// Gives somebody another spare, whom its ticket names or not. Whom, for which stripe, and who it is.
    fn respare(&mut self, named: bool) -> (LinkId, Amendment) {
        let (child, stripe, other) = self.stand_in(named);
        let overlay = &mut self.broadcaster.overlay;
        overlay.set_spare(child, stripe, Some(other));
        let (parent, spare) = (None, Some(overlay.member(other).id.tag()));
        let stripe = overlay.stripes().id(stripe);
        let amendment = Amendment {
            stripe,
            parent,
            spare,
        };
        (self.link_of(child), amendment)
    }

    /// Moves somebody to a peer with room that its ticket names, or to the seat of another. Whom, for which stripe, and where to.
    fn move_one(&mut self, replaced: bool) -> (LinkId, Amendment) {
        let (child, stripe, other) = self.stand_in(true);
        let overlay = &mut self.broadcaster.overlay;
        let parent = overlay.member(child).place(stripe).unwrap().parent.unwrap();
        overlay.detach(child, stripe, None);
        overlay.attach(child, stripe, other);
        if replaced {
            let whom = Lingering {
                stripe: overlay.stripes().id(stripe),
                child: key(9).id(),
                until: Instant::ZERO,
            };
            overlay.member_mut(child).place_mut(stripe).unwrap().replaces = Some(whom);
        }
        overlay.set_spare(child, stripe, Some(parent));
        let tag = |peer| Some(overlay.member(peer).id.tag());
        let amendment = Amendment {
            stripe: overlay.stripes().id(stripe),
            parent: tag(other),
            spare: tag(parent),
        };
        (self.link_of(child), amendment)
    }

    fn link_of(&self, member: MemberIndex) -> LinkId {
        let Route::Link(link) = self.broadcaster.contacts[&member].route else {
            panic!("a viewer has a link")
        };
        link
    }

    /// A child, a stripe, and a peer with room that could stand in for its parent there, whom its ticket names or not.
    fn stand_in(&mut self, named: bool) -> (MemberIndex, StripeIndex, MemberIndex) {
        let overlay = &mut self.broadcaster.overlay;
        let all: Vec<MemberIndex> = overlay.others().collect();
        let stripes: Vec<_> = overlay.stripes().all().collect();
        let fits = |child: MemberIndex, stripe, other: MemberIndex| {
            let (place, above) = (
                overlay.member(child).place(stripe)?,
                overlay.member(other).place(stripe)?,
            );
            let parent = place
                .parent
                .filter(|_| place.spare != Some(other) && above.rank < place.rank)?;
            let stands = overlay.may_be_spare(child, stripe, parent, other)
                && !overlay.spare_is_short(parent, other, stripe, 1)
                && overlay.is_named(child, other) == named;
            stands.then_some((child, stripe, other))
        };
        let pairs = all
            .iter()
            .flat_map(|child| all.iter().map(move |other| (*child, *other)));
        let found = pairs
            .flat_map(|(child, other)| stripes.iter().map(move |stripe| (child, *stripe, other)))
            .find_map(|(child, stripe, other)| fits(child, stripe, other));
        found.expect("there is room at many")
    }

    fn is_told(&self, link: LinkId, amendment: Amendment) -> bool {
        let mut told = self.heard.iter().filter(|(to, _)| *to == link);
        told.any(|(_, message)| matches!(message, Message::Amend(amendments) if amendments.list.contains(&amendment)))
    }
}

#[test]
fn whom_the_ticket_names_is_told_as_a_spare_without_another_one() {
    let mut studio = settled();
    let (link, amendment) = studio.respare(true);
    studio.pass(1_100);
    assert!(
        studio.is_told(link, amendment),
        "{amendment:?} in {:?}",
        studio.heard
    );
    assert!(studio.last_assign(link).is_none(), "no ticket");
    studio.heard.clear();
    studio.pass(6_000);
    assert!(!studio.is_told(link, amendment), "it has been told");
}

#[test]
fn who_is_sent_to_another_parent_is_given_a_ticket_that_says_so() {
    for replaced in [false, true] {
        let mut studio = settled();
        let (link, amendment) = studio.move_one(replaced);
        studio.pass(100);
        assert!(!studio.is_told(link, amendment));
        let (_, ticket) = studio.last_assign(link).expect("a ticket");
        let grant = ticket.grant(amendment.stripe).expect("it keeps its stripes");
        assert!(Some(grant.parent) == amendment.parent && grant.replaces.is_some() == replaced);
    }
}

#[test]
fn whom_it_does_not_name_takes_another_ticket() {
    let mut studio = settled();
    let (link, amendment) = studio.respare(false);
    studio.pass(6_000);
    assert!(!studio.is_told(link, amendment));
    let (_, ticket) = studio.last_assign(link).expect("a ticket");
    let granted = ticket.grant(amendment.stripe).and_then(|grant| grant.spare);
    assert_eq!(granted, amendment.spare);
}

#[test]
fn who_has_left_a_parent_is_told_of_it_again_where_the_plan_returns_to_it() {
    let mut studio = settled();
    let (link, named) = studio.respare(true);
    studio.pass(1_100);
    let id = studio.linked[&link];
    let overlay = &studio.broadcaster.overlay;
    let child = overlay.find(&id).unwrap();
    let stripe = overlay.stripes().find(named.stripe).unwrap();
    let place = overlay.member(child).place(stripe).unwrap();
    let (parent, spare) = (place.parent.unwrap(), place.spare.unwrap());
    let moved = Moved {
        stripe: named.stripe,
        to: overlay.member(spare).id,
        from: None,
        planned: false,
    };
    let expected = overlay.member(parent).id.tag();
    studio.heard.clear();
    studio.say(link, &Message::Moved(moved));
    let overlay = &mut studio.broadcaster.overlay;
    assert_eq!(overlay.member(child).place(stripe).unwrap().parent, Some(spare));
    overlay.detach(child, stripe, None);
    overlay.attach(child, stripe, parent);
    overlay.set_spare(child, stripe, Some(spare));
    studio.pass(1_000);
    let told = studio
        .last_assign(link)
        .and_then(|(_, ticket)| ticket.grant(named.stripe).cloned());
    assert_eq!(told.map(|grant| grant.parent), Some(expected));
}

#[test]
fn a_word_of_a_stripe_that_nobody_was_granted_takes_no_ticket() {
    let mut studio = settled();
    let link = LinkId(3);
    let id = studio.linked[&link];
    let overlay = &studio.broadcaster.overlay;
    let child = overlay.find(&id).unwrap();
    let low = overlay.stripes().of_tier(TierId(0)).next().unwrap();
    assert!(overlay.member(child).place(low).is_none());
    let moved = Moved {
        stripe: overlay.stripes().id(low),
        to: key(4).id(),
        from: None,
        planned: true,
    };
    studio.say(link, &Message::Moved(moved));
    studio.broadcaster.overlay.touch(child);
    studio.pass(1_000);
    assert!(studio.last_assign(link).is_none(), "nothing has changed");
}
