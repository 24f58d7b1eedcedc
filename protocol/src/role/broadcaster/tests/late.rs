//! Uplinks that do not carry what they have promised.

use super::*;

#[test]
fn a_cap_is_believed_while_what_newcomers_lack_is_sent() {
    let mut studio = Studio::new(config());
    let strong = studio.join(1, hello(20_000));
    studio.attach(strong);
    studio.pass(1_000);
    for n in 2..=4 {
        studio.join(n, hello(0));
    }
    let member = studio.broadcaster.overlay.find(&key(1).id()).unwrap();
    let late = Report {
        children_in_time: false,
        carries: None,
        ..Report::default()
    };
    let is_cut = |studio: &mut Studio, seconds: u64| {
        for _ in 0..seconds {
            studio.say(strong, &Message::Report(late.clone()));
            studio.pass(1_000);
        }
        studio.broadcaster.overlay.member(member).late.is_some()
    };
    assert!(!is_cut(&mut studio, 4));
    assert!(is_cut(&mut studio, 2));
}

#[test]
fn an_uplink_without_a_cap_is_cut_at_once_and_again_when_that_has_had_time_to_show() {
    let mut studio = Studio::new(config());
    let unknown = studio.join(
        1,
        Hello {
            uplink: None,
            ..hello(0)
        },
    );
    studio.attach(unknown);
    for n in 2..=4 {
        studio.join(n, hello(0));
        studio.pass(1_000);
    }
    let member = studio.broadcaster.overlay.find(&key(1).id()).unwrap();
    let used = studio.broadcaster.overlay.member(member).used;
    assert!(used > Bitrate::ZERO, "it has children");
    let late = Report {
        children_in_time: false,
        sending: used,
        ..Report::default()
    };
    let mut cuts = Vec::new();
    for tenth in 0..70 {
        studio.say(unknown, &Message::Report(late.clone()));
        studio.pass(100);
        let (_, count) = studio.broadcaster.overlay.member(member).cuts.unzip();
        if count.unwrap_or(0) as usize > cuts.len() {
            cuts.push(tenth);
        }
    }
    assert!(cuts.len() > 1 && cuts[0] <= 10, "at {cuts:?} tenths of a second");
    assert!(cuts.windows(2).all(|pair| pair[1] - pair[0] >= 20), "{cuts:?}");
}
