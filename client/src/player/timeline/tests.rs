use super::*;
use banyan_protocol::media::{Codec, TierId};
use bytes::Bytes;

const FRAME: i64 = SECOND / 25;

fn tracks(tier: u8) -> Play {
    let video = Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 16,
            height: 16,
            frames_per_1000s: 25_000,
        },
        setup: Bytes::from(vec![tier]),
    };
    let audio = Track {
        codec: Codec::Aac,
        kind: Kind::Audio {
            sample_rate: 48_000,
            channels: 2,
        },
        setup: Bytes::new(),
    };
    Play::Tracks {
        tier: TierId(tier),
        tracks: [video, audio].into(),
    }
}

fn packet(track: u8, at: i64, keyframe: bool, bytes: usize) -> Play {
    Play::Packet(Packet {
        track,
        pts: at,
        dts: at,
        duration: FRAME as u32,
        keyframe,
        data: Bytes::from(vec![0; bytes]),
    })
}

/// So many frames of picture and sound from `start` of the media clock on, a keyframe each second.
fn play(timeline: &mut Timeline, start: i64, frames: i64, bytes: usize) {
    for number in 0..frames {
        timeline.push(packet(0, start + number * FRAME, number % 25 == 0, bytes));
        timeline.push(packet(1, start + number * FRAME, true, 10));
    }
}

fn timeline(frames: i64) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.push(tracks(1));
    play(&mut timeline, 7 * SECOND, frames, 100);
    timeline
}

fn read(timeline: &mut Timeline, medium: Medium) -> Vec<Item> {
    std::iter::from_fn(|| timeline.read(medium)).collect()
}

fn times(timeline: &mut Timeline, medium: Medium) -> Vec<i64> {
    read(timeline, medium)
        .iter()
        .map(|item| item.packet.pts)
        .collect()
}

#[test]
fn the_line_begins_at_zero_and_each_medium_is_read_in_turn() {
    let mut timeline = timeline(50);
    let expected: Vec<i64> = (0..50).map(|number| number * FRAME).collect();
    assert_eq!(times(&mut timeline, Medium::Picture), expected);
    assert_eq!(times(&mut timeline, Medium::Sound), expected);
    assert!(timeline.is_read(Medium::Picture) && timeline.is_read(Medium::Sound));
    assert_eq!(
        timeline.edge(),
        49 * FRAME,
        "pictures up to the last one's time have come"
    );
}

#[test]
fn the_edge_waits_for_the_slower_medium_but_not_for_one_that_never_comes() {
    let mut timeline = timeline(1);
    timeline.push(packet(1, 7 * SECOND + 10 * FRAME, true, 10));
    assert_eq!(timeline.edge(), 0);
    for number in 1..60 {
        timeline.push(packet(0, 7 * SECOND + number * FRAME, false, 10));
    }
    assert_eq!(timeline.edge(), 59 * FRAME);
}

#[test]
fn what_is_too_old_or_too_much_is_forgotten() {
    let mut long = timeline(25 * 100);
    assert!(long.oldest().unwrap() >= 100 * SECOND - KEPT_MAX - 2 * SECOND);
    assert!(long.is_lost());
    assert_eq!(long.seek(0), long.oldest());
    assert!(!long.is_lost());
    let mut large = timeline(0);
    play(&mut large, 0, 25 * 20, 1 << 20);
    assert!(large.bytes <= BYTES_MAX);
    let kept = large.edge() - large.oldest().unwrap();
    assert!((SECOND..=3 * SECOND).contains(&kept), "{kept}");
}

#[test]
fn going_back_reads_from_the_keyframe_before_and_its_sound() {
    let mut timeline = timeline(25 * 4);
    read(&mut timeline, Medium::Picture);
    read(&mut timeline, Medium::Sound);
    let to = 2 * SECOND + 10 * FRAME;
    assert_eq!(timeline.seek(to), Some(to));
    let first = timeline.read(Medium::Picture).unwrap();
    assert!(first.packet.keyframe && first.packet.pts == 2 * SECOND);
    let sound = timeline.read(Medium::Sound).unwrap().packet.pts;
    assert!((to - FRAME..=to).contains(&sound), "{sound}");
}

#[test]
fn sound_that_came_before_the_keyframe_it_belongs_to_is_read() {
    let mut timeline = timeline(24);
    for number in 24..30 {
        timeline.push(packet(1, 7 * SECOND + number * FRAME, true, 10));
    }
    timeline.push(packet(0, 7 * SECOND + 25 * FRAME, true, 1000));
    assert_eq!(timeline.seek(25 * FRAME), Some(25 * FRAME));
    assert_eq!(timeline.read(Medium::Picture).unwrap().packet.pts, 25 * FRAME);
    assert_eq!(
        times(&mut timeline, Medium::Sound),
        (24..30).map(|it| it * FRAME).collect::<Vec<_>>()
    );
}

/// Each is shown a frame's time after the one before.
fn assert_even(items: &[Item]) {
    let mut steps = items.windows(2).map(|two| two[1].packet.pts - two[0].packet.pts);
    assert!(steps.all(|step| step == FRAME));
}

#[test]
fn a_change_of_tier_on_the_same_clock_keeps_its_times() {
    let mut timeline = timeline(25);
    timeline.push(tracks(0));
    play(&mut timeline, 8 * SECOND, 25, 100);
    let items = read(&mut timeline, Medium::Picture);
    assert_even(&items);
    assert_ne!(items[24].segment, items[25].segment);
    assert_ne!(items[24].track, items[25].track);
}

#[test]
fn after_a_gap_or_another_clock_the_line_goes_on_where_it_ended() {
    for start in [2 * SECOND, 500 * SECOND] {
        let mut timeline = timeline(25);
        timeline.push(Play::Gap);
        play(&mut timeline, start, 25, 100);
        let items = read(&mut timeline, Medium::Picture);
        assert_even(&items);
        assert_ne!(items[24].segment, items[25].segment);
        assert_eq!(timeline.edge(), 49 * FRAME);
    }
}

#[test]
fn late_pictures_are_skipped_to_a_keyframe() {
    let mut timeline = timeline(25 * 10);
    timeline.read(Medium::Picture);
    assert!(!timeline.skip(SECOND, SECOND), "not late enough");
    assert!(timeline.skip(5 * SECOND + FRAME, SECOND));
    assert_eq!(timeline.read(Medium::Picture).unwrap().packet.pts, 5 * SECOND);
    assert!(!timeline.skip(5 * SECOND + FRAME, SECOND));
}

#[test]
fn packets_of_tracks_that_were_not_told_are_left_out() {
    let mut timeline = Timeline::default();
    timeline.push(packet(0, 0, true, 10));
    timeline.push(tracks(1));
    timeline.push(packet(7, 0, true, 10));
    assert!(timeline.oldest().is_none());
}

#[test]
fn whatever_times_packets_have_the_line_only_grows_a_little() {
    let mut timeline = timeline(25);
    for (pts, dts) in [
        (i64::MAX, 0),
        (i64::MIN, i64::MAX),
        (0, i64::MIN),
        (1 << 62, 1 << 62),
    ] {
        for track in [0, 1] {
            let edge = timeline.edge();
            timeline.push(Play::Packet(Packet {
                track,
                pts,
                dts,
                duration: u32::MAX,
                keyframe: true,
                data: Bytes::new(),
            }));
            assert!((0..=2 * LENGTH_MAX).contains(&(timeline.edge() - edge)));
        }
    }
    let mut times = times(&mut timeline, Medium::Picture);
    assert!(
        times.iter().all(|time| (0..=200 * SECOND).contains(time)),
        "{times:?}"
    );
    times.dedup();
    assert!(times.is_sorted());
}
