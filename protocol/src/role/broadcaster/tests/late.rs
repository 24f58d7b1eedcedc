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
