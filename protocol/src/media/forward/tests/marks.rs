//! Late marks.

use super::*;

#[test]
fn nothing_to_pass_on_is_said_every_tick_to_children_of_that_stripe() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.attach(&ticket(2, &[1]), &[(1, 0)]).unwrap();
    rig.blocks(0, 0..5);
    rig.said(1);
    rig.said(2);
    rig.until(129);
    assert_eq!((rig.said(1), rig.said(2)), (vec![], vec![]));
    rig.until(130);
    assert_eq!(rig.said(1), [Said::Late(stripe(0), 5)]);
    assert_eq!(rig.said(2), [Said::Late(stripe(1), 0)]);
    rig.until(330);
    assert_eq!(rig.said(1), [Said::Late(stripe(0), 5), Said::Late(stripe(0), 5)]);
    rig.until(340);
    rig.chunk(&chunk(stripe(0), 5));
    rig.said(1);
    rig.until(469);
    assert_eq!(rig.said(1), [], "a chunk is as good as a mark");
    rig.until(470);
    assert_eq!(rig.said(1), [Said::Late(stripe(0), 6)]);
}

#[test]
fn no_marks_without_children_or_after_the_end() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 0..5);
    assert_eq!(rig.engine.wake_at(), None);
    rig.attach(&ticket(1, &[0]), &[(0, 5)]).unwrap();
    rig.said(1);
    rig.engine.set_marking(false);
    rig.until(1000);
    assert_eq!(rig.said(1), []);
}

#[test]
fn marks_do_not_pile_up_at_a_child_that_takes_nothing() {
    let mut rig = Rig::new(None);
    let all = [0, 1, 2, 3, 4];
    rig.attach(&ticket(1, &all), &all.map(|index| (index, 0)))
        .unwrap();
    // 14 bytes a mark, 50 marks a second: three minutes fill its credit.
    rig.until(590_000);
    let marks = rig
        .said(1)
        .iter()
        .filter(|said| matches!(said, Said::Late(..)))
        .count() as u64;
    assert_eq!(marks, crate::limits::LINK_BACKLOG_MAX.div_ceil(14));
}

#[test]
fn children_whose_chunks_wait_for_uplink_hear_that_we_live() {
    let mut rig = Rig::new(Some(slot()));
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    rig.said(1);
    // The uplink is used up by something else for ten seconds, as far as the debt goes: one second.
    rig.with(|engine, now, _| engine.wire_sent(now, 0));
    rig.with(|engine, now, _| engine.wire_sent(now, slot().bytes_in(Duration::from_secs(10))));
    let mut heard = vec![0];
    for ms in (0..1000).step_by(5) {
        rig.until(ms);
        if ms % 100 == 50 {
            rig.chunk(&chunk(stripe(0), ms / 100));
        }
        if !rig.said(1).is_empty() {
            heard.push(ms);
        }
    }
    let longest = heard.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest <= Some(170), "heard at {heard:?}");
    assert!(heard.len() <= 10, "heard at {heard:?}");
}

#[test]
fn a_child_hears_from_a_parent_that_catches_up_with_it() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 20)]).unwrap();
    rig.said(1);
    // All that the child has already, twice as fast as it is made: nothing of that is for it.
    for block in 0..20 {
        rig.until(50 * block);
        rig.chunk(&chunk(stripe(0), block));
    }
    let marks = rig.said(1).len();
    assert_eq!(marks, 9, "one each tick from 130 ms on");
    rig.chunk(&chunk(stripe(0), 20));
    assert_eq!(rig.got(1, 0), [20]);
}
