use super::*;
use crate::media::record::Decoder;
use crate::media::{Codec, Kind};
use crate::rng::Rng;

const RATE: Bitrate = Bitrate::from_kbps(800);
/// 1.1 times 800 kbit/s for 100 ms.
const TICK_MAX: usize = 11_000;

fn tracks() -> [Track; 2] {
    let video = Kind::Video {
        width: 640,
        height: 360,
        frames_per_1000s: 25_000,
    };
    let audio = Kind::Audio {
        sample_rate: 48_000,
        channels: 2,
    };
    [(Codec::Aac, audio), (Codec::H264, video)].map(|(codec, kind)| Track {
        codec,
        kind,
        setup: Bytes::new(),
    })
}

fn picture(len: usize, keyframe: bool) -> Packet {
    Packet {
        track: 1,
        pts: 0,
        dts: 0,
        duration: 3600,
        keyframe,
        data: Bytes::from(alloc::vec![1; len]),
    }
}

fn sound(len: usize) -> Packet {
    Packet {
        track: 0,
        keyframe: true,
        ..picture(len, true)
    }
}

fn at(ms: u64) -> ChannelTime {
    ChannelTime::from_micros(1_000_000_000 + ms * 1000)
}

#[test]
fn silence_makes_empty_blocks_of_the_present() {
    let mut smoother = Smoother::new(RATE, &tracks(), 1);
    let block = smoother.cut(at(100), 7);
    assert_eq!((block.number, block.captured), (7, at(100)));
    assert_eq!((block.flags, block.body.len()), (Flags::default(), 0));
}

#[test]
fn a_keyframe_spreads_over_ticks_of_at_most_1_1_times_the_rate() {
    let mut smoother = Smoother::new(RATE, &tracks(), 2);
    smoother.push(at(0), &picture(50_000, true));
    assert!(smoother.is_keyframe_next());
    let blocks: Vec<Block> = (0..6).map(|n| smoother.cut(at(100 + n * 100), n)).collect();
    let lens: Vec<usize> = blocks.iter().map(|block| block.body.len()).collect();
    assert_eq!(lens[..4], [TICK_MAX; 4]);
    assert!(lens[4] > 0 && lens[4] < TICK_MAX && lens[5] == 0, "{lens:?}");
    assert!(blocks[0].flags.has(Flags::KEYFRAME));
    assert!(blocks[1..].iter().all(|block| block.flags == Flags::default()));
    let captured: Vec<_> = blocks.iter().map(|block| block.captured).collect();
    assert_eq!(
        captured[..5],
        [at(0); 5],
        "all of the keyframe is as old as the keyframe"
    );
    assert_eq!(captured[5], at(600));
}

#[test]
fn the_bound_holds_and_nothing_is_lost_at_the_rate_it_was_made_for() {
    let mut rng = Rng::new(5);
    let mut smoother = Smoother::new(RATE, &tracks(), 4);
    let mut decoder = Decoder::new();
    let (mut sent, mut got) = (Vec::new(), Vec::new());
    for tick in 0..600 {
        // A keyframe of 40,000 bytes each two seconds and 20 frames of 8,000 between: 10,000 bytes a tick on average.
        let len = if tick % 20 == 0 {
            40_000
        } else {
            6_000 + rng.below(4_000) as usize
        };
        let packet = picture(len, tick % 20 == 0);
        smoother.push(at(tick * 100), &packet);
        sent.push(packet);
        let block = smoother.cut(at(tick * 100 + 100), tick);
        assert!(block.body.len() <= TICK_MAX, "tick {tick}");
        assert!(smoother.backlog() < Duration::from_secs(1));
        decoder
            .feed(&block.body, |record| got.push(record.packet))
            .unwrap();
    }
    for tick in 600..610 {
        let block = smoother.cut(at(tick * 100), tick);
        decoder
            .feed(&block.body, |record| got.push(record.packet))
            .unwrap();
    }
    assert_eq!(got, sent);
    assert!(smoother.needed_rate() <= RATE, "{}", smoother.needed_rate());
}

#[test]
fn beyond_a_second_of_delay_the_rate_gives_and_what_was_needed_is_said() {
    let mut smoother = Smoother::new(RATE, &tracks(), 1);
    let mut most = 0;
    for tick in 0..100 {
        smoother.push(at(tick * 100), &picture(25_000, tick == 0));
        most = most.max(smoother.cut(at(tick * 100 + 100), tick).body.len());
    }
    assert!((20_000..=26_000).contains(&most), "{most}");
    assert!(smoother.queued <= 10 * 25_100, "a second's worth, not more");
    // 25,000 bytes a tick for 8 s, with a second to spare, at 1.1 times the rate: 2 Mbit/s × 8/9 ÷ 1.1.
    let needed = smoother.needed_rate().as_bps();
    assert!((1_580_000..1_640_000).contains(&needed), "{needed}");
    smoother.set_rate(Bitrate::from_kbps(2_000), 1);
    assert!(smoother.backlog() < Duration::from_secs(1));
}

#[test]
fn an_input_that_outruns_the_largest_blocks_loses_whole_groups_of_pictures() {
    let mut smoother = Smoother::new(RATE, &tracks(), 1);
    let mut decoder = Decoder::new();
    let mut after_gap = Vec::new();
    for tick in 0..200 {
        smoother.push(at(tick * 100), &picture(1_000_000, tick % 10 == 0));
        assert!(smoother.queued <= PAYLOAD_MAX * QUEUE_TICKS + 1_000_100);
        let block = smoother.cut(at(tick * 100 + 100), tick);
        assert!(block.body.len() <= PAYLOAD_MAX);
        let note = |record: crate::media::record::Record| {
            if record.discontinuity {
                after_gap.push(record.packet.keyframe);
            }
        };
        decoder.feed(&block.body, note).unwrap();
    }
    assert!(smoother.dropped() > 100);
    assert!(after_gap.len() > 1 && after_gap.iter().all(|keyframe| *keyframe));
}

#[test]
fn an_oversized_packet_is_dropped_with_what_depends_on_it() {
    let mut smoother = Smoother::new(RATE, &tracks(), 1);
    for packet in [picture(RECORD_MAX + 1, true), picture(10, false), sound(5)] {
        smoother.push(at(0), &packet);
    }
    assert_eq!(smoother.dropped(), 3);
    smoother.push(at(10), &picture(10, true));
    let block = smoother.cut(at(100), 0);
    assert_eq!(block.flags, Flags::KEYFRAME.with(Flags::DISCONTINUITY));
}

#[test]
fn sound_alone_may_begin_anywhere_but_beside_a_picture_it_is_no_start() {
    let mut both = Smoother::new(RATE, &tracks(), 1);
    both.push(at(0), &sound(100));
    assert!(!both.is_keyframe_next());
    assert_eq!(both.cut(at(100), 0).flags, Flags::default());
    let mut alone = Smoother::new(RATE, &tracks()[..1], 1);
    alone.push(at(0), &sound(100));
    assert!(alone.is_keyframe_next());
    assert_eq!(alone.cut(at(100), 0).flags, Flags::KEYFRAME);
}

#[test]
fn after_a_restart_only_the_new_set_up_is_sent_from_its_keyframe_on() {
    let mut smoother = Smoother::new(RATE, &tracks(), 1);
    let mut decoder = Decoder::new();
    let mut got = Vec::new();
    smoother.push(at(0), &picture(30_000, true));
    let block = smoother.cut(at(100), 0);
    decoder.feed(&block.body, |record| got.push(record)).unwrap();
    smoother.restart(&tracks());
    smoother.push(at(110), &picture(9, false));
    smoother.push(at(120), &picture(10, true));
    let block = smoother.cut(at(200), 1);
    assert!(block.flags.has(Flags::DISCONTINUITY.with(Flags::KEYFRAME)));
    decoder.feed(&block.body, |record| got.push(record)).unwrap();
    assert_eq!(
        got.len(),
        1,
        "neither the half keyframe nor the frame without one"
    );
    assert!(got[0].discontinuity && got[0].packet.data.len() == 10);
}

#[test]
fn the_next_block_is_foretold() {
    let mut rng = Rng::new(9);
    let mut smoother = Smoother::new(RATE, &tracks(), 1);
    for tick in 0..500 {
        for _ in 0..rng.below(4) {
            smoother.push(
                at(tick * 100),
                &picture(rng.below(9_000) as usize, rng.below(5) == 0),
            );
        }
        let foretold = smoother.is_keyframe_next();
        let block = smoother.cut(at(tick * 100 + 100), tick);
        assert_eq!(block.flags.has(Flags::KEYFRAME), foretold, "tick {tick}");
    }
}
