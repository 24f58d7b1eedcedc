//! The network model, tried with toys: times by arithmetic.

use super::{Pause, Weather, World};
use crate::net::link::EndState;
use crate::net::{MILLISECOND, Micros, SECOND, wire};
use crate::toy::{DATA, Log, Silent, Toys, add, address, dial, id, send};
use banyan_protocol::io::{Input, Lane, LinkEnd, LinkId, Output};
use banyan_protocol::wire::close::CloseCode;

const DELAY: Micros = 20 * MILLISECOND;
const FAST: u64 = 1_000_000_000;

fn world(jitter: Micros, loss: f64) -> Toys {
    World::new(
        1,
        Weather {
            delay: (DELAY, DELAY),
            jitter,
            loss,
        },
        Silent,
    )
}

fn run_until(world: &mut Toys, at: Micros) {
    world.set_alarm(at, "stop");
    let mut changed = Vec::new();
    while world.run() != Some(Pause::Alarm("stop")) {
        world.take_changed(&mut changed);
        assert!(changed.iter().all(|node| (*node as usize) < world.nodes.len()));
    }
}

fn frames(log: &Log) -> Vec<(Micros, usize, u8)> {
    let log = log.lock().unwrap();
    let frame = |(at, input): &(u64, Input)| match input {
        Input::Frame { frame, .. } => Some((*at, frame.len(), frame[0])),
        _ => None,
    };
    log.iter().filter_map(frame).collect()
}

fn ends(log: &Log) -> Vec<(Micros, LinkEnd)> {
    let log = log.lock().unwrap();
    let end = |(at, input): &(u64, Input)| match input {
        Input::Unlinked { why, .. } => Some((*at, *why)),
        _ => None,
    };
    log.iter().filter_map(end).collect()
}

fn linked(log: &Log) -> Vec<(Micros, LinkId)> {
    let log = log.lock().unwrap();
    let link = |(at, input): &(u64, Input)| match input {
        Input::Linked { link, .. } => Some((*at, *link)),
        _ => None,
    };
    log.iter().filter_map(link).collect()
}

#[test]
fn a_link_takes_a_round_trip_and_a_frame_its_size_and_the_delay() {
    let mut world = world(0, 0.0);
    let a = add(
        &mut world,
        1,
        8_000_000,
        false,
        vec![(0, dial(0, 2)), (100, send(0, Lane::Control, vec![7; 500]))],
    );
    let b = add(&mut world, 2, FAST, false, vec![]);
    run_until(&mut world, SECOND);
    assert_eq!(linked(&a), [(2 * DELAY, LinkId(0))]);
    assert_eq!(linked(&b), [(3 * DELAY, LinkId(1))]);
    let on_the_wire = wire::sent(500, true);
    assert_eq!(frames(&b), [(100_000 + on_the_wire + DELAY, 500, 7)]);
    assert_eq!(world.node(0).sent, wire::HANDSHAKE + on_the_wire);
}

#[test]
fn a_thin_uplink_holds_data_back_and_lets_control_pass() {
    let mut world = world(0, 0.0);
    let mut script = vec![(0, dial(0, 2))];
    script.extend((0..100).map(|n| (100, send(0, DATA, vec![n; 1000]))));
    script.push((110, send(0, Lane::Control, vec![200; 10])));
    let a = add(&mut world, 1, 800_000, false, script);
    let b = add(&mut world, 2, FAST, false, vec![]);
    run_until(&mut world, 3 * SECOND);
    let got = frames(&b);
    let control = got.iter().position(|(_, _, first)| *first == 200).unwrap();
    assert!(
        (25..45).contains(&control),
        "control came after {control} frames, a third of a second's worth"
    );
    let data: Vec<u8> = got
        .iter()
        .map(|frame| frame.2)
        .filter(|first| *first != 200)
        .collect();
    assert_eq!(data, (0..100).collect::<Vec<u8>>(), "all came, in order");
    let spent = got.last().unwrap().0 - 100_000 - DELAY;
    assert!(
        (1_000_000..1_120_000).contains(&spent),
        "100 kB and headers at 800 kbit/s took {spent} us"
    );
    let drained: u64 = a
        .lock()
        .unwrap()
        .iter()
        .map(|(_, input)| {
            if let Input::Drained { bytes, .. } = input {
                *bytes
            } else {
                0
            }
        })
        .sum();
    assert_eq!(drained, 100_000);
}

#[test]
fn data_for_a_silent_peer_stops_at_the_window() {
    let mut world = world(0, 0.0);
    let mut script = vec![(0, dial(0, 2))];
    script.extend((0..400).map(|_| (100, send(0, DATA, vec![1; 1000]))));
    let a = add(&mut world, 1, FAST, false, script);
    add(&mut world, 2, FAST, false, vec![]);
    run_until(&mut world, 90 * MILLISECOND);
    world.freeze(1);
    run_until(&mut world, 5 * SECOND);
    let taken = |log: &Log| -> u64 {
        log.lock()
            .unwrap()
            .iter()
            .map(|(_, input)| {
                if let Input::Drained { bytes, .. } = input {
                    *bytes
                } else {
                    0
                }
            })
            .sum()
    };
    assert_eq!(taken(&a), 132_000, "128 KiB, and the frame that reaches over");
    world.thaw(1);
    run_until(&mut world, 6 * SECOND);
    assert_eq!(taken(&a), 400_000, "it goes on when the peer does");
}

#[test]
fn loss_and_jitter_delay_a_lane_and_keep_its_order() {
    let mut world = world(10 * MILLISECOND, 0.2);
    let mut script = vec![(0, dial(0, 2))];
    script.extend((0..200).map(|n| (100 + u64::from(n), send(0, DATA, vec![n; 1000]))));
    add(&mut world, 1, FAST, false, script);
    let b = add(&mut world, 2, FAST, false, vec![]);
    run_until(&mut world, 3 * SECOND);
    let got = frames(&b);
    assert!(got.is_sorted_by_key(|frame| frame.2) && got.len() == 200);
    let late =
        |frame: &&(Micros, usize, u8)| frame.0 > 100_000 + u64::from(frame.2) * 1000 + DELAY + 10_000 + 100;
    let late = got.iter().filter(late).count();
    assert!(
        (40..190).contains(&late),
        "{late} of 200 frames were lost, or stood behind lost ones"
    );
}

#[test]
fn dialling_nobody_somebody_else_or_a_nat_fails() {
    let mut world = world(0, 0.0);
    let wrong = Output::Dial {
        link: LinkId(2),
        peer: id(9),
        addresses: vec![address(2)],
    };
    let a = add(
        &mut world,
        1,
        FAST,
        false,
        vec![(0, dial(0, 7)), (10, wrong), (20, dial(4, 3))],
    );
    add(&mut world, 2, FAST, false, vec![]);
    let behind = add(&mut world, 3, FAST, true, vec![(5000, dial(0, 1))]);
    run_until(&mut world, 6 * SECOND);
    assert_eq!(ends(&a)[0], (10_000 + 2 * DELAY, LinkEnd::WrongKey));
    assert_eq!(
        ends(&a)[1..],
        [
            (3 * SECOND, LinkEnd::TimedOut),
            (3 * SECOND + 20_000, LinkEnd::TimedOut)
        ]
    );
    assert_eq!(linked(&behind).len(), 1, "from inside it works");
    world.tell(0, Input::Wake);
    assert_eq!(linked(&a), [(5 * SECOND + 3 * DELAY, LinkId(1))]);
}

#[test]
fn a_peer_that_dialled_before_is_let_through_its_nat() {
    let mut world = world(0, 0.0);
    let a = add(&mut world, 1, FAST, false, vec![(500, dial(0, 3))]);
    add(&mut world, 3, FAST, true, vec![(600, dial(0, 1))]);
    run_until(&mut world, 3 * SECOND);
    let up: Vec<u64> = linked(&a).iter().map(|(_, link)| link.0).collect();
    assert_eq!(
        up,
        [1, 0],
        "both ends dialled; the first packet was not let in, the second was"
    );
}

#[test]
fn crashes_are_noticed_after_the_idle_time_and_closing_after_the_delay() {
    let mut world = world(0, 0.0);
    let a = add(
        &mut world,
        1,
        FAST,
        false,
        vec![
            (0, dial(0, 2)),
            (0, dial(2, 3)),
            (300, send(2, Lane::Control, vec![5; 50])),
            (
                300,
                Output::Close {
                    link: LinkId(2),
                    code: CloseCode::Full,
                },
            ),
        ],
    );
    add(&mut world, 2, FAST, false, vec![]);
    let c = add(&mut world, 3, FAST, false, vec![]);
    run_until(&mut world, SECOND);
    world.crash(1);
    run_until(&mut world, 20 * SECOND);
    assert_eq!(ends(&a), [(11 * SECOND, LinkEnd::TimedOut)]);
    let closed = ends(&c);
    assert_eq!(closed[0].1, LinkEnd::Closed(CloseCode::Full));
    assert!(closed[0].0 >= frames(&c)[0].0, "what was sent before came before");
    assert!(
        world
            .links
            .iter()
            .flat_map(|link| &link.ends)
            .all(|end| end.state == EndState::Closed)
    );
}

#[test]
fn a_short_stop_delays_and_a_long_one_ends_links() {
    let mut world = world(0, 0.0);
    let script = vec![(0, dial(0, 2)), (1500, send(0, Lane::Control, vec![5; 50]))];
    let a = add(&mut world, 1, FAST, false, script);
    let b = add(&mut world, 2, FAST, false, vec![]);
    run_until(&mut world, SECOND);
    world.freeze(1);
    run_until(&mut world, 3 * SECOND);
    world.thaw(1);
    run_until(&mut world, 4 * SECOND);
    assert_eq!(frames(&b)[0].0, 3 * SECOND);
    world.freeze(1);
    run_until(&mut world, 30 * SECOND);
    world.thaw(1);
    run_until(&mut world, 31 * SECOND);
    assert_eq!(ends(&a), [(14 * SECOND, LinkEnd::TimedOut)]);
    assert_eq!(ends(&b), [(30 * SECOND, LinkEnd::TimedOut)]);
}

#[test]
fn a_probe_reaches_whom_strangers_reach() {
    let mut world = world(0, 0.0);
    let probe = |n| Output::Probe {
        peer: id(n),
        addresses: vec![address(n)],
    };
    let a = add(
        &mut world,
        1,
        FAST,
        false,
        vec![(0, probe(2)), (0, probe(3)), (0, probe(4))],
    );
    add(&mut world, 2, FAST, false, vec![]);
    add(&mut world, 3, FAST, true, vec![(0, dial(0, 1))]);
    run_until(&mut world, 6 * SECOND);
    let log = a.lock().unwrap();
    let reached = |n| {
        log.iter().find_map(|(_, input)| match input {
            Input::Probed { peer, reached } if *peer == id(n) => Some(reached.len()),
            _ => None,
        })
    };
    assert_eq!([reached(2), reached(3), reached(4)], [Some(1), Some(0), Some(0)]);
}

#[test]
fn the_same_seed_leaves_the_same_trace() {
    let run = |loss| {
        let mut world = world(5000, loss);
        let mut script = vec![(0, dial(0, 2))];
        script.extend((0..50).map(|n| (100 + u64::from(n), send(0, DATA, vec![n; 1000]))));
        add(&mut world, 1, 800_000, false, script);
        // It answers what it hears, so that times of arrival reach the trace.
        add(
            &mut world,
            2,
            FAST,
            false,
            (0..20)
                .map(|n| (200 + n * 7, send(1, DATA, vec![9; 2000])))
                .collect(),
        );
        run_until(&mut world, 2 * SECOND);
        world.trace()
    };
    assert_eq!(run(0.01), run(0.01));
    let mut shorter = world(0, 0.0);
    add(&mut shorter, 1, FAST, false, vec![(0, dial(0, 2))]);
    run_until(&mut shorter, SECOND);
    assert_ne!(shorter.trace(), run(0.01));
}
