//! Whoever is asked to sponsor is told where the relay would be near to those whom it is to serve.

use super::*;
use crate::wire::region::RegionName;

fn region(name: &str) -> RegionName {
    RegionName::try_from(alloc::string::String::from(name)).unwrap()
}

fn located(round_trips: &[(&str, u16)]) -> Message {
    let round_trips = round_trips.iter().map(|(name, ms)| (region(name), *ms));
    Message::Located {
        round_trips: round_trips.collect(),
    }
}

impl Studio {
    /// Two viewers have all there is, and two wait, who were asked where they are a moment ago.
    fn short_of_two() -> (Self, [LinkId; 4]) {
        let mut studio = Self::new(BroadcasterConfig {
            when_full: WhenFull::Degrade,
            ..config()
        });
        let links = [1, 2, 3, 4].map(|n| studio.join(n, hello(0)));
        while !studio.was_told(links[3], &Message::Locate) {
            studio.pass(10);
        }
        (studio, links)
    }

    fn was_told(&self, link: LinkId, message: &Message) -> bool {
        self.heard.iter().any(|(to, told)| *to == link && told == message)
    }

    fn questions(&self) -> usize {
        let asked = |(_, message): &&(LinkId, Message)| matches!(message, Message::Ask(_));
        self.heard.iter().filter(asked).count()
    }

    /// What was said to somebody just before it was asked.
    fn near(&self, link: LinkId) -> Vec<RegionName> {
        let said: Vec<&Message> = self
            .heard
            .iter()
            .filter(|(to, _)| *to == link)
            .map(|(_, said)| said)
            .collect();
        let asked = said.iter().position(|said| matches!(said, Message::Ask(_)));
        match said[asked.expect("it was asked") - 1] {
            Message::Near { regions } => regions.clone(),
            _ => Vec::new(),
        }
    }
}

#[test]
fn who_is_asked_hears_which_region_is_near_to_those_who_wait() {
    let (mut studio, [one, two, third, fourth]) = Studio::short_of_two();
    for served in [one, two] {
        assert!(!studio.was_told(served, &Message::Locate), "it lacks nothing");
    }
    assert_eq!(studio.questions(), 0);
    studio.say(third, &located(&[("east", 10), ("middle", 50), ("west", 120)]));
    studio.say(third, &located(&[("west", 1)]));
    assert_eq!(studio.questions(), 0, "the other is waited for");
    studio.say(fourth, &located(&[("west", 15), ("middle", 45), ("east", 110)]));
    assert!(studio.questions() > 0, "and nobody once all have said it");
    let middle_first = [region("middle"), region("east"), region("west")];
    assert_eq!(studio.near(third), middle_first);
}

#[test]
fn who_does_not_say_where_it_is_is_not_waited_for_long_and_not_asked_again() {
    let (mut studio, [.., third, _]) = Studio::short_of_two();
    studio.say(third, &located(&[("east", 10)]));
    studio.pass(1_000);
    assert!(studio.questions() > 0);
    assert_eq!(studio.near(third), [region("east")]);
    studio.pass(20_000);
    let located = studio.heard.iter().filter(|(_, told)| *told == Message::Locate);
    assert_eq!(located.count(), 2);
}

#[test]
fn who_comes_to_sponsor_hears_it_before_it_is_welcome() {
    let (mut studio, [.., third, fourth]) = Studio::short_of_two();
    studio.say(third, &located(&[("east", 10)]));
    studio.say(fourth, &located(&[("east", 20)]));
    let helper = studio.join(
        5,
        Hello {
            watches: false,
            ..hello(0)
        },
    );
    let said = studio.heard.iter().filter(|(to, _)| *to == helper);
    let said: Vec<&Message> = said.map(|(_, said)| said).collect();
    let regions = vec![region("east")];
    assert!(
        matches!(said[..], [near, Message::Welcome(_), ..] if *near == Message::Near { regions }),
        "{said:?}"
    );
}
